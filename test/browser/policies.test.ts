// What a page's content security policy forbids is done without, or another way, and said: WebAssembly, workers from files, blobs, or at all.

import { expect, it } from "vitest";
import { usualPolicy } from "../../scripts/lib/browser.mjs";
import type * as kasaneInNode from "../../src/index.ts";
import { describeInBrowser } from "./browser.ts";

type Kasane = typeof kasaneInNode;

interface Seen {
  readonly different: number;
  readonly description: string;
  readonly backend: string;
  readonly cores: number;
}

/** A product large enough to be shared, again until workers that can come have come. */
async function products(kasane: Kasane): Promise<Seen> {
  const a = kasane.ones([112, 112]);
  const product = kasane.compile(() => kasane.matmul(a, a).sum());
  let different = 0;
  for (let round = 0; round < 20; round++) {
    if (product().item() !== 112 ** 3) different++;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { name: backend, description } = kasane.getBackend();
  return { different, description, backend, cores: navigator.hardwareConcurrency };
}

const threads = (cores: number): RegExp => (cores === 1 ? /one thread/ : new RegExp(`, ${cores} threads;`));
const lost = (cores: number): RegExp => (cores === 1 ? /one thread/ : /one thread of \d+: no worker starts .*worker-src blob:/);

const pages: Readonly<
  Record<string, { readonly policy: string; readonly described: (cores: number) => RegExp; readonly warns: RegExp | undefined }>
> = {
  "nothing beyond WebAssembly": { policy: usualPolicy, described: threads, warns: undefined },
  "workers from blobs only": { policy: `${usualPolicy}; worker-src blob:`, described: threads, warns: undefined },
  "no workers": { policy: `${usualPolicy}; worker-src 'none'`, described: lost, warns: /worker-src blob:/ },
  "trusted types": { policy: `${usualPolicy}; require-trusted-types-for 'script'`, described: threads, warns: undefined },
  "trusted types of others": {
    policy: `${usualPolicy}; require-trusted-types-for 'script'; trusted-types other`,
    described: lost,
    warns: /trusted-types kasane/,
  },
  "no WebAssembly": {
    policy: "default-src 'self'; script-src 'self'",
    described: () => /^reference: .*script-src must list 'wasm-unsafe-eval'/,
    warns: /computes slowly.*'wasm-unsafe-eval'/,
  },
};

for (const [allowed, { policy, described, warns }] of Object.entries(pages))
  describeInBrowser(
    `a page that allows ${allowed}`,
    (page) => {
      it("computes, and describes how", async () => {
        const seen = (await page().run(products as never)) as Seen;
        expect(seen.different).toBe(0);
        expect(seen.description).toMatch(described(seen.cores));
        if (warns === undefined || (seen.backend === "wasm" && seen.cores === 1)) expect(page().warnings).toEqual([]);
        else {
          expect(page().warnings).toHaveLength(1);
          expect(page().warnings[0]).toMatch(warns);
        }
      });
    },
    { policy },
  );

describeInBrowser("setThreads in a page", (page) => {
  it("changes who computes, and no bit of what is computed", async () => {
    const { runs: seen, cores } = await page().run(async (kasane: Kasane) => {
      const weight = kasane.parameter(kasane.uniform([200, 200], -1, 1));
      const step = kasane.compile((x: kasaneInNode.Tensor) => {
        weight.zeroGrad();
        const loss = x.matmul(weight).square().mean();
        loss.backward();
        kasane.noGrad(() => weight.assign(weight.sub((weight.grad as kasaneInNode.Tensor).mul(0.1))));
        return loss;
      });
      const start = weight.data.slice();
      const x = kasane.uniform([200, 200], -1, 1);
      const runs = [];
      for (const count of [1, 3, 2]) {
        kasane.setThreads(count);
        weight.assign(kasane.tensor(Array.from(start)).reshape([200, 200]));
        const losses = [];
        for (let n = 0; n < 15; n++) {
          losses.push(step(x).item());
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        runs.push({ losses, description: kasane.getBackend().description });
      }
      return { runs, cores: navigator.hardwareConcurrency };
    });
    const computing = (count: number) => (Math.min(count, cores) === 1 ? "one thread" : `${Math.min(count, cores)} threads`);
    expect(seen.map(({ description }) => /(one|\d+) threads?/.exec(description)?.[0])).toEqual([1, 3, 2].map(computing));
    expect(seen[1]?.losses).toEqual(seen[0]?.losses);
    expect(seen[2]?.losses).toEqual(seen[0]?.losses);
    expect(new Set(seen[0]?.losses).size).toBe(15);
  });
});
