// Calls the operating system through koffi (optional): memory pages, and calls of emitted code. Loaded on first use.

import { ownFile } from "../../../util/own-code.ts";
import { isAllowed } from "../../../util/permission.ts";
import { Ledger } from "./ledger.ts";

/**
 * Koffi's binary for Linux on x86-64 by itself: the package `koffi` around it has an install script and binaries for
 * other systems.
 */
const BINARY = "@koromix/koffi-linux-x64";

/** The part of koffi that is used; addresses are passed as numbers (they have 47 bits). */
interface Koffi {
  load(library: null): { func(declaration: string): (...args: (number | string)[]) => number };
  view(address: bigint, bytes: number): ArrayBuffer;
  decode(address: bigint, type: unknown): (argument: number) => number | bigint;
  proto(declaration: string): unknown;
}

export interface Native {
  /** Bytes of the largest view; a larger one would end the process. 4 GiB in Node 20. */
  readonly mostViewed: number;
  /** Maps pages of zeros; undefined when the system refuses. `access` as for protect. */
  map(bytes: number, access: PageAccess): number | undefined;
  protect(address: number, bytes: number, access: PageAccess): boolean;
  unmap(address: number, bytes: number): void;
  /** Asks for large pages where they fit whole; nothing happens where the system has none. */
  preferLargePages(address: number, bytes: number): void;
  /** Gives whole pages back until they are used again; then they are zeros. */
  discard(address: number, bytes: number): void;
  view(address: number, bytes: number): ArrayBuffer;
  /** A function at an address: int64 f(void *). */
  callable(address: number): (argument: number) => number | bigint;
  /**
   * A thread of the system that calls void *f(void *) at `start`. False when refused.
   * @param handle room for 8 bytes
   * @param stop code that makes it return: void stop(void *argument), called when the JavaScript thread that started it
   * ends
   */
  startThread(start: number, argument: number, handle: number, stop: number): boolean;
}

type PageAccess = "none" | "write" | "execute";

/** PROT_NONE, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC: never both writable and executable. */
const PROTECTION = { none: 0, write: 3, execute: 5 } as const;
/** MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE of Linux. */
const MAP_FLAGS = 0x2 | 0x20 | 0x4000;
/** MADV_HUGEPAGE and MADV_DONTNEED. */
const ADVICE = { largePages: 14, notNeeded: 4 } as const;

let loaded: Native | string | undefined;

/** The system's functions, or the sentence that says why there are none. */
export function native(): Native | string {
  loaded ??= load();
  return loaded;
}

interface Host {
  readonly platform?: string;
  readonly arch?: string;
  cwd?(): string;
  getBuiltinModule?(name: "node:module"): { createRequire(from: string): (name: string) => unknown };
  getBuiltinModule?(name: "node:buffer"): { readonly constants: { readonly MAX_LENGTH: number } };
  getBuiltinModule?(name: "node:worker_threads"): { readonly isMainThread: boolean };
}

function load(): Native | string {
  const host = (globalThis as { process?: Host }).process;
  if (host?.platform !== "linux" || host.arch !== "x64")
    return `x64 machine code runs on Linux on x86-64, this is ${host?.platform ?? "not Node"} on ${host?.arch ?? "an unknown processor"}`;
  if (host.getBuiltinModule === undefined) return "the x64 backend needs Node 20.16 or later";
  if (!isAllowed({ name: "ffi" })) return "x64 machine code needs --allow-ffi";
  let koffi: Koffi;
  try {
    koffi = find(host);
  } catch (cause) {
    const isMissing = (cause as { code?: unknown }).code === "MODULE_NOT_FOUND";
    return `the optional package "${BINARY}" does not load here (${firstLine(cause)})${isMissing ? `; npm install ${BINARY}` : ""}`;
  }
  try {
    const isMain = host.getBuiltinModule("node:worker_threads").isMainThread;
    return bind(koffi, host.getBuiltinModule("node:buffer").constants.MAX_LENGTH, isMain);
  } catch (cause) {
    return `koffi does not reach the C library here (${firstLine(cause)})`;
  }
}

/** Beside this package, else (kasane bundled into another file) in the project that runs it. */
function find(host: Host): Koffi {
  const { createRequire } = host.getBuiltinModule!("node:module");
  try {
    return createRequire(ownFile()!)(BINARY) as Koffi;
  } catch (cause) {
    try {
      return createRequire(`${host.cwd!()}/`)(BINARY) as Koffi;
    } catch {
      throw cause;
    }
  }
}

const firstLine = (cause: unknown): string => String(cause instanceof Error ? cause.message : cause).split("\n")[0]!;

/** @param isMain what the main thread holds ends with the process */
function bind(koffi: Koffi, mostViewed: number, isMain: boolean): Native {
  const library = koffi.load(null);
  const mmap = library.func("int64_t mmap(uint64_t address, uint64_t bytes, int access, int flags, int file, int64_t offset)");
  const mprotect = library.func("int mprotect(uint64_t address, uint64_t bytes, int access)");
  const munmap = library.func("int munmap(uint64_t address, uint64_t bytes)");
  const madvise = library.func("int madvise(uint64_t address, uint64_t bytes, int advice)");
  const create = library.func("int pthread_create(uint64_t handle, uint64_t attributes, uint64_t start, uint64_t argument)");
  const detach = library.func("int pthread_detach(uint64_t handle)");
  // Without a name: another copy of this library in the process has a type of that name already.
  const entry = koffi.proto("int64_t (uint64_t arguments)");
  const map = (bytes: number, access: PageAccess): number | undefined => {
    const address = Number(mmap(0, bytes, PROTECTION[access], MAP_FLAGS, -1, 0));
    return address === -1 ? undefined : address;
  };
  const protect = (address: number, bytes: number, access: PageAccess): boolean => mprotect(address, bytes, PROTECTION[access]) === 0;
  const view = (address: number, bytes: number): ArrayBuffer => koffi.view(BigInt(address), bytes);
  const ledger = isMain ? undefined : openLedger();
  function openLedger(): Ledger | undefined {
    const find = library.func("int64_t dlsym(int64_t handle, const char *name)");
    const createKey = library.func("int pthread_key_create(uint64_t place, uint64_t destructor)");
    const setSpecific = library.func("int pthread_setspecific(uint32_t key, uint64_t value)");
    return Ledger.open({
      map: (bytes) => map(bytes, "write"),
      makeExecutable: (address, bytes) => protect(address, bytes, "execute"),
      view,
      addressOf: (name) => Number(find(0, name)),
      createKey: (place, destructor) => createKey(place, destructor) === 0,
      setSpecific: (key, value) => setSpecific(key, value) === 0,
    });
  }
  return {
    mostViewed,
    map(bytes, access) {
      const address = map(bytes, access);
      if (address !== undefined) ledger?.add(address, bytes);
      return address;
    },
    protect,
    unmap(address, bytes) {
      ledger?.remove(address);
      munmap(address, bytes);
    },
    preferLargePages(address, bytes) {
      madvise(address, bytes, ADVICE.largePages);
    },
    discard(address, bytes) {
      madvise(address, bytes, ADVICE.notNeeded);
    },
    view,
    callable: (address) => koffi.decode(BigInt(address), entry),
    startThread(start, argument, handle, stop) {
      if (create(handle, 0, start, argument) !== 0) return false;
      const made = Number(new BigUint64Array(view(handle, 8))[0]);
      if (ledger === undefined) detach(made);
      else ledger.addThread(made, stop, argument);
      return true;
    },
  };
}
