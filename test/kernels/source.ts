// Helper: choices drawn from a list of numbers that fast-check shrinks.

export class Source {
  readonly #numbers: readonly number[];
  #next = 0;

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers;
  }

  /** 0 … limit − 1. */
  below(limit: number): number {
    const drawn = this.#numbers[this.#next++ % this.#numbers.length]! + Math.floor(this.#next / this.#numbers.length);
    return drawn % limit;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** One in so many. */
  chance(outOf: number): boolean {
    return this.below(outOf) === outOf - 1;
  }
}
