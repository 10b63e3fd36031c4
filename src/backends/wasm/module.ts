// Assembles a kernel module into a WebAssembly binary that imports one memory, and compiles it.

import type { KernelFunction, KernelModule } from "../../kernels/language/language.ts";
import { printModule } from "../../kernels/language/print.ts";
import { BackendError } from "../../util/errors.ts";
import { Bytes } from "./bytes.ts";
import type { EmitOptions } from "./emit.ts";
import { emitFunction } from "./emit.ts";
import { TYPE_CODE } from "./opcodes.ts";

const SECTION = { custom: 0, type: 1, import: 2, function: 3, export: 7, code: 10 } as const;
const FUNCTION_FORM = 0x60;
const MEMORY_KIND = 2;
const SHARED_MEMORY = 3;
const MOST_PAGES = 65536;

/** The binary imports its memory as `env.memory`. */
export function encodeModule(module: KernelModule, options: EmitOptions): Uint8Array<ArrayBuffer> {
  const indices = new Map(module.functions.map((fn, position) => [fn.name, position]));
  const signatures = new Map<string, number>();
  const types: KernelFunction[] = [];
  const typeOf = module.functions.map((fn) => {
    const key = [...fn.parameters.map((parameter) => TYPE_CODE[parameter.type]), "→", fn.result && TYPE_CODE[fn.result.type]].join();
    let index = signatures.get(key);
    if (index === undefined) {
      index = types.push(fn) - 1;
      signatures.set(key, index);
    }
    return index;
  });
  const out = new Bytes();
  out.raw(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  const add = (id: number, write: (bytes: Bytes) => void) => {
    out.byte(id);
    out.sized(write);
  };
  add(SECTION.type, (bytes) => {
    bytes.unsigned(types.length);
    for (const fn of types) {
      bytes.byte(FUNCTION_FORM);
      bytes.unsigned(fn.parameters.length);
      for (const parameter of fn.parameters) bytes.byte(TYPE_CODE[parameter.type]);
      bytes.unsigned(fn.result === undefined ? 0 : 1);
      if (fn.result !== undefined) bytes.byte(TYPE_CODE[fn.result.type]);
    }
  });
  add(SECTION.import, (bytes) => {
    bytes.unsigned(1);
    bytes.name("env");
    bytes.name("memory");
    bytes.byte(MEMORY_KIND);
    // A shared memory has a most; whoever makes it says how much below this one.
    bytes.byte(options.shared === undefined ? 0 : SHARED_MEMORY);
    bytes.unsigned(0);
    if (options.shared !== undefined) bytes.unsigned(MOST_PAGES);
  });
  add(SECTION.function, (bytes) => {
    bytes.unsigned(typeOf.length);
    for (const type of typeOf) bytes.unsigned(type);
  });
  add(SECTION.export, (bytes) => {
    const exported = module.functions.filter((fn) => fn.exported);
    bytes.unsigned(exported.length);
    for (const fn of exported) {
      bytes.name(fn.name);
      bytes.byte(0);
      bytes.unsigned(indices.get(fn.name)!);
    }
  });
  add(SECTION.code, (bytes) => {
    bytes.unsigned(module.functions.length);
    for (const fn of module.functions) {
      const body = emitFunction(fn, (callee) => indices.get(callee)!, options);
      bytes.unsigned(body.length);
      bytes.raw(body);
    }
  });
  add(SECTION.custom, (bytes) => {
    bytes.name("name");
    bytes.byte(1);
    bytes.sized((names) => {
      names.unsigned(module.functions.length);
      module.functions.forEach((fn, position) => {
        names.unsigned(position);
        names.name(fn.name);
      });
    });
  });
  return out.bytes().slice();
}

/**
 * Throws a BackendError with the kernel's listing when the engine rejects what was emitted: a fault of kasane, not of
 * the caller.
 */
export function compileModule(module: KernelModule, options: EmitOptions): WebAssembly.Module {
  return compileBinary(module, encodeModule(module, options));
}

/** @param binary what `encodeModule` made of the module */
export function compileBinary(module: KernelModule, binary: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  try {
    return new WebAssembly.Module(binary);
  } catch (cause) {
    throw new BackendError(`wasm: the engine rejected the code emitted for "${module.name}" (${String(cause)})\n${printModule(module)}`, {
      hint: "this is a fault in kasane: please report it with the listing above",
      cause,
    });
  }
}
