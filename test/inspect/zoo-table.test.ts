// The doctor's confusion table in docs/doctor.md: `npm run zoo` examines the whole zoo and writes it; the tests see that no patient is missing.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { examine, type Finding } from "../../src/inspect/index.ts";
import { runCommand } from "../cli/command.ts";
import { healthy, type Sick, sick } from "./zoo.ts";
import { exampleFindings, type HealthyExample, healthyExamples } from "./zoo-examples.ts";
import { healthyRuns } from "./zoo-runs.ts";
import { healthySchedules } from "./zoo-schedules.ts";
import { SEEDS, seeded, unruled } from "./zoo-seeds.ts";

/** KASANE_ZOO_SEEDS=51,52: other seeds than those that limits and rules were set with. */
const others = process.env.KASANE_ZOO_SEEDS?.split(",").map(Number);
const given = (own: readonly number[]): readonly number[] => others ?? own;
/** A patient without a seed has its own. */
const once = (): readonly (number | undefined)[] => others ?? [undefined];

const page = new URL("../../docs/doctor.md", import.meta.url);
const place = others === undefined ? "zoo" : "unseen";
const [BEGIN, END] = [`<!-- ${place} -->`, `<!-- /${place} -->`];

type Findings = readonly Pick<Finding, "kind">[];

/** "dead units 3, plateau 1" */
function counted(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => (names.length === 1 ? name : `${name} ${count}`)).join(", ");
}

const row = (...cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;

/** A long job says how far it is. */
const progress = (name: string, found: readonly Findings[]): void => console.log(`${name}: ${counted(found.map(kinds))}`);
const firstOf = (findings: Findings): string => findings[0]?.kind ?? "nothing";
const besides = (all: readonly Findings[]): string => counted(all.flatMap((findings) => findings.slice(1).map(({ kind }) => kind)).filter((kind, n, kinds) => all.length > 1 || kinds.indexOf(kind) === n)) || "–"; // biome-ignore format: one thought

const kinds = (findings: Findings): string => counted(findings.map(({ kind }) => kind)) || "nothing";

async function table(): Promise<string> {
  const lines = [
    others === undefined ? "Seeds that limits and rules were set with." : `Seeds ${others.join(", ")}.`,
    "",
    "### Sick runs",
    "",
  ];
  lines.push(row("run", "disease", "runs", "found first", "besides"), row("---", "---", "---:", "---", "---"));
  let right = 0;
  let all = 0;
  const patients = [
    ...sick.map((one) => ({ ...one, found: () => each(once(), bySeed(one)) })),
    ...seeded.map((one) => ({ ...one, found: () => each(given(SEEDS), one.findings) })),
  ];
  for (const { name, disease, found: find } of patients) {
    const found = await find();
    all += found.length;
    progress(name, found);
    lines.push(row(name, disease as string, found.length, counted(found.map(firstOf)), besides(found)));
    right += found.filter((one) => firstOf(one) === disease).length;
  }
  lines.push("", `The planted disease is found first in ${right} of ${all} runs.`, "");
  lines.push(
    "### Diseases that no rule was written for",
    "",
    row("run", "runs", "found first", "besides"),
    row("---", "---:", "---", "---"),
  );
  for (const { name, findings } of unruled) {
    const found = await each(given(SEEDS), findings);
    progress(name, found);
    lines.push(row(name, found.length, counted(found.map(firstOf)), besides(found)));
  }
  const well: Row[] = [];
  for (const one of [...healthy, ...healthySchedules]) well.push({ name: one.name, found: await each(once(), bySeed(one)) });
  for (const { name, found } of well) progress(name, found);
  for (const rows of [commandRows, exampleRows]) well.push(...(await rows()));
  const runs = well.flatMap(({ found }) => found);
  lines.push("", "### Healthy runs", "", row("run", "runs", "found"), row("---", "---:", "---"));
  for (const { name, found } of well)
    lines.push(row(name, found.length, found.length === 1 ? kinds(found.flat()) : counted(found.map(kinds))));
  lines.push("", `Nothing is found in ${runs.filter((findings) => findings.length === 0).length} of ${runs.length} runs.`);
  return lines.join("\n");
}

interface Row {
  readonly name: string;
  readonly found: readonly Findings[];
}

async function each<Seed>(seeds: readonly Seed[], findings: (seed: Seed) => Promise<Findings>): Promise<Findings[]> {
  const found: Findings[] = [];
  for (const seed of seeds) found.push(await findings(seed));
  return found;
}

const bySeed =
  ({ make }: Pick<Sick, "make">) =>
  async (seed: number | undefined): Promise<Findings> => {
    const { model, data, options } = make(seed);
    return (await examine(model, data, options)).findings;
  };

async function commandRows(): Promise<Row[]> {
  const rows: Row[] = [];
  const cwd = await mkdtemp(join(tmpdir(), "kasane-zoo-"));
  try {
    for (const [n, words] of healthyRuns.entries()) {
      const found = await each(once(), async (seed) => {
        await runCommand(cwd, [
          "train",
          ...words.split(" "),
          ...(seed === undefined ? [] : ["--seed", String(seed)]),
          "--out",
          `run${n}-${seed}`,
        ]);
        return (JSON.parse((await runCommand(cwd, ["doctor", `run${n}-${seed}`, "--json"])).out) as { findings: Findings }).findings;
      });
      progress(words, found);
      rows.push({ name: `kasane train ${words}`, found });
    }
  } finally {
    await rm(cwd, { recursive: true });
  }
  return rows;
}

/** Of one seed: they take longest. */
async function exampleRows(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const program of Object.keys(healthyExamples) as HealthyExample[])
    for (const { name, halfTrained, trained } of await exampleFindings(program, given([1])[0] as number)) {
      progress(name, [halfTrained, trained]);
      rows.push({ name: `${name}, half-trained`, found: [halfTrained] }, { name: `${name}, trained`, found: [trained] });
    }
  return rows;
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
    const patients = [...sick, ...seeded, ...unruled, ...healthy, ...healthySchedules].map(({ name }) => name);
    const names = [...patients, ...healthyRuns.map((words) => `kasane train ${words}`)];
    const told = new Set([...text.matchAll(/^\| (?!run \||---)(.*?) \|/gm)].map(([, name]) => name as string));
    const programs = Object.keys(healthyExamples).map((program) => `examples/${program}.ts`);
    const ofPrograms = (name: string): boolean => name.startsWith("examples/");
    expect(names.filter((name) => !told.has(name))).toEqual([]);
    expect([...told].filter((name) => !ofPrograms(name) && !names.includes(name))).toEqual([]);
    expect([...told].filter((name) => ofPrograms(name) && !programs.some((program) => name.startsWith(`${program},`)))).toEqual([]);
  });
});
