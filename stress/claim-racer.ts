// Run by claim.ts: one of several processes that claim the same folders at once. Speaks by messages: "ready", then for each folder whether it owns it.

import { RunFolder } from "kasane/train/node";

/** To the process. */
export type Order = { readonly claim: string; readonly at: number } | { readonly release: true };

/** From the process. */
export type Answer = "ready" | { readonly owns: boolean; readonly said?: string };

let held: RunFolder | undefined;

process.on("message", async (order: Order) => {
  if ("release" in order) {
    await held?.release();
    held = undefined;
    answer("ready");
    return;
  }
  // All begin at the same moment, as far as timers allow.
  while (Date.now() < order.at) await Promise.resolve();
  try {
    held = await RunFolder.create(order.claim, { replace: true });
    answer({ owns: true });
  } catch (error) {
    answer({ owns: false, said: String(error) });
  }
});
answer("ready");

function answer(text: Answer): void {
  process.send?.(text);
}
