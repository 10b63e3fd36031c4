// The number of threads that compute: fewer where more are slower, all again where they are not, at little cost.

import { describe, expect, it } from "vitest";
import { Pace } from "../../src/backends/emitted/pace.ts";

/** Runs of one program that takes as long as the model says; how often each number of threads ran. */
function runs(pace: Pace, clock: { now: number }, count: number, milliseconds: (threads: number) => number, code: object = clock) {
  const used = new Map<number, number>();
  for (let n = 0; n < count; n++)
    pace.run(code, (threads) => {
      clock.now += milliseconds(threads);
      used.set(threads, (used.get(threads) ?? 0) + 1);
    });
  return used;
}

/** Work that divides until there are more threads than processors; each beyond makes all wait. */
const machine = (processors: number) => (threads: number) => 10 / Math.min(threads, processors) + 5 * Math.max(0, threads - processors);

function paced(most: number, beginWith = most): { clock: { now: number }; pace: Pace } {
  const clock = { now: 0 };
  return { clock, pace: new Pace({ threads: most, beginWith }, () => clock.now) };
}

describe("the number of threads", () => {
  it.each([
    [4, 2, 2],
    [8, 2, 2],
    [8, 1, 1],
    [2, 1, 1],
    [64, 4, 4],
    [4, 4, 4],
    [2, 2, 2],
    [1, 1, 1],
  ])("of %i on %i processors becomes %i", (most, processors, expected) => {
    const { clock, pace } = paced(most);
    runs(pace, clock, 1500, machine(processors));
    expect(pace.threads).toBe(expected);
  });

  it.each([
    [8, 2, 2, 2],
    [8, 2, 8, 8],
    [8, 4, 2, 2],
    [4, 1, 4, 4],
  ])("of %i, begun with %i, on %i processors becomes %i", (most, beginWith, processors, expected) => {
    const { clock, pace } = paced(most, beginWith);
    expect(pace.threads).toBe(beginWith);
    runs(pace, clock, 3000, machine(processors));
    expect(pace.threads).toBe(expected);
  });

  it("costs little where the first number was right", () => {
    const { clock, pace } = paced(8, 2);
    const used = runs(pace, clock, 20_000, machine(2));
    expect(used.get(2)).toBeGreaterThan(0.995 * 20_000);
  });

  it("grows again when processors are free again", () => {
    const { clock, pace } = paced(4);
    runs(pace, clock, 1500, machine(1));
    expect(pace.threads).toBe(1);
    runs(pace, clock, 200_000, machine(4));
    expect(pace.threads).toBe(4);
  });

  it("stays where all are of use, and is hardly ever doubted", () => {
    const { clock, pace } = paced(4);
    const used = runs(pace, clock, 20_000, machine(4));
    expect([...used.keys()].sort()).toEqual([2, 4]);
    expect(used.get(2)).toBeLessThan(0.002 * 20_000);
  });

  it("does not follow a few slow runs", () => {
    const { clock, pace } = paced(2);
    let n = 0;
    runs(pace, clock, 5000, (threads) => (n++ % 5 === 0 ? 500 : machine(2)(threads)));
    expect(pace.threads).toBe(2);
  });

  it("is found although programs come and go", () => {
    const { clock, pace } = paced(4);
    for (let program = 0; program < 2000; program++) runs(pace, clock, 3, machine(2), {});
    expect(pace.threads).toBe(4);
    runs(pace, clock, 5000, machine(2));
    expect(pace.threads).toBe(2);
  });
});
