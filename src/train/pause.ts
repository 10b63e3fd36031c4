// Yields to the event loop now and then, so that Ctrl-C, timers and finalizers run during training.

/** The longest time without a turn, in milliseconds: a screen refresh, far above the cost of a turn. */
const LONGEST = 16;

/**
 * Whether so much time has passed since the last turn that the next one is due; asking costs well under a microsecond.
 */
export class Pacer {
  #last = performance.now();

  get due(): boolean {
    return performance.now() - this.#last >= LONGEST;
  }

  /** Waits until everything that was waiting has had its turn. */
  async pause(): Promise<void> {
    await turn();
    this.#last = performance.now();
  }
}

type Immediate = (callback: () => void) => unknown;

/** setTimeout would wait at least 4 ms when nested in browsers; a message does not. */
function turn(): Promise<void> {
  const immediate = (globalThis as { setImmediate?: Immediate }).setImmediate;
  return new Promise((resolve) => {
    if (immediate !== undefined) {
      immediate(resolve);
      return;
    }
    // Stand-ins for pages in tests (jsdom) have neither.
    if (typeof MessageChannel === "undefined") {
      setTimeout(resolve);
      return;
    }
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
