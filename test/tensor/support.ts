// Shared by the tensor tests: runs a suite on every backend, reads messages of errors.

import { afterAll, beforeAll, describe } from "vitest";
import { availableBackends, getBackend, KasaneError, setBackend } from "../../src/index.ts";

export function onEveryBackend(name: string, suite: () => void): void {
  for (const backend of availableBackends())
    describe(`${name} (${backend})`, () => {
      let before = getBackend().name;
      beforeAll(() => {
        before = getBackend().name;
        setBackend(backend);
      });
      afterAll(() => setBackend(before));
      suite();
    });
}

/** The message of the error that a function throws, which must be one meant for users. */
export function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof KasaneError) return error.message;
    throw error;
  }
  throw new Error("expected an error, got none");
}
