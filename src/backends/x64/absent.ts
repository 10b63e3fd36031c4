// Stands in for the x64 backend where a bundle is made for browsers: it never runs there, so its code need not be loaded.
import { BackendError } from "../../util/errors.ts";
import type * as present from "./index.ts";

type Door = typeof present;

const reason = "x64 machine code runs on Linux on x86-64, this was bundled for browsers";

function refuse(): never {
  throw new BackendError(`the x64 backend cannot run here: ${reason}`, { hint: "the wasm backend runs everywhere" });
}

export const runnable: Door["runnable"] = () => reason;
export const createX64Backend: Door["createX64Backend"] = refuse;
export const x64Target: Door["x64Target"] = refuse;
