// The x86-64 instructions that emitted kernels use, as a table of encodings.

/**
 * Where operands go, in Intel order: r ModRM.reg, m ModRM.rm (register or memory), v VEX.vvvv, i immediate byte, I
 * immediate of 32 bits, s register in the high half of an immediate byte, o register in the opcode, Q immediate of 64
 * bits, l label (32-bit distance).
 */
type Form =
  | ""
  | "r"
  | "m"
  | "rm"
  | "mr"
  | "mi"
  | "mI"
  | "rmi"
  | "rmI"
  | "rvm"
  | "rmv"
  | "rvmi"
  | "mri"
  | "vmi"
  | "rvms"
  | "o"
  | "oI"
  | "oQ"
  | "mvr"
  | "l";

export interface LegacyRow {
  readonly kind: "legacy";
  readonly form: Form;
  /** Mandatory prefixes and opcode bytes. */
  readonly prefix: number | undefined;
  readonly opcode: readonly number[];
  /** ModRM.reg where no operand takes it. */
  readonly digit: number | undefined;
  /** Text before a memory operand whose size the other operands do not tell. */
  readonly pointer: string;
  /** REX.W although no operand is a 64-bit register, or none although one is. */
  readonly wide: boolean | undefined;
}

export interface VectorRow {
  readonly kind: "vector";
  readonly form: Form;
  /** 0 none, 1 66, 2 F3, 3 F2. */
  readonly prefix: 0 | 1 | 2 | 3;
  /** 1 0F, 2 0F38, 3 0F3A. */
  readonly map: 1 | 2 | 3;
  readonly opcode: number;
  readonly digit: number | undefined;
  readonly vexWide: 0 | 1;
  readonly evexWide: 0 | 1;
  /** The prefixes that exist. */
  readonly encodings: "both" | "vex" | "evex";
  /** What disp8 counts in: bytes of the memory operand. */
  readonly tuple: "full" | "half" | "quarter" | 4 | 8 | 16 | 32;
  /** The memory operand may be one 32-bit element for all lanes. */
  readonly broadcasts: boolean;
  /**
   * VEX.L / EVEX.L'L fixed (scalars, masks, the narrow side of an extraction); undefined: from the widest vector
   * operand.
   */
  readonly length: 0 | 1 | 2 | undefined;
  readonly pointer: string;
}

type VectorExtra = Partial<Pick<VectorRow, "digit" | "vexWide" | "evexWide" | "encodings" | "tuple" | "broadcasts" | "length" | "pointer">>;

const vector = (form: Form, prefix: VectorRow["prefix"], map: VectorRow["map"], opcode: number, extra: VectorExtra = {}): VectorRow => ({
  kind: "vector",
  form,
  prefix,
  map,
  opcode,
  digit: undefined,
  vexWide: 0,
  evexWide: 0,
  encodings: "both",
  tuple: "full",
  broadcasts: false,
  length: undefined,
  pointer: "",
  ...extra,
});

const legacy = (form: Form, opcode: readonly number[], extra: Partial<LegacyRow> = {}): LegacyRow => ({
  kind: "legacy",
  form,
  prefix: undefined,
  opcode,
  digit: undefined,
  pointer: "",
  wide: undefined,
  ...extra,
});

/** Lane-wise single-precision arithmetic: packed, broadcasting. */
const packed = (opcode: number) => vector("rvm", 0, 1, opcode, { broadcasts: true });
const scalar = (opcode: number) => vector("rvm", 2, 1, opcode, { tuple: 4, length: 0 });
const packedInt = (map: 1 | 2, opcode: number, extra: VectorExtra = {}) => vector("rvm", 1, map, opcode, { broadcasts: true, ...extra });
const multiplyAdd = (opcode: number) => vector("rvm", 1, 2, opcode, { broadcasts: true });
const multiplyAddScalar = (opcode: number) => vector("rvm", 1, 2, opcode, { tuple: 4, length: 0 });
const shift = (digit: number) => vector("vmi", 1, 1, 0x72, { digit, broadcasts: false });
const shiftBy = (opcode: number) => vector("rvm", 1, 1, opcode, { tuple: 16 });
const mask = (opcode: number) => vector("rvm", 0, 1, opcode, { encodings: "vex", length: 1 });
const alu = (digit: number) => ({
  mr: legacy("mr", [digit * 8 + 1]),
  rm: legacy("rm", [digit * 8 + 3]),
  mI: legacy("mI", [0x81], { digit }),
});
const condition = (code: number) => ({
  jump: legacy("l", [0x0f, 0x80 + code]),
  set: legacy("m", [0x0f, 0x90 + code]),
  move: legacy("rm", [0x0f, 0x40 + code]),
});
const shiftGeneral = (digit: number) => legacy("mi", [0xc1], { digit });
const shiftX = (prefix: 1 | 2 | 3) => vector("rmv", prefix, 2, 0xf7, { encodings: "vex", length: 0 });

/** Names end in a form (…_load, …_store, …_imm) where one mnemonic has several rows. */
export const instructions = {
  // General registers.
  mov: legacy("mr", [0x89]),
  mov_load: legacy("rm", [0x8b]),
  mov_store: legacy("mr", [0x89]),
  mov_imm: legacy("oI", [0xb8]),
  mov_imm64: legacy("oQ", [0xb8]),
  mov_store8: legacy("mr", [0x88]),
  mov_store16: legacy("mr", [0x89], { prefix: 0x66 }),
  movzx8: legacy("rm", [0x0f, 0xb6], { pointer: "byte ptr " }),
  movzx16: legacy("rm", [0x0f, 0xb7], { pointer: "word ptr " }),
  movsxd: legacy("rm", [0x63], { pointer: "dword ptr " }),
  lea: legacy("rm", [0x8d]),
  add: alu(0).rm,
  add_imm: alu(0).mI,
  or: alu(1).rm,
  or_imm: alu(1).mI,
  and: alu(4).rm,
  and_imm: alu(4).mI,
  sub: alu(5).rm,
  sub_imm: alu(5).mI,
  xor: alu(6).rm,
  xor_imm: alu(6).mI,
  cmp: alu(7).rm,
  cmp_imm: alu(7).mI,
  test: legacy("mr", [0x85]),
  imul: legacy("rm", [0x0f, 0xaf]),
  imul_imm: legacy("rmI", [0x69]),
  neg: legacy("m", [0xf7], { digit: 3 }),
  not: legacy("m", [0xf7], { digit: 2 }),
  div: legacy("m", [0xf7], { digit: 6 }),
  idiv: legacy("m", [0xf7], { digit: 7 }),
  cdq: legacy("", [0x99]),
  shl_imm: shiftGeneral(4),
  shr_imm: shiftGeneral(5),
  sar_imm: shiftGeneral(7),
  push: legacy("o", [0x50], { wide: false }),
  pop: legacy("o", [0x58], { wide: false }),
  ret: legacy("", [0xc3]),
  call: legacy("l", [0xe8]),
  call_register: legacy("m", [0xff], { digit: 2, wide: false }),
  jmp: legacy("l", [0xe9]),
  cpuid: legacy("", [0x0f, 0xa2]),
  xgetbv: legacy("", [0x0f, 0x01, 0xd0]),
  rdtsc: legacy("", [0x0f, 0x31]),
  pause: legacy("", [0xf3, 0x90]),
  syscall: legacy("", [0x0f, 0x05]),
  prefetcht0: legacy("m", [0x0f, 0x18], { digit: 1, pointer: "byte ptr ", wide: false }),
  prefetchw: legacy("m", [0x0f, 0x0d], { digit: 1, pointer: "byte ptr ", wide: false }),
  sfence: legacy("", [0x0f, 0xae, 0xf8]),
  lock_add: legacy("mr", [0x01], { prefix: 0xf0 }),
  lock_xadd: legacy("mr", [0x0f, 0xc1], { prefix: 0xf0 }),
  xchg: legacy("mr", [0x87]),
  jb: condition(2).jump,
  jae: condition(3).jump,
  je: condition(4).jump,
  jne: condition(5).jump,
  jbe: condition(6).jump,
  ja: condition(7).jump,
  jp: condition(10).jump,
  jnp: condition(11).jump,
  jl: condition(12).jump,
  jge: condition(13).jump,
  jle: condition(14).jump,
  jg: condition(15).jump,
  setb: condition(2).set,
  setae: condition(3).set,
  sete: condition(4).set,
  setne: condition(5).set,
  setbe: condition(6).set,
  seta: condition(7).set,
  setp: condition(10).set,
  setnp: condition(11).set,
  setl: condition(12).set,
  setge: condition(13).set,
  setle: condition(14).set,
  setg: condition(15).set,
  cmovb: condition(2).move,
  cmovae: condition(3).move,
  cmove: condition(4).move,
  cmovne: condition(5).move,
  cmovbe: condition(6).move,
  cmova: condition(7).move,
  cmovs: condition(8).move,
  cmovl: condition(12).move,
  cmovge: condition(13).move,
  cmovle: condition(14).move,
  cmovg: condition(15).move,
  shlx: shiftX(1),
  sarx: shiftX(2),
  shrx: shiftX(3),
  bzhi: vector("rmv", 0, 2, 0xf5, { encodings: "vex", length: 0 }),

  // Moves between memory and vectors.
  vmovups_load: vector("rm", 0, 1, 0x10),
  vmovups_store: vector("mr", 0, 1, 0x11),
  vmovntps: vector("mr", 0, 1, 0x2b),
  vmovaps: vector("rm", 0, 1, 0x28),
  vmovss_load: vector("rm", 2, 1, 0x10, { tuple: 4, length: 0 }),
  vmovss_store: vector("mr", 2, 1, 0x11, { tuple: 4, length: 0 }),
  vmovd_load: vector("rm", 1, 1, 0x6e, { tuple: 4, length: 0 }),
  vmovd_store: vector("mr", 1, 1, 0x7e, { tuple: 4, length: 0 }),
  vmovq_store: vector("mr", 1, 1, 0xd6, { tuple: 8, length: 0, encodings: "vex" }),
  vmovq_general: vector("mr", 1, 1, 0x7e, { encodings: "vex", length: 0 }),
  vbroadcastss: vector("rm", 1, 2, 0x18, { tuple: 4 }),
  vpbroadcastd: vector("rm", 1, 2, 0x58, { tuple: 4 }),
  vpbroadcastd_general: vector("rm", 1, 2, 0x7c, { encodings: "evex" }),
  vpmovzxbd: vector("rm", 1, 2, 0x31, { tuple: "quarter" }),
  vpmovzxwd: vector("rm", 1, 2, 0x33, { tuple: "half" }),
  vpmovdb_store: vector("mr", 2, 2, 0x31, { encodings: "evex", tuple: "quarter" }),
  vpmovdw_store: vector("mr", 2, 2, 0x33, { encodings: "evex", tuple: "half" }),
  vmaskmovps_store: vector("mvr", 1, 2, 0x2e, { encodings: "vex" }),

  // Single-precision arithmetic.
  vaddps: packed(0x58),
  vmulps: packed(0x59),
  vsubps: packed(0x5c),
  vminps: packed(0x5d),
  vdivps: packed(0x5e),
  vmaxps: packed(0x5f),
  vsqrtps: vector("rm", 0, 1, 0x51, { broadcasts: true }),
  vaddss: scalar(0x58),
  vmulss: scalar(0x59),
  vsubss: scalar(0x5c),
  vminss: scalar(0x5d),
  vdivss: scalar(0x5e),
  vmaxss: scalar(0x5f),
  vsqrtss: scalar(0x51),
  vfmadd132ps: multiplyAdd(0x98),
  vfmadd213ps: multiplyAdd(0xa8),
  vfmadd231ps: multiplyAdd(0xb8),
  vfmadd132ss: multiplyAddScalar(0x99),
  vfmadd213ss: multiplyAddScalar(0xa9),
  vfmadd231ss: multiplyAddScalar(0xb9),
  vucomiss: vector("rm", 0, 1, 0x2e, { tuple: 4, length: 0 }),
  vroundps: vector("rmi", 1, 3, 0x08, { encodings: "vex" }),
  vrndscaleps: vector("rmi", 1, 3, 0x08, { encodings: "evex", broadcasts: true }),
  vrangeps: vector("rvmi", 1, 3, 0x50, { encodings: "evex", broadcasts: true }),
  vcvtdq2ps: vector("rm", 0, 1, 0x5b, { broadcasts: true }),
  vcvttps2dq: vector("rm", 2, 1, 0x5b, { broadcasts: true }),
  vcmpps: vector("rvmi", 0, 1, 0xc2, { encodings: "vex" }),
  vcmpps_mask: vector("rvmi", 0, 1, 0xc2, { encodings: "evex", broadcasts: true }),
  vandps: packed(0x54),
  vandnps: packed(0x55),
  vorps: packed(0x56),
  vxorps: packed(0x57),

  // 32-bit integers.
  vpaddd: packedInt(1, 0xfe),
  vpsubd: packedInt(1, 0xfa),
  vpmulld: packedInt(2, 0x40),
  vpminsd: packedInt(2, 0x39),
  vpmaxsd: packedInt(2, 0x3d),
  vpmaxud: packedInt(2, 0x3f),
  vpabsd: vector("rm", 1, 2, 0x1e, { broadcasts: true }),
  vpmuludq: packedInt(1, 0xf4, { evexWide: 1, broadcasts: false }),
  vpslld_imm: shift(6),
  vpsrad_imm: shift(4),
  vpsrld_imm: shift(2),
  vpsrlq_imm: vector("vmi", 1, 1, 0x73, { digit: 2, evexWide: 1 }),
  vpslld: shiftBy(0xf2),
  vpsrad: shiftBy(0xe2),
  vpsrld: shiftBy(0xd2),
  vpcmpeqd: vector("rvm", 1, 1, 0x76, { encodings: "vex" }),
  vpcmpgtd: vector("rvm", 1, 1, 0x66, { encodings: "vex" }),
  vpcmpd: vector("rvmi", 1, 3, 0x1f, { encodings: "evex", broadcasts: true }),
  vpcmpud: vector("rvmi", 1, 3, 0x1e, { encodings: "evex", broadcasts: true }),

  // Selecting and moving lanes.
  vblendvps: vector("rvms", 1, 3, 0x4a, { encodings: "vex" }),
  vblendps: vector("rvmi", 1, 3, 0x0c, { encodings: "vex" }),
  vblendmps: vector("rvm", 1, 2, 0x65, { encodings: "evex", broadcasts: true }),
  vpermps: vector("rvm", 1, 2, 0x16, { broadcasts: true }),
  vpermi2ps: vector("rvm", 1, 2, 0x77, { encodings: "evex", broadcasts: true }),
  vpermilps_imm: vector("rmi", 1, 3, 0x04, { broadcasts: true }),
  vpunpckldq: packedInt(1, 0x62),
  vpunpcklqdq: packedInt(1, 0x6c, { evexWide: 1, broadcasts: false }),
  vpunpckhqdq: packedInt(1, 0x6d, { evexWide: 1, broadcasts: false }),
  vpshufb: vector("rvm", 1, 2, 0x00),
  vextractf128: vector("mri", 1, 3, 0x19, { encodings: "vex", length: 1 }),
  vextractf32x4: vector("mri", 1, 3, 0x19, { encodings: "evex", tuple: 16 }),
  vextractf64x4: vector("mri", 1, 3, 0x1b, { encodings: "evex", evexWide: 1, tuple: 32 }),
  vpextrd: vector("mri", 1, 3, 0x16, { tuple: 4, length: 0 }),
  vmovmskps: vector("rm", 0, 1, 0x50, { encodings: "vex" }),

  // Masks of 16 lanes.
  kandw: mask(0x41),
  kandnw: mask(0x42),
  korw: mask(0x45),
  kxorw: mask(0x47),
  knotw: vector("rm", 0, 1, 0x44, { encodings: "vex", length: 0 }),
  kortestw: vector("rm", 0, 1, 0x98, { encodings: "vex", length: 0 }),
  kmovw: vector("rm", 0, 1, 0x90, { encodings: "vex", length: 0 }),
  kmovw_store: vector("mr", 0, 1, 0x91, { encodings: "vex", length: 0 }),
  kmovw_from: vector("rm", 0, 1, 0x92, { encodings: "vex", length: 0 }),
  kmovw_to: vector("rm", 0, 1, 0x93, { encodings: "vex", length: 0 }),
  vzeroupper: vector("", 0, 1, 0x77, { encodings: "vex", length: 0 }),
} as const satisfies Record<string, LegacyRow | VectorRow>;

export type InstructionName = keyof typeof instructions;

/** The name an assembler knows the row by. */
export function mnemonic(name: InstructionName): string {
  if (name === "lock_add" || name === "lock_xadd") return name.replace("_", " ");
  if (name === "mov_imm64") return "movabs";
  if (name === "movzx8" || name === "movzx16") return "movzx";
  return name.replace(/_.*$/, "");
}
