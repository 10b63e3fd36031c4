// Shared by the tensor tests: runs a suite on every backend, reads messages of errors.

import { afterAll, beforeAll, describe } from "vitest";
import { availableBackends, type DType, getBackend, type HostArray, KasaneError, setBackend } from "../../src/index.ts";
import { allocate } from "../../src/nest/arrays.ts";

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

/** Numbers as a dtype stores them. */
export function arrayOf(dtype: DType, numbers: readonly number[]): HostArray {
  const array = allocate(dtype, numbers.length) as HostArray;
  array.set(numbers);
  return array;
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
