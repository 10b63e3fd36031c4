// Worker threads in a real browser: the same numbers as without, and one thread with a reason where memory may not be shared.

import { expect, it } from "vitest";
import type * as kasaneInNode from "../../src/index.ts";
import { describeInBrowser, threadsText } from "./browser.ts";

type Kasane = typeof kasaneInNode;

/** A product large enough to be shared, again and again until workers have come up and for some time after. */
async function products(kasane: Kasane): Promise<{ description: string; different: number; workers: number }> {
  // Browsers note the first 250 files and no more, and the library has more.
  performance.clearResourceTimings();
  kasane.manualSeed(3);
  const [a, b] = [kasane.uniform([200, 300], -1, 1), kasane.uniform([300, 150], -1, 1)];
  const product = kasane.compile(() => kasane.matmul(a, b));
  const first = product().data;
  let different = 0;
  for (let round = 0; round < 20; round++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    for (let n = 0; n < 10; n++) if (product().data.some((value, place) => value !== first[place])) different++;
  }
  const loaded = performance.getEntriesByType("resource").filter(({ name }) => name.endsWith("page-worker.js")).length;
  return { description: kasane.getBackend().description, different, workers: loaded };
}

describeInBrowser("a page that is cross-origin isolated", (page) => {
  it("computes on worker threads", async () => {
    const cores = await page().run(() => navigator.hardwareConcurrency);
    const { description, different, workers } = (await page().run(products as never)) as Awaited<ReturnType<typeof products>>;
    expect(description).toMatch(threadsText(cores));
    expect(different).toBe(0);
    expect(workers).toBeGreaterThanOrEqual(cores - 1);
    expect(page().complaints).toEqual([]);
  });
});

describeInBrowser(
  "a page that is not cross-origin isolated",
  (page) => {
    it("computes on one thread and says why", async () => {
      const { description, different } = (await page().run(products as never)) as Awaited<ReturnType<typeof products>>;
      expect(description).toMatch(/one thread: the page is not cross-origin isolated/);
      expect(different).toBe(0);
      expect(page().complaints).toEqual([]);
    });
  },
  { isolated: false },
);
