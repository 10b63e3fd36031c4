// Reads the imports of TypeScript files and judges them: direction between folders, cycles between files, Node-only modules.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { parseSync, Visitor } from "rolldown/utils";

/**
 * @typedef {"static" | "type" | "dynamic"} ImportKind
 * "type" vanishes when compiled; "dynamic" is `import(…)`, also in a type.
 */
/** @typedef {{ kind: ImportKind, specifier: string, line: number }} Import */
/** @typedef {{ file: string, line: number, sentence: string }} Finding */

/**
 * @typedef {object} Rules
 * @property {string[][]} floors folders by rank, lowest first; a folder may import lower ranks only
 * @property {Record<string, string[]>} neighbours what a folder may import within its own rank
 * @property {string[][]} mutual files that know each other by design, through types: a name ending in "/" is all files of a folder
 * @property {string[]} nodeOnly folders where `node:` modules may be imported, "/" at the end
 */

/** @type {Rules} */
export const houseRules = {
  floors: [
    ["util"],
    ["nest"],
    ["formula", "kernels", "compiler", "backends"],
    ["ops"],
    ["tensor"],
    ["nn", "optim", "io", "data"],
    ["train"],
    ["inspect"],
    ["cli"],
  ],
  neighbours: { backends: ["kernels", "compiler"], data: ["io"] },
  mutual: [
    // A layer's class, what it is to a running model, and how it prints.
    ["nn/layer.ts", "nn/call.ts", "nn/print.ts"],
    // A value knows where and in which trace it was made.
    ["tensor/value.ts", "tensor/context.ts", "tensor/trace/trace-record.ts"],
    // The selector hands itself to the operations of each type.
    ["backends/x64/select/"],
    ["backends/emitted/"],
  ],
  nodeOnly: ["cli/", "data/files/", "io/node/", "train/node/"],
};

/**
 * Every import and re-export of a source text.
 * @param {string} path decides how the text is parsed and is named in the error
 * @param {string} text
 * @returns {Import[]}
 * @throws {Error} when the text does not parse
 */
export function readImports(path, text) {
  const { program, errors } = parseSync(path, text);
  const [problem] = errors;
  if (problem) throw new Error(`${path} does not parse: ${problem.message}`);
  /** @type {Import[]} */
  const found = [];
  /** @param {ImportKind} kind @param {unknown} source @param {number} position */
  const add = (kind, source, position) => {
    const { value } = /** @type {{ value?: unknown }} */ (source ?? {});
    if (typeof value === "string") found.push({ kind, specifier: value, line: lineOf(text, position) });
  };
  new Visitor({
    ImportDeclaration: (node) => add(node.importKind === "type" ? "type" : "static", node.source, node.start),
    ExportNamedDeclaration: (node) => add(node.exportKind === "type" ? "type" : "static", node.source, node.start),
    ExportAllDeclaration: (node) => add(node.exportKind === "type" ? "type" : "static", node.source, node.start),
    ImportExpression: (node) => add("dynamic", node.source, node.start),
    TSImportType: (node) => add("type", node.source, node.start),
  }).visit(program);
  return found.sort((a, b) => a.line - b.line);
}

/** @param {string} text @param {number} position */
function lineOf(text, position) {
  return text.slice(0, position).split("\n").length;
}

/**
 * Judges a whole source folder.
 * @param {string} source the folder `src`
 * @param {Rules} [rules]
 * @returns {{ files: number, imports: number, findings: Finding[] }}
 */
export function checkImports(source, rules = houseRules) {
  const files = listSources(source);
  /** @type {Map<string, Import[]>} */
  const importsOf = new Map(files.map((file) => [file, readImports(file, readFileSync(join(source, file), "utf8"))]));
  const findings = files.flatMap((file) => (importsOf.get(file) ?? []).flatMap((item) => judge(file, item, rules)));
  const all = [...importsOf.values()].reduce((sum, list) => sum + list.length, 0);
  return { files: files.length, imports: all, findings: [...findings, ...findCycles(importsOf, rules.mutual)] };
}

/** @param {string} source */
function listSources(source) {
  return readdirSync(source, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts") && !entry.name.endsWith(".d.ts"))
    .map((entry) =>
      relative(source, join(entry.parentPath ?? entry.path, entry.name))
        .split(sep)
        .join("/"),
    )
    .sort();
}

/** @param {string} file @param {Import} item @param {Rules} rules @returns {Finding[]} */
function judge(file, item, rules) {
  /** @param {string} sentence */
  const finding = (sentence) => [{ file, line: item.line, sentence }];
  if (item.specifier.startsWith("node:")) {
    if (item.kind === "type" || item.kind === "dynamic" || isNodeOnly(file, rules)) return [];
    return finding(
      `imports ${item.specifier}, but src/ must also run in browsers: move the code to ${rules.nodeOnly.map((folder) => `src/${folder}`).join(", ")} or take the module lazily`,
    );
  }
  if (!item.specifier.startsWith(".")) return [];
  const target = resolveFrom(file, item.specifier);
  if (target.startsWith("../")) return finding(`imports ${item.specifier}, which is outside src/: move the imported code into src/`);
  const from = folderOf(file);
  const to = folderOf(target);
  if (from === to || from === undefined) return [];
  if (to === undefined)
    return finding(`src/${from} imports src/${target}, the public surface above every folder: import the file that defines the thing`);
  const rankFrom = rankOf(from, rules);
  const rankTo = rankOf(to, rules);
  for (const [folder, rank] of /** @type {const} */ ([
    [from, rankFrom],
    [to, rankTo],
  ])) {
    if (rank < 0) return finding(`the folder src/${folder} has no rank: give it one in scripts/lib/imports.mjs and in CONTRIBUTING.md`);
  }
  if (rankTo < rankFrom) return [];
  if (rankTo > rankFrom) {
    return finding(
      `src/${from} (rank ${rankFrom}) imports src/${to} (rank ${rankTo}): imports go downwards only; move the shared part down to src/${from} or lower, or pass it in as an argument`,
    );
  }
  if (rules.neighbours[from]?.includes(to)) return [];
  return finding(`src/${from} imports src/${to}, its neighbour on rank ${rankFrom}: move the shared part to a lower folder`);
}

/** Whether a file may import `node:` modules. @param {string} file a path inside src, or dist @param {Rules} [rules] */
export function isNodeOnly(file, rules = houseRules) {
  return rules.nodeOnly.some((folder) => file.startsWith(folder));
}

/** @param {string} file @param {string} specifier a path relative to the file; both as paths inside src */
function resolveFrom(file, specifier) {
  const base = resolve("/src");
  return relative(base, resolve(base, dirname(file), specifier))
    .split(sep)
    .join("/");
}

/** The folder right under src; undefined for the files of src itself. @param {string} file */
function folderOf(file) {
  return file.includes("/") ? file.split("/")[0] : undefined;
}

/** @param {string} folder @param {Rules} rules */
function rankOf(folder, rules) {
  return rules.floors.findIndex((floor) => floor.includes(folder));
}

/**
 * Cycles, also of types alone; a dynamic import waits and closes none.
 * @param {Map<string, Import[]>} importsOf
 * @param {string[][]} mutual
 * @returns {Finding[]}
 */
function findCycles(importsOf, mutual) {
  /** @param {string} from @param {string} to */
  const isByDesign = (from, to) =>
    mutual.some((group) => [from, to].every((file) => group.some((name) => (name.endsWith("/") ? file.startsWith(name) : file === name))));
  /** @type {Finding[]} */
  const findings = [];
  /** @type {Set<string>} */
  const done = new Set();
  /** @type {string[]} */
  const path = [];
  /** @param {string} file */
  const visit = (file) => {
    if (done.has(file)) return;
    path.push(file);
    for (const { kind, specifier, line } of importsOf.get(file) ?? []) {
      if (kind === "dynamic" || !specifier.startsWith(".")) continue;
      const target = resolveFrom(file, specifier);
      if (kind === "type" && isByDesign(file, target)) continue;
      const start = path.indexOf(target);
      if (start >= 0) {
        const circle = [...path.slice(start), target].map((name) => `src/${name}`).join(" -> ");
        findings.push({ file, line, sentence: `closes an import cycle: ${circle}; move what both need into a file of its own` });
      } else if (importsOf.has(target)) visit(target);
    }
    path.pop();
    done.add(file);
  };
  for (const file of importsOf.keys()) visit(file);
  return findings;
}
