// kasane doctor: what this machine offers and what kasane chose.

import { cpus } from "node:os";
import { availableBackends, getBackend } from "../backends/choose.ts";
import { features } from "../backends/wasm/features.ts";
import type { Terminal } from "./terminal.ts";
import { table } from "./terminal.ts";
import { version } from "./version.ts";

/** @returns the exit code */
export async function doctor(terminal: Terminal): Promise<number> {
  const backend = getBackend();
  const found = features();
  const asked = terminal.host.env.KASANE_BACKEND;
  const facts = {
    kasane: version,
    node: process.versions.node,
    v8: process.versions.v8,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    backend: {
      name: backend.name,
      description: backend.description,
      dtypes: [...backend.dtypes],
      chosenBy: asked ? "KASANE_BACKEND" : "the fastest that runs here",
    },
    backends: availableBackends(),
    webAssembly: { simd: found.simd, relaxedFma: found.relaxedFma, fusedRounding: found.fused },
  };
  const yes = (on: boolean): string => (on ? "yes" : "no");
  const rows = [
    ["kasane", facts.kasane],
    ["Node", `${facts.node} (V8 ${facts.v8})`],
    ["machine", `${facts.platform}, ${facts.cores} cores, ${facts.cpu}`],
    ["backend", `${backend.name}, chosen by ${asked ? `KASANE_BACKEND=${asked}` : "speed: the fastest that runs here"}`],
    ["", backend.description],
    ["backends here", facts.backends.join(", ")],
    ["WebAssembly SIMD", yes(found.simd)],
    ["relaxed multiply-add", found.relaxedFma ? `yes${found.fused ? ", rounds once" : ", rounds twice"}` : "no"],
  ];
  for (const line of table(
    [
      { title: "", side: "left" },
      { title: "", side: "left" },
    ],
    rows,
  ).slice(1))
    terminal.print(line);
  terminal.result(facts);
  return 0;
}
