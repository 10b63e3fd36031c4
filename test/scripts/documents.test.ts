// The documents say what is there: paths, commands, links and tables are compared with the repository, and prose stays in its width.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { houseRules, readImports } from "../../scripts/lib/imports.mjs";
import { PASSES } from "../../src/compiler/index.ts";
import { FUNCTIONS } from "../../src/nest/functions.ts";
import { runCommand } from "../cli/command.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), "utf8");

/** Written for readers of the present state; the changelog speaks of the past. */
const documents = [
  "README.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
  ...readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `src/${name}`),
];

/** The README's width is its owner's affair. */
const inWidth = documents.filter((name) => name !== "README.md");
const WIDTH = 120;

interface Line {
  readonly number: number;
  readonly text: string;
}

/** Lines outside of code blocks. */
function proseOf(file: string): Line[] {
  let inCode = false;
  return read(file)
    .split("\n")
    .flatMap((text, n) => {
      if (/^\s*```/.test(text)) inCode = !inCode;
      else if (!inCode) return [{ number: n + 1, text }];
      return [];
    });
}

const spansOf = (file: string): string[] =>
  [
    ...proseOf(file)
      .map(({ text }) => text)
      .join("\n")
      .matchAll(/`([^`\n]+)`/g),
  ].map(([, span]) => span as string);

/** Where paths in a document begin: documents name a file of a folder that they speak of without the folder. */
const beginnings = (file: string): string[] => ["", dirname(file), ...rooms];

/** All folders below, the folder itself too. */
function roomsOf(folder: string): string[] {
  const inner = readdirSync(join(root, folder), { recursive: true, withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [folder, ...inner.map((entry) => relative(root, join(entry.parentPath, entry.name)))];
}

const rooms = roomsOf("src");

/** A file's or folder's path as documents write it, without placeholders, patterns or what programs write. */
const isPath = (span: string): boolean =>
  /^[\w.@-]+(\/[\w.@-]+)*(\/|\.(ts|mjs|md|py|json))$/.test(span) &&
  !/NAME|^(dist|build|runs|output|kasane)\//.test(span) &&
  !written.has(span);

/** Files of users, of runs, and of other packages. */
const written = new Set([
  ...["config.json", "summary.json", "training.js", "package.json", "x64-1.json", "x64-2.json", "wasm-1.json", "wasm-2.json", "trace.json"],
  ...["tokenizer.json", "kasane-transform.cjs", "jest.config.cjs"],
]);

describe.each(documents)("%s", (file) => {
  it("names files and folders that exist", () => {
    const missing = spansOf(file).filter((span) => isPath(span) && !beginnings(file).some((begin) => existsSync(join(root, begin, span))));
    expect(missing).toEqual([]);
  });

  it("links to what exists", () => {
    const links = proseOf(file).flatMap(({ text }) => [...text.replaceAll(/`[^`]*`/g, "").matchAll(/\]\(([^)#\s]*)(#[^)\s]*)?\)/g)]);
    const broken = links.filter(([, target = "", anchor = ""]) => {
      if (/^https?:/.test(target)) return false;
      const path = target === "" ? file : join(dirname(file), target);
      if (!existsSync(join(root, path))) return true;
      return anchor !== "" && !headings(path).includes(anchor.slice(1));
    });
    expect(broken.map(([text]) => text)).toEqual([]);
  });

  it("names npm scripts that exist", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const named = [...read(file).matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name as string);
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});

/** The anchors of a document's headings, as GitHub makes them. */
function headings(file: string): string[] {
  return proseOf(file)
    .filter(({ text }) => text.startsWith("#"))
    .map(({ text }) =>
      text
        .replace(/^#+ /, "")
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    );
}

it.each(inWidth)("%s: lines of prose have at most 120 columns", (file) => {
  const long = proseOf(file).filter(({ text }) => [...text].length > WIDTH && !/^(\||<!--)/.test(text));
  expect(long).toEqual([]);
});

it("first lines of sources have at most 120 columns, and are sentences", () => {
  const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  const wrong = files.flatMap((name) => {
    const [first = "", second = ""] = read(`src/${name}`).split("\n");
    const header = first.startsWith("#!") ? second : first;
    return /^\/\/ \S.*[.)"]$/u.test(header) && [...header].length <= WIDTH ? [] : [`${name}: ${header}`];
  });
  expect(wrong).toEqual([]);
});

describe("tables", () => {
  const firstColumn = (file: string, heading: string): string[] => {
    const lines = proseOf(file).map(({ text }) => text);
    const start = lines.findIndex((text) => text.startsWith(heading));
    const end = lines.findIndex((text, n) => n > start && !text.startsWith("|"));
    return lines.slice(start + 2, end).map((text) => (text.split("|")[1] as string).trim());
  };
  const folders = readdirSync(join(root, "src"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);

  it("docs/architecture.md lists every pass, in order", () => {
    expect(firstColumn("docs/architecture.md", "| pass |")).toEqual(PASSES.map(({ name }) => `\`${name}\``));
  });

  it("docs/architecture.md lists and draws every folder of src", () => {
    expect(firstColumn("docs/architecture.md", "| folder |").sort()).toEqual(folders.map((name) => `\`src/${name}\``).sort());
    for (const name of folders.filter((folder) => folder !== "util")) expect(read("docs/architecture.md")).toContain(` ${name}["${name}: `);
  });

  it("docs/architecture.md draws arrows only where a folder imports another", () => {
    const drawn = [...read("docs/architecture.md").matchAll(/^ {2}(\w+)(?:\[.*?\])? --> (\w+)/gm)].map(
      ([, from, to]) => `${from} -> ${to}`,
    );
    const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
    const there = sources.flatMap((name) =>
      readImports(name, read(`src/${name}`)).map(
        ({ specifier }) => `${name.split("/")[0]} -> ${join(dirname(name), specifier).split("/")[0]}`,
      ),
    );
    expect(drawn.length).toBeGreaterThan(folders.length);
    expect(drawn.filter((arrow) => !there.includes(arrow))).toEqual([]);
  });

  it("CONTRIBUTING.md ranks the folders as they are checked", () => {
    const rows = proseOf("CONTRIBUTING.md").flatMap(({ text }) =>
      [...text.matchAll(/^\| \d \| ([^|]*) \|/g)].map(([, cell]) => cell as string),
    );
    expect(rows.map((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name))).toEqual(houseRules.floors);
  });

  it("docs/formula.md names every function", () => {
    const words = new Set(spansOf("docs/formula.md").flatMap((span) => span.split(/\W+/)));
    expect(Object.keys(FUNCTIONS).filter((name) => !words.has(name))).toEqual([]);
  });

  it("docs/README.md maps every document", () => {
    const map = read("docs/README.md");
    const named = documents
      .filter((name) => name.startsWith("docs/") && name !== "docs/README.md")
      .map((name) => name.slice("docs/".length));
    expect(named.filter((name) => !map.includes(`(${name})`))).toEqual([]);
  });

  it("README.md shows every command", async () => {
    const { out } = await runCommand(root, "--help");
    const commands = [...(out.split("Commands:")[1] ?? "").matchAll(/^ {2}([a-z-]+)/gm)].map(([, name]) => name as string);
    expect(commands.length).toBeGreaterThan(8);
    expect(commands.filter((name) => name !== "help" && !read("README.md").includes(`kasane ${name}`))).toEqual([]);
  });
});
