// Every row of the instruction table, with every kind of operand and all registers, byte for byte as GNU as encodes it.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Assembler, type Masking, textOf } from "../../../src/backends/x64/encode/assembler.ts";
import { type InstructionName, instructions, type LegacyRow, type VectorRow } from "../../../src/backends/x64/encode/instructions.ts";
import { type AssemblyOperand, type Memory, memory, type RegisterClass, register } from "../../../src/backends/x64/encode/registers.ts";

const assembler = tryRun("as", ["--version"]) && tryRun("objcopy", ["--version"]);
if (!assembler) console.error("x64 encoder: NOT CHECKED against GNU as, which is not installed (package binutils)");

interface Sample {
  readonly name: InstructionName;
  readonly operands: readonly AssemblyOperand[];
  readonly masking?: Masking;
}

/** Registers by operand place; where a row has several views, each is a list of classes in the form's order. */
const general: readonly (readonly RegisterClass[])[] = [["r32"], ["r64"]];
const shapes: Partial<Record<InstructionName, readonly (readonly RegisterClass[])[]>> = {
  mov_load: [
    ["r32", "r32"],
    ["r64", "r64"],
  ],
  mov_imm: [["r32"]],
  mov_imm64: [["r64"]],
  mov_store8: [["r8", "r8"]],
  mov_store16: [["r16", "r16"]],
  movzx8: [["r32", "r8"]],
  movzx16: [["r32", "r16"]],
  movsxd: [["r64", "r32"]],
  lea: [["r64", "r64"]],
  ...Object.fromEntries(
    Object.keys(instructions)
      .filter((name) => name.startsWith("set"))
      .map((name) => [name, [["r8"]]]),
  ),
  push: [["r64"]],
  pop: [["r64"]],
  call_register: [["r64"]],
  vmovd_load: [["x", "r32"]],
  vmovd_store: [["r32", "x"]],
  vmovq_general: [["r64", "x"]],
  vbroadcastss: [
    ["y", "x"],
    ["z", "x"],
  ],
  vpbroadcastd: [
    ["x", "x"],
    ["y", "x"],
    ["z", "x"],
  ],
  vpbroadcastd_general: [
    ["x", "r32"],
    ["y", "r32"],
    ["z", "r32"],
  ],
  vpmovzxbd: [
    ["y", "x"],
    ["z", "x"],
  ],
  vpmovzxwd: [
    ["y", "x"],
    ["z", "y"],
  ],
  vpmovdb_store: [["x", "z"]],
  vpmovdw_store: [["y", "z"]],
  vpslld: [
    ["x", "x", "x"],
    ["y", "y", "x"],
    ["z", "z", "x"],
  ],
  vpsrad: [
    ["x", "x", "x"],
    ["y", "y", "x"],
    ["z", "z", "x"],
  ],
  vpsrld: [
    ["x", "x", "x"],
    ["y", "y", "x"],
    ["z", "z", "x"],
  ],
  vcmpps_mask: [
    ["k", "x", "x"],
    ["k", "y", "y"],
    ["k", "z", "z"],
  ],
  vpcmpd: [
    ["k", "x", "x"],
    ["k", "y", "y"],
    ["k", "z", "z"],
  ],
  vpcmpud: [
    ["k", "x", "x"],
    ["k", "y", "y"],
    ["k", "z", "z"],
  ],
  vextractf128: [["x", "y"]],
  vextractf32x4: [
    ["x", "y"],
    ["x", "z"],
  ],
  vextractf64x4: [["y", "z"]],
  vpextrd: [["r32", "x"]],
  vmovmskps: [
    ["r32", "x"],
    ["r32", "y"],
  ],
  vpermps: [
    ["y", "y", "y"],
    ["z", "z", "z"],
  ],
  vmovq_store: [["x", "x"]],
  kmovw_store: [["k", "k"]],
  kmovw_from: [["k", "r32"]],
  kmovw_to: [["r32", "k"]],
};
/** The first operand is always memory (or never is). */
const onlyMemory: readonly InstructionName[] = [
  "mov_store",
  "mov_store8",
  "mov_store16",
  "lea",
  "vmaskmovps_store",
  "vmovups_store",
  "vmovntps",
  "vmovss_load",
  "vmovss_store",
  "vmovq_store",
  "vpmovdb_store",
  "vpmovdw_store",
  "kmovw_store",
  "vmovntps",
  "prefetcht0",
  "prefetchw",
  "lock_add",
  "lock_xadd",
  "xchg",
];
const onlyRegisters: readonly InstructionName[] = [
  "mov",
  "vpbroadcastd_general",
  "vpslld_imm",
  "vpsrad_imm",
  "vpsrld_imm",
  "vpsrlq_imm",
  "vmovmskps",
  "knotw",
  "kortestw",
  "kmovw",
  "kmovw_from",
  "kmovw_to",
  "kandw",
  "kandnw",
  "korw",
  "kxorw",
  "call_register",
  "vmovaps",
  "vmovd_store",
  "vmovq_general",
  "vpextrd",
  "vextractf128",
  "vextractf32x4",
  "vextractf64x4",
];
const bases = [0, 3, 4, 5, 7, 8, 12, 13, 15];
const indices = [undefined, 0, 1, 5, 9, 12, 15];
const displacements = [0, 1, -4, 4, 64, 60, 127, 128, -128, -129, 504, 508, 512, -512, 8128, 8192, 65536, -70000];

function* addresses(broadcast: boolean): Generator<Memory> {
  let turn = 0;
  for (const base of bases) {
    for (const index of indices) {
      const scale = ([1, 2, 4, 8] as const)[turn % 4]!;
      yield { ...memory(base, displacements[turn++ % displacements.length]!, index, scale), broadcast };
    }
  }
  for (const displacement of displacements) yield { ...memory(6, displacement), broadcast };
}

function numbersOf(kind: RegisterClass, evex: boolean): number[] {
  if (kind === "k") return [0, 1, 3, 7];
  if (kind.startsWith("r")) return [0, 1, 2, 3, 5, 6, 7, 8, 11, 12, 13, 15];
  return evex ? [0, 1, 5, 7, 8, 13, 15, 16, 20, 24, 31] : [0, 1, 5, 7, 8, 13, 15];
}

function* samplesOf(name: InstructionName): Generator<Sample> {
  const row = instructions[name] as LegacyRow | VectorRow;
  const { form } = row;
  if (form === "l") return;
  if (form === "") return yield { name, operands: [] };
  const evex = row.kind === "vector" && row.encodings !== "vex";
  const isVector = row.kind === "vector";
  const views = shapes[name] ?? (isVector ? viewsOf(name, row) : general);
  for (const view of views) {
    const places = [...form].filter((place) => "rmvso".includes(place));
    const classAt = (position: number): RegisterClass => view[position] ?? view[0]!;
    const immediates = form.includes("I")
      ? [0, 1, -1, 127, -128, 128, -129, 100000, -2147483648]
      : form.includes("Q")
        ? [0, 1, 2 ** 40 + 5, 0x7f1234567890]
        : form.includes("i")
          ? [2, 5, 31]
          : [undefined];
    let turn = 0;
    const make = (pick: (place: string, position: number) => AssemblyOperand, immediate: number | undefined): Sample => {
      const operands = [...form].map((place, position) =>
        "iIQ".includes(place) ? immediate! : pick(place, Math.min(position, places.length - 1)),
      );
      return { name, operands };
    };
    for (const immediate of immediates) {
      const lists = places.map((_, position) => numbersOf(classAt(position), evex));
      if (!onlyMemory.includes(name)) {
        const most = Math.max(...lists.map((list) => list.length));
        for (let a = 0; a < most; a++) {
          for (let b = 0; b < (places.length > 1 ? most : 1); b++) {
            const numbers = lists.map(
              (list, position) => list[(position === 0 ? a : position === 1 ? b : a + 2 * b + turn++) % list.length]!,
            );
            yield make((_, position) => register(classAt(position), numbers[position]!), immediate);
          }
        }
      }
      if (!form.includes("m") || onlyRegisters.includes(name)) continue;
      // A memory operand alone does not tell its size.
      if (["mI", "mi", "m"].includes(form) && row.pointer === "") continue;
      for (const broadcast of row.kind === "vector" && row.broadcasts ? [false, true] : [false]) {
        for (const address of addresses(broadcast)) {
          turn++;
          yield make((place, position) => {
            const list = lists[position]!;
            return place === "m" ? address : register(classAt(position), list[(turn * (position + 1)) % list.length]!);
          }, immediate);
        }
      }
    }
  }
}

function viewsOf(name: InstructionName, row: VectorRow): RegisterClass[][] {
  if (name.startsWith("k")) return [["k"]];
  if (["shlx", "sarx", "shrx", "bzhi"].includes(name)) return [["r32"], ["r64"]];
  if (row.length === 0) return [["x"]];
  return row.encodings === "vex" ? [["x"], ["y"]] : row.encodings === "evex" && name === "vrangeps" ? [["z"]] : [["x"], ["y"], ["z"]];
}

/** Masked forms of rows that take a mask. */
function* maskedSamples(name: InstructionName): Generator<Sample> {
  const row = instructions[name] as LegacyRow | VectorRow;
  if (
    row.kind !== "vector" ||
    row.encodings === "vex" ||
    [
      "vpslld_imm",
      "vpextrd",
      "vmovd_load",
      "vmovd_store",
      "vmovq_store",
      "vmovntps",
      "vucomiss",
      "vpbroadcastd_general",
      "vmovntps",
    ].includes(name)
  )
    return;
  let turn = 0;
  for (const sample of samplesOf(name)) {
    if (turn++ % 7 !== 0) continue;
    const first = sample.operands[0]!;
    const store = typeof first !== "number" && first.kind === "memory";
    const toMask = typeof first !== "number" && first.kind === "register" && first.class === "k";
    yield { ...sample, masking: { register: (turn % 7) + 1, zero: !store && !toMask && turn % 2 === 0 } };
  }
}

/** Every instruction gets a slot of its own, filled up with a byte that begins none of ours. */
const slot = 16;
const filler = 0xcc;

/** Between registers both directions of an opcode do; ours is said to the assembler. */
function direction(name: InstructionName, operands: readonly AssemblyOperand[]): string {
  const registers = operands.every((operand) => typeof operand !== "number" && operand.kind === "register");
  const { form } = instructions[name];
  return registers && (form === "rm" || form === "rvm") ? "{load} " : "";
}

const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");

/** The slots of all lines by GNU as. */
function assemble(lines: readonly string[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), "kasane-x64-"));
  try {
    const [source, object, binary] = ["in.s", "out.o", "out.bin"].map((file) => join(folder, file)) as [string, string, string];
    writeFileSync(source, `.intel_syntax noprefix\n${lines.map((line) => `${line}\n.p2align 4, ${filler}\n`).join("")}`);
    execFileSync("as", ["--64", "-o", object, source], { stdio: ["ignore", "pipe", "pipe"] });
    execFileSync("objcopy", ["-O", "binary", "-j", ".text", object, binary], { stdio: ["ignore", "pipe", "pipe"] });
    const bytes = readFileSync(binary);
    return lines.map((_, number) => hex(bytes.subarray(number * slot, (number + 1) * slot)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("encoder", () => {
  it.skipIf(!assembler).each(Object.keys(instructions) as InstructionName[])("%s", (name) => {
    const samples = [...samplesOf(name), ...maskedSamples(name)];
    if (samples.length === 0) return;
    const texts = samples.map(({ operands, masking }) => `${direction(name, operands)}${textOf(name, operands, masking)}`);
    const wanted = assemble(texts);
    const wrong: string[] = [];
    samples.forEach(({ operands, masking }, number) => {
      const code = new Assembler();
      code.emit(name, operands, masking);
      const bytes = new Uint8Array(slot).fill(filler);
      bytes.set(code.finish());
      const got = hex(bytes);
      if (got !== wanted[number]) wrong.push(`${texts[number]}: ${got}, as: ${wanted[number]}`);
    });
    expect(wrong.slice(0, 8), `${wrong.length} of ${samples.length}`).toEqual([]);
  });
});

function tryRun(program: string, args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe("jumps", () => {
  const back = (bytes: number, name: InstructionName) => {
    const code = new Assembler();
    const top = code.label("top");
    code.place(top);
    code.data(new Uint8Array(bytes));
    code.emit(name, [top]);
    return [...code.finish().slice(bytes)];
  };

  it("back by up to 128 bytes take two, others five or six", () => {
    expect(back(0, "jmp")).toEqual([0xeb, 0xfe]);
    expect(back(126, "jne")).toEqual([0x75, 0x80]);
    expect(back(127, "jne")).toEqual([0x0f, 0x85, 0x7b, 0xff, 0xff, 0xff]);
    expect(back(126, "jmp")).toEqual([0xeb, 0x80]);
    expect(back(127, "jmp")).toEqual([0xe9, 0x7c, 0xff, 0xff, 0xff]);
    expect(back(0, "call")).toEqual([0xe8, 0xfb, 0xff, 0xff, 0xff]);
  });
});
