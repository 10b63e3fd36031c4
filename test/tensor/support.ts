// Shared by the tensor tests: runs a suite on every backend, reads messages of errors.

import { afterAll, beforeAll, describe } from "vitest";
import { availableBackends, getBackend, setBackend } from "../../src/index.ts";

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

/** The message of what a function throws. */
export function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("expected an error, got none");
}
