// Counts the multiply-adds and bytes of a run by layer, and traces receptive fields.

import { byteLength } from "../nest/arrays.ts";
import { sizeOfShape } from "../nest/evaluate.ts";
import type { Program } from "../nest/nest.ts";
import { type Box, hull, productsOf, reachOf, reshapedBox } from "../nest/reach.ts";
import type { Application, Observer } from "../tensor/observe.ts";
import type { HostArray } from "../tensor/types.ts";
import type { Value } from "../tensor/value.ts";
import { levelsOf, wholeOf } from "../tensor/vmap/mapping.ts";

/** What the ops of a layer did. */
export interface Work {
  readonly multiplyAdds: number;
  /** Bytes of the tensors they made; views make none. */
  readonly bytes: number;
}

/** How much of a tensor an element of another sees. */
export interface ReceptiveField {
  /** Positions along every dimension, between the first and the last that the element may depend on. */
  readonly size: readonly number[];
  /**
   * By how many positions they move when the element is the next one along the dimension that moves them; 0: they stay.
   */
  readonly jump: readonly number[];
}

interface Entry extends Work {
  readonly scope: readonly string[];
}

/** Arrays are known by number, so that none is kept: a view has the array of what it is a view of. */
interface Making {
  readonly program: Program;
  readonly inputs: readonly { readonly array: number; readonly shape: readonly number[] }[];
  readonly array: number;
  readonly shape: readonly number[];
}

export class Ledger implements Observer {
  readonly key = "ledger";
  #open: Entry[] = [];
  readonly #made: Making[] = [];
  readonly #numbers = new WeakMap<HostArray, number>();
  #count = 0;

  applied({ op, program: bound, inputs, output, scope }: Application): void {
    if (bound === undefined) return;
    const examples = levelsOf(output).reduce((count, { size }) => count * size, 1);
    this.#open.push({
      scope,
      multiplyAdds: op.kind === "contract" ? examples * productsOf(bound) : 0,
      bytes: byteLength(wholeOf(output)),
    });
    // Which examples an element is of, the program of one does not say: fields end at a vmap.
    if (output.mapping !== undefined) return;
    const place = (value: Value): { array: number; shape: readonly number[] } => ({ array: this.#numberOf(value), shape: value.shape });
    this.#made.push({ program: bound, inputs: inputs.map(place), ...place(output) });
  }

  /** The work done under a path since the last call. */
  take(path: readonly string[]): Work {
    const isInside = ({ scope }: Entry): boolean => path.every((name, n) => scope[n] === name);
    const taken = this.#open.filter(isInside);
    this.#open = this.#open.filter((entry) => !isInside(entry));
    return taken.reduce((sum, entry) => ({ multiplyAdds: sum.multiplyAdds + entry.multiplyAdds, bytes: sum.bytes + entry.bytes }), {
      multiplyAdds: 0,
      bytes: 0,
    });
  }

  /**
   * What an element of `output` sees of `input` that sees as much as any; undefined where no ops lead from one to the
   * other.
   */
  field(output: Value, input: Value): ReceptiveField | undefined {
    if (output.size === 0) return undefined;
    const at = (place: readonly number[]): Box | undefined => this.#trace(output, place, input);
    let [middle, box]: [readonly number[], Box | undefined] = [[], undefined];
    for (const place of placesIn(output.shape)) {
      const seen = at(place);
      if (seen !== undefined && (box === undefined || volumeOf(seen) > volumeOf(box))) [middle, box] = [place, seen];
    }
    if (box === undefined) return undefined;
    const jump = input.shape.map(() => 0);
    for (const [d, extent] of output.shape.entries()) {
      if (extent === 1) continue;
      // Over several steps, a power of two, because the next element may see the same: after upsampling.
      const step = 2 ** Math.max(0, Math.floor(Math.log2(extent / 4)));
      const moved = at(middle.map((place, n) => place + (n === d ? (place + step < extent ? step : -step) : 0)));
      moved?.forEach(([first, last], n) => {
        const [start, end] = box[n]!;
        // At a border only one side moves.
        jump[n] = Math.max(jump[n]!, Math.abs(first - start) / step, Math.abs(last - end) / step);
      });
    }
    return { size: box.map(([first, last]) => last - first + 1), jump };
  }

  #trace(output: Value, place: readonly number[], input: Value): Box | undefined {
    const target = this.#numberOf(input);
    const boxes = new Map<number, { readonly box: Box; readonly shape: readonly number[] }>();
    const need = (array: number, shape: readonly number[], box: Box): void => {
      const known = boxes.get(array);
      boxes.set(
        array,
        known === undefined ? { box, shape } : { box: hull(known.box, reshapedBox(box, shape, known.shape)), shape: known.shape },
      );
    };
    need(
      this.#numberOf(output),
      output.shape,
      place.map((position) => [position, position] as const),
    );
    for (let n = this.#made.length - 1; n >= 0; n--) {
      const { program, inputs, array, shape } = this.#made[n]!;
      const wanted = boxes.get(array);
      if (wanted === undefined) continue;
      const read = reachOf(program, reshapedBox(wanted.box, wanted.shape, shape));
      inputs.forEach((one, place) => {
        const box = read[place];
        if (box !== undefined && sizeOfShape(one.shape) > 0) need(one.array, one.shape, box);
      });
    }
    const found = boxes.get(target);
    return found && reshapedBox(found.box, found.shape, input.shape);
  }

  #numberOf({ data }: Value): number {
    let number = this.#numbers.get(data);
    if (number === undefined) {
      number = this.#count++;
      this.#numbers.set(data, number);
    }
    return number;
  }
}

/** How many places are looked at besides the middle. */
const PLACES = 12;

/**
 * The middle, and some more: where dimensions were made one (flatten), the middle of that one may lie in a corner of
 * the image, which sees less. Steps by the golden ratio come near everything without keeping time with any extent.
 */
function placesIn(shape: readonly number[]): number[][] {
  const ratio = (Math.sqrt(5) - 1) / 2;
  const middle = shape.map((extent) => Math.floor(extent / 2));
  if (Math.max(...shape) < 4) return [middle];
  return [middle, ...Array.from({ length: PLACES }, (_, n) => shape.map((extent) => Math.floor(extent * ((0.5 + (n + 1) * ratio) % 1))))];
}

function volumeOf(box: Box): number {
  return box.reduce((product, [first, last]) => product * (last - first + 1), 1);
}
