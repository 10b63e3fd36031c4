// Replaces the x64 backend in bundles for browsers, where it never runs.

import { BackendError } from "../../util/errors.ts";
import type * as present from "./index.ts";

type Door = typeof present;

const REASON = "x64 machine code runs on Linux on x86-64, this was bundled for browsers";

function refuse(): never {
  throw new BackendError(`the x64 backend cannot run here: ${REASON}`, { hint: "the wasm backend runs everywhere" });
}

export const runnable: Door["runnable"] = () => REASON;
export const createX64Backend: Door["createX64Backend"] = refuse;
export const x64Target: Door["x64Target"] = refuse;
