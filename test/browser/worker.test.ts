// Training inside a page's Web Worker: with worker threads of its own where memory may be shared, while the page goes on.

import { expect, it } from "vitest";
import { type BrowserPage, describeInBrowser, threadsText } from "./browser.ts";

interface Seen {
  readonly losses: readonly number[];
  readonly description: string;
  /** Workers that the worker started. */
  readonly helpers: number;
  readonly isPage: boolean;
  /** How often the page's main thread came by while the worker trained. */
  readonly ticks: number;
  readonly cores: number;
}

function train(page: BrowserPage, steps: number): Promise<Seen> {
  return page.run(
    (_kasane, count: number) =>
      new Promise<Seen>((resolve, reject) => {
        const worker = new Worker("/workers/training.js", { type: "module" });
        let [ticks, trains] = [0, false];
        const tick = (): void => {
          if (trains) ticks++;
          setTimeout(tick, 0);
        };
        tick();
        worker.onerror = ({ message }) => reject(new Error(message));
        worker.onmessage = ({ data }) => {
          if (data.began) trains = true;
          else resolve({ ...data, ticks, cores: navigator.hardwareConcurrency });
        };
        worker.postMessage({ steps: count });
      }),
    steps,
  );
}

function expectTraining({ losses, isPage, ticks }: Seen, steps: number): void {
  expect(isPage).toBe(false);
  expect(losses).toHaveLength(steps + 21);
  expect(losses.at(-1)).toBeLessThan(0.98 * (losses[0] as number));
  expect(ticks).toBeGreaterThan(0);
}

const steps = 300;
let shared: readonly number[] | undefined;

describeInBrowser("a worker of a page that is cross-origin isolated", (page) => {
  it("trains on worker threads of its own while the page goes on", async () => {
    const seen = await train(page(), steps);
    expectTraining(seen, steps);
    expect(seen.description).toMatch(threadsText(seen.cores));
    expect(seen.helpers).toBeGreaterThanOrEqual(seen.cores - 1);
    expect(page().complaints).toEqual([]);
    shared = seen.losses;
  });
});

describeInBrowser(
  "a worker of a page that is not cross-origin isolated",
  (page) => {
    it("trains on one thread, to the same numbers, while the page goes on", async () => {
      const seen = await train(page(), steps);
      expectTraining(seen, steps);
      expect(seen.description).toMatch(/one thread: the page is not cross-origin isolated/);
      expect(page().complaints).toEqual([]);
      if (shared !== undefined) expect(seen.losses).toEqual(shared);
    });
  },
  { isolated: false },
);
