// Chooses how many threads compute together, by timing: fewer where more are slower.

import type { Team } from "./threads.ts";

/** Shared runs of a program, timed in turns with the present number of threads and with another one. */
interface Trial {
  readonly code: object;
  readonly threads: number;
  /** Milliseconds with the present number, and with the other. */
  readonly times: readonly [number[], number[]];
  runs: number;
}

/** Runs with one number before the other's turn. */
const BLOCK = 10;
/** Of a block, runs that only wake threads or put them to sleep. */
const SETTLING = 3;
const BLOCKS = 4;
/**
 * A trial ends early when the fastest of the first timed runs with the other number takes so much longer than usual:
 * one that costs less goes on.
 */
const HOPELESS = { runs: 3, slower: 1.25 };
/** Runs before the first trial: threads come up and engines compile meanwhile. */
const FIRST_TRIAL = 50;
/** Between trials, so many times longer each time: a trial with too few threads costs what they lack. */
const PATIENCE = 4;
const LONGEST = 50_000;
/** Fewer threads must be this much faster to be kept, more need only be faster at all. */
const GAIN = { fewer: 0.8, more: 0.97 };

export class Pace {
  readonly #most: number;
  readonly #now: () => number;
  #threads: number;
  #trial: Trial | undefined;
  #triesFewer: boolean;
  #interval = FIRST_TRIAL;
  #untilTrial = FIRST_TRIAL;

  /** @param now milliseconds */
  constructor({ threads, beginWith = threads }: Pick<Team, "threads" | "beginWith">, now: () => number = () => performance.now()) {
    this.#most = threads;
    this.#threads = beginWith;
    this.#triesFewer = beginWith === threads;
    this.#now = now;
  }

  /** How many compute at present, outside trials. */
  get threads(): number {
    return this.#threads;
  }

  /** Runs a shared program with as many threads as it is told. */
  run(code: object, work: (threads: number) => void): void {
    const trial = this.#trialOf(code);
    if (trial === undefined) {
      work(this.#threads);
      return;
    }
    const turn = Math.floor(trial.runs / BLOCK) % 2;
    const start = this.#now();
    work(turn === 0 ? this.#threads : trial.threads);
    if (trial.runs % BLOCK >= SETTLING) trial.times[turn as 0 | 1].push(this.#now() - start);
    if (++trial.runs === BLOCK * BLOCKS || isHopeless(trial)) this.#decide(trial);
  }

  /** The trial that this run is part of. A program that does not run again is given up after a while. */
  #trialOf(code: object): Trial | undefined {
    if (this.#trial?.code === code) return this.#trial;
    if (--this.#untilTrial > 0 || this.#most === 1) return undefined;
    const fewer = Math.ceil(this.#threads / 2);
    const more = Math.min(this.#most, 2 * this.#threads);
    const threads = (this.#triesFewer && fewer < this.#threads) || more === this.#threads ? fewer : more;
    this.#trial = { code, threads, times: [[], []], runs: 0 };
    this.#untilTrial = this.#interval;
    return this.#trial;
  }

  #decide({ threads, times: [present, other] }: Trial): void {
    const isFewer = threads < this.#threads;
    const isBetter = median(other) < median(present) * GAIN[isFewer ? "fewer" : "more"];
    this.#trial = undefined;
    // What helped is tried again at once, further on; else the other direction has its turn.
    this.#triesFewer = isBetter ? isFewer : !isFewer;
    this.#interval = isBetter ? FIRST_TRIAL : Math.min(LONGEST, this.#interval * PATIENCE);
    this.#untilTrial = this.#interval;
    if (isBetter) this.#threads = threads;
  }
}

function isHopeless({ times: [present, other] }: Trial): boolean {
  return other.length === HOPELESS.runs && Math.min(...other) >= HOPELESS.slower * median(present);
}

function median(times: number[]): number {
  return times.sort((a, b) => a - b)[times.length >> 1]!;
}
