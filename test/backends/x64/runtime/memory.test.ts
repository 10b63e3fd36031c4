// Memory of machine code: pages are never writable and executable at once, data lies between guard pages, what is freed is used again.

import { readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { Arena } from "../../../../src/backends/emitted/arena.ts";
import { CodePages, Heap } from "../../../../src/backends/x64/runtime/memory.ts";
import { type Native, native } from "../../../../src/backends/x64/runtime/native.ts";
import { createX64Backend } from "../../../../src/backends/x64/x64.ts";
import { programOf, tensor } from "../../../kernels/conformance.ts";
import { compileProgram } from "../../program.ts";
import { here } from "../harness.ts";

/** What the system says of the mapping that holds an address: its access and end. */
function mappingOf(address: number): { access: string; end: number } | undefined {
  for (const line of readFileSync("/proc/self/maps", "utf8").split("\n")) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(line);
    if (match === null) continue;
    const [start, end] = [Number.parseInt(match[1]!, 16), Number.parseInt(match[2]!, 16)];
    if (start <= address && address < end) return { access: match[3]!, end };
  }
  return undefined;
}

describe.skipIf(here.length === 0)("memory", () => {
  const system = native() as Native;

  it("code is executable and not writable, and gone when released", () => {
    const pages = new CodePages(system, Uint8Array.from([0x48, 0x8d, 0x47, 0x05, 0xc3]));
    expect(mappingOf(pages.address)?.access).toBe("r-xp");
    expect(Number(system.callable(pages.address)(37))).toBe(42);
    pages.release();
    expect(mappingOf(pages.address)?.access).not.toBe("r-xp");
  });

  it("can be reached by another copy of the library in the process", async () => {
    vi.resetModules();
    const other = await import("../../../../src/backends/x64/runtime/native.ts");
    expect(other.native).not.toBe(native);
    expect(other.native()).toMatchObject({ map: expect.any(Function) });
  });

  it("data never moves, keeps its contents when it grows, and has unusable pages on both sides", () => {
    const heap = new Heap(system, 2 ** 26);
    heap.ensure(5000);
    heap.f32[7] = 1.5;
    const { address } = heap;
    heap.ensure(1_000_000);
    expect(heap.address).toBe(address);
    expect(heap.f32[7]).toBe(1.5);
    expect(heap.u8.byteLength).toBeGreaterThanOrEqual(1_000_000);
    expect(mappingOf(address)?.access).toBe("rw-p");
    expect(mappingOf(address - 1)?.access).toBe("---p");
    expect(mappingOf(address + heap.u8.byteLength)?.access).toBe("---p");
    expect(() => heap.ensure(2 ** 27)).toThrow(/needed at once.*smaller batches/s);
    heap.release();
  });

  it("data beyond what a view can show is refused with a sentence, not the end of the process", () => {
    const heap = new Heap(system);
    expect(heap.most).toBeLessThan(system.mostViewed);
    expect(() => heap.ensure(heap.most + 1)).toThrow(/needed at once.*smaller batches/s);
    if (heap.most < 2 ** 33) {
      // Nothing of it is touched, so it takes no memory.
      heap.ensure(heap.most);
      expect(heap.u8.byteLength).toBe(heap.most);
    }
    heap.release();
  });

  it("data lies in large pages where it fills one, and takes no more than it needs where it does not", () => {
    const heap = new Heap(system, 2 ** 26);
    expect(heap.address % 2 ** 21).toBe(0);
    heap.ensure(5000);
    expect(heap.u8.byteLength).toBe(8192);
    heap.ensure(2 ** 21 + 1);
    expect(heap.u8.byteLength).toBe(2 ** 22);
    heap.ensure(heap.most);
    expect(heap.u8.byteLength).toBe(heap.most);
    heap.release();
  });

  it("an arena uses freed blocks again and keeps them apart", () => {
    const heap = new Heap(system, 2 ** 26);
    const arena = new Arena(heap);
    const blocks = Array.from({ length: 50 }, (_, i) => ({ place: arena.allocate(i * 37), bytes: i * 37 }));
    for (const a of blocks) {
      expect(a.place % 64).toBe(0);
      for (const b of blocks) if (a !== b) expect(a.place >= b.place + b.bytes + 128 || b.place >= a.place + a.bytes + 128).toBe(true);
    }
    const before = arena.used;
    arena.free(blocks[20]!.place);
    expect(arena.used).toBeLessThan(before);
    expect(arena.allocate(20 * 37)).toBe(blocks[20]!.place);
    expect(arena.used).toBe(before);
    heap.release();
  });

  it("programs beyond the cache's size are compiled again", () => {
    const backend = createX64Backend();
    const given = (n: number) => programOf(`y = x * ${n} + 1`, { x: tensor([3], "float32", [1, 2, 3]) });
    const first = given(1);
    const executable = compileProgram(backend, first.program);
    for (let n = 2; n < 540; n++) compileProgram(backend, given(n).program);
    expect([...executable.run(first.arrays, [])]).toEqual([2, 3, 4]);
    expect(executable.listing()).toContain("vaddps");
  });
});
