// A backend with memory of its own: the reference machine behind reads that take time, with buffers that nobody else can look into.
// Whatever runs on it would run on a processor for graphics: it knows nothing that a host could know at once.

import type { Backend, BackendBuffer, Cell, HostArray } from "../../src/backends/backend.ts";
import { HostCell, interpret } from "../../src/backends/reference/interpret.ts";
import { referenceBackend } from "../../src/backends/reference/reference.ts";
import { byteLength } from "../../src/nest/arrays.ts";
import type { Operand } from "../../src/nest/nest.ts";

/** What a remote machine has. */
export interface Remote {
  readonly backend: Backend;
  /** Of cells that were not freed. */
  readonly bytes: () => number;
  /** How many reads were asked for. */
  readonly reads: () => number;
}

let machines = 0;

export function makeRemote(): Remote {
  const hidden = new WeakMap<Cell, HostCell>();
  let [bytes, reads] = [0, 0];

  /** The numbers behind a buffer of this machine. @throws Error for anything else */
  const inside = (buffer: BackendBuffer): HostCell => {
    const found = hidden.get(buffer as Cell);
    if (found === undefined) throw new Error("remote: this is no buffer of this machine, or it was freed");
    return found;
  };

  const makeCell = (operand: Operand, numbers?: HostArray): Cell => {
    const cell: Cell = {
      async read() {
        reads++;
        // What is written after the read was asked for is not seen by it.
        const copy = inside(cell).read();
        await new Promise((resolve) => setImmediate(resolve));
        return copy;
      },
      write: (data) => inside(cell).write(data),
      free() {
        inside(cell);
        hidden.delete(cell);
        bytes -= byteLength(operand);
      },
    };
    const own = new HostCell(operand);
    if (numbers !== undefined) own.write(numbers);
    hidden.set(cell, own);
    bytes += byteLength(operand);
    return cell;
  };

  const backend: Backend = {
    ...referenceBackend,
    name: "remote",
    key: `remote ${++machines}`,
    description: "remote: the reference machine with memory of its own",
    dtypes: new Set(["float32", "bfloat16", "int32", "uint8", "bool"]),
    memory: "own",
    compile: (plan) => ({
      ...referenceBackend.compile(plan),
      run(inputs, cells, params, timer) {
        const { graph } = plan;
        const results = interpret(
          graph,
          inputs.map((input) => inside(input).data),
          cells.map(inside),
          params,
          timer,
        );
        return results.map((numbers, number) => makeCell(graph.buffers[graph.results[number] as number] as Operand, numbers));
      },
    }),
    makeCell: (operand) => makeCell(operand),
  };
  return { backend, bytes: () => bytes, reads: () => reads };
}
