// The loop of a worker thread: waits for programs of the main thread and runs them. Node's workers get it as text.

/**
 * Where the 32-bit words of the mailbox lie that the threads share, by index; module bytes are posted from `mail` on,
 * in bytes.
 */
export const MAILBOX = {
  generation: 0,
  open: 16,
  module: 17,
  argument: 18,
  posted: 19,
  ended: 20,
  inside: 32,
  sleepers: 48,
  joined: 64,
  employed: 72,
  wants: 80,
  mail: 4096,
} as const;

export interface Work {
  /** Of the programs. */
  readonly memory: WebAssembly.Memory;
  /** Words that the threads talk through, then room for a module. */
  readonly mail: WebAssembly.Memory;
  /** 0, 1, … among the workers. */
  readonly number: number;
  readonly places: typeof MAILBOX;
}

/**
 * Until the crew ends. A generation is joined once; one that is over before is skipped. A module that this thread does
 * not have is asked for, and compiled outside a program, so that nobody waits for it. Refers to nothing outside itself.
 */
export function work({ memory, mail, number, places }: Work): void {
  const words = new Int32Array(mail.buffer);
  const instances = new Map<number, (argument: number) => void>();
  const most = 600;
  const patience = 3000;
  let seen = 0;
  Atomics.add(words, places.joined, 1);
  try {
    for (;;) {
      for (let several = Atomics.load(words, places.employed); number >= several; several = Atomics.load(words, places.employed))
        Atomics.wait(words, places.employed, several);
      for (let looks = 0; Atomics.load(words, places.generation) === seen; looks++) {
        if (looks < patience) continue;
        Atomics.add(words, places.sleepers, 1);
        Atomics.wait(words, places.generation, seen);
        Atomics.sub(words, places.sleepers, 1);
      }
      seen = Atomics.load(words, places.generation);
      if (Atomics.load(words, places.ended) === 1) return;
      let binary: Uint8Array<ArrayBuffer> | undefined;
      let module = 0;
      Atomics.add(words, places.inside, 1);
      try {
        if (Atomics.load(words, places.open) === 1) {
          // While this thread is inside, the generation cannot change.
          seen = Atomics.load(words, places.generation);
          module = Atomics.load(words, places.module);
          const main = instances.get(module);
          const posted = Atomics.load(words, places.posted);
          if (main !== undefined) main(Atomics.load(words, places.argument));
          else if (posted > 0) binary = new Uint8Array(mail.buffer, places.mail, posted).slice() as Uint8Array<ArrayBuffer>;
          else Atomics.store(words, places.wants + number, module);
        }
      } finally {
        Atomics.sub(words, places.inside, 1);
      }
      if (binary === undefined) continue;
      Atomics.store(words, places.wants + number, 0);
      if (instances.size >= most) instances.delete(instances.keys().next().value as number);
      const { main } = new WebAssembly.Instance(new WebAssembly.Module(binary), { env: { memory } }).exports;
      instances.set(module, main as (argument: number) => void);
    }
  } finally {
    Atomics.sub(words, places.joined, 1);
  }
}
