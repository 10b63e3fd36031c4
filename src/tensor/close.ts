// Equality up to rounding, for tests that compare tensors.

import { checkOptions } from "../util/options.ts";
import { isTensor, valueOf } from "./tensor.ts";

/** How far two numbers may lie apart: |a − b| ≤ absolute + relative · |b|. */
export interface Tolerance {
  /** Default 1e-6. */
  readonly absolute?: number;
  /** Default 1e-5. */
  readonly relative?: number;
}

/**
 * An equality tester of Vitest and Jest for tensors anywhere inside what is compared: equal where dtype and shape are
 * the same and all numbers lie close together, NaN beside NaN. Without one, `toEqual` compares numbers exactly.
 * @example expect.addEqualityTesters([closeTensors({ relative: 1e-4 })]); expect(net.stateDict()).toEqual(expected);
 */
export function closeTensors(tolerance: Tolerance = {}): (a: unknown, b: unknown) => boolean | undefined {
  const { absolute = 1e-6, relative = 1e-5 } = checkOptions("closeTensors", tolerance, { absolute: true, relative: true });
  const isClose = (a: number, b: number): boolean => Object.is(a, b) || a === b || Math.abs(a - b) <= absolute + relative * Math.abs(b);
  return (a, b) => {
    if (!isTensor(a) || !isTensor(b)) return undefined;
    if (valueOf(a).signature !== valueOf(b).signature) return false;
    const [own, other] = [a.data, b.data];
    return own.every((value: number, place: number) => isClose(value, other[place]!));
  };
}
