// The doctor's confusion table in docs/doctor.md: `npm run zoo` examines the whole zoo and writes it; the tests see that no patient is missing.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { examine, type Finding } from "../../src/inspect/index.ts";
import { runCommand } from "../cli/command.ts";
import { healthy, type Patient, sick } from "./zoo.ts";
import { healthyRuns } from "./zoo-runs.ts";
import { SEEDS, seeded, unruled } from "./zoo-seeds.ts";

const page = new URL("../../docs/doctor.md", import.meta.url);
const [BEGIN, END] = ["<!-- zoo -->", "<!-- /zoo -->"];

type Findings = readonly Pick<Finding, "kind">[];

const examined = async ({ model, data, options }: Omit<Patient, "name">): Promise<Findings> =>
  (await examine(model, data, options)).findings;

/** "dead units 3, plateau 1" */
function counted(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => (names.length === 1 ? name : `${name} ${count}`)).join(", ");
}

const row = (...cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;
const firstOf = (findings: Findings): string => findings[0]?.kind ?? "nothing";
const besides = (all: readonly Findings[]): string => counted(all.flatMap((findings) => findings.slice(1).map(({ kind }) => kind)).filter((kind, n, kinds) => all.length > 1 || kinds.indexOf(kind) === n)) || "–"; // biome-ignore format: one thought

async function table(): Promise<string> {
  const lines = ["### Sick runs", "", row("run", "disease", "runs", "found first", "besides"), row("---", "---", "---:", "---", "---")];
  let [right, all] = [0, 0];
  for (const { name, disease, make } of sick) {
    const found = await examined(make());
    lines.push(row(name, disease, 1, firstOf(found), besides([found])));
    right += Number(firstOf(found) === disease);
    all++;
  }
  for (const { name, disease, findings } of seeded) {
    const found: Findings[] = [];
    for (const seed of SEEDS) found.push(await findings(seed));
    lines.push(row(name, disease as string, SEEDS.length, counted(found.map(firstOf)), besides(found)));
    right += found.filter((one) => firstOf(one) === disease).length;
    all += SEEDS.length;
  }
  lines.push("", `The planted disease is found first in ${right} of ${all} runs.`, "");
  lines.push(
    "### Diseases that no rule was written for",
    "",
    row("run", "runs", "found first", "besides"),
    row("---", "---:", "---", "---"),
  );
  for (const { name, findings } of unruled) {
    const found: Findings[] = [];
    for (const seed of SEEDS) found.push(await findings(seed));
    lines.push(row(name, SEEDS.length, counted(found.map(firstOf)), besides(found)));
  }
  lines.push("", "### Healthy runs", "", row("run", "found"), row("---", "---"));
  for (const { name, make } of healthy) lines.push(row(name, counted((await examined(make())).map(({ kind }) => kind)) || "nothing"));
  const cwd = await mkdtemp(join(tmpdir(), "kasane-zoo-"));
  try {
    for (const [n, words] of healthyRuns.entries()) {
      await runCommand(cwd, ["train", ...words.split(" "), "--out", `run${n}`]);
      const { findings } = JSON.parse((await runCommand(cwd, ["doctor", `run${n}`, "--json"])).out) as { findings: Findings };
      lines.push(row(`kasane train ${words}`, counted(findings.map(({ kind }) => kind)) || "nothing"));
    }
  } finally {
    await rm(cwd, { recursive: true });
  }
  return lines.join("\n");
}

describe("docs/doctor.md", () => {
  it.runIf(process.env.KASANE_ZOO === "write")(
    "is written anew",
    async () => {
      const text = await readFile(page, "utf8");
      const [before, after] = [text.slice(0, text.indexOf(BEGIN) + BEGIN.length), text.slice(text.indexOf(END))];
      await writeFile(page, `${before}\n\n${await table()}\n\n${after}`);
    },
    3_600_000,
  );

  it("tells of every patient", async () => {
    const text = await readFile(page, "utf8");
    const names = [...sick, ...seeded, ...unruled, ...healthy, ...healthyRuns.map((words) => ({ name: `kasane train ${words}` }))].map(
      ({ name }) => name,
    );
    expect(names.filter((name) => !text.includes(`| ${name} |`))).toEqual([]);
    expect(text.match(/^\| (?!run \||---)/gm)).toHaveLength(names.length);
  });
});
