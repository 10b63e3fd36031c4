// Finds every piece of advice in the sources: `hint` fields, hints passed as arguments, and messages that say what to do.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync } from "rolldown/utils";

/** A hint as the sources write it. */
export interface FoundHint {
  /** What does not stand in the source is "…". */
  readonly text: string;
  readonly file: string;
  readonly line: number;
}

/** A node of the syntax tree (ESTree), read by the names of its fields. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly [field: string]: unknown;
}

interface Source {
  readonly file: string;
  readonly text: string;
  readonly nodes: readonly Node[];
  /** By name, what is declared in the file. */
  readonly declared: ReadonlyMap<string, readonly Node[]>;
  readonly others: readonly Source[];
  /** `{ hint }` where it takes a hint apart instead of giving one. */
  readonly taken: ReadonlySet<unknown>;
}

const root = fileURLToPath(new URL("../../src/", import.meta.url));
const ANYTHING = "…";
/** A message that ends in advice: "…: use a loss", "…, pass { strict: false }". */
const ADVICE = /[;:,.–(] ?(?:please )?(?:try|pass|use|call|give|set|write|choose|make|take|put|leave|add|convert|import|run) /;

/** All hints of `src/`, a text of several places once for each. */
export function findHints(): FoundHint[] {
  const sources: Source[] = [];
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  for (const file of files.sort()) sources.push(readSource(file, sources));
  const own = sources.map(({ nodes }) => new Map(nodes.flatMap(hintParameter)));
  const all = new Map(own.flatMap((places) => [...places]));
  return sources.flatMap((source, n) => {
    // A function of the file itself hides others of its name.
    const places = new Map([...[...all].filter(([name]) => !source.declared.has(name)), ...(own[n] ?? [])]);
    return source.nodes.flatMap((node) => hintsAt(node, source, places));
  });
}

function readSource(file: string, others: readonly Source[]): Source {
  const text = readFileSync(join(root, file), "utf8");
  const { program, errors } = parseSync(file, text);
  if (errors[0] !== undefined) throw new Error(`${file} does not parse: ${errors[0].message}`);
  const nodes = everyNode(program);
  const declared = new Map<string, Node[]>();
  for (const node of nodes)
    if (node.type === "VariableDeclarator" || node.type === "FunctionDeclaration") {
      const name = nameOf(node.id) ?? "";
      declared.set(name, [...(declared.get(name) ?? []), node]);
    }
  const taken = new Set(nodes.flatMap((node) => (node.type === "ObjectPattern" ? (node.properties as Node[]) : [])));
  return { file: file.replaceAll("\\", "/"), text, nodes, declared, others, taken };
}

function everyNode(value: unknown, found: Node[] = []): Node[] {
  if (isNode(value)) found.push(value);
  if (typeof value === "object" && value !== null) for (const field of Object.values(value)) everyNode(field, found);
  return found;
}

const isNode = (value: unknown): value is Node => typeof (value as Node | null)?.type === "string";
const nameOf = (node: unknown): string | undefined =>
  isNode(node) && /^(Private)?Identifier$/.test(node.type) ? (node.name as string) : undefined;

/** Functions and methods that take a hint, with its place among their arguments. */
function hintParameter(node: Node): [string, number][] {
  const isMethod = node.type === "MethodDefinition";
  const made =
    node.type === "FunctionDeclaration" ? node : isMethod ? node.value : node.type === "VariableDeclarator" ? node.init : undefined;
  if (!isNode(made) || !Array.isArray(made.params)) return [];
  const place = (made.params as Node[]).findIndex((parameter) => /hint$/i.test(nameOf(parameter.left ?? parameter) ?? ""));
  const name = nameOf(isMethod ? node.key : node.id);
  return place < 0 || name === undefined ? [] : [[name, place]];
}

function hintsAt(node: Node, source: Source, places: ReadonlyMap<string, number>): FoundHint[] {
  return [...new Set(textsAt(node, source, places))].map((text) => ({
    text,
    file: source.file,
    line: source.text.slice(0, node.start).split("\n").length,
  }));
}

function textsAt(node: Node, source: Source, places: ReadonlyMap<string, number>): string[] {
  if (node.type === "Property" && nameOf(node.key) === "hint") return source.taken.has(node) ? [] : textsOf(node.value, source);
  const given = node.arguments as Node[] | undefined;
  const callee = node.callee as Node | undefined;
  const name = nameOf(callee?.property ?? callee) ?? "";
  if (node.type === "CallExpression") return textsOf(given?.[places.get(name) ?? -1], source);
  if (node.type !== "NewExpression" || !/\wError$/.test(name)) return [];
  return textsOf(given?.[0], source).filter((text) => ADVICE.test(text));
}

/** The texts that an expression may have. */
function textsOf(value: unknown, source: Source, depth = 0): string[] {
  if (!isNode(value) || depth > 8) return [];
  const inner = (field: unknown): string[] => textsOf(field, source, depth + 1);
  switch (value.type) {
    case "Literal":
      return typeof value.value === "string" ? [value.value] : [];
    case "TemplateLiteral":
      return [(value.quasis as Node[]).map(({ value: part }) => (part as { cooked: string }).cooked).join(ANYTHING)];
    case "BinaryExpression":
      return inner(value.left).flatMap((left) => inner(value.right).map((right) => left + right));
    case "ConditionalExpression":
      return [value.consequent, value.alternate].flatMap(inner);
    case "LogicalExpression":
      return [value.left, value.right].flatMap(inner);
    case "ParenthesizedExpression":
    case "TSAsExpression":
    case "TSNonNullExpression":
      return inner(value.expression);
    case "Identifier":
      return (source.declared.get(value.name as string) ?? []).flatMap(({ init }) => inner(init));
    case "ObjectExpression":
      return (value.properties as Node[]).flatMap((property) => inner(property.value));
    case "MemberExpression":
      return value.computed === true ? inner(value.object) : [];
    case "CallExpression":
      return resultsOf(nameOf(value.callee), source, depth) ?? [ANYTHING];
    default:
      return value.type === "Identifier" ? [] : [ANYTHING];
  }
}

/** What a function returns, of the same file or of another one. */
function resultsOf(name = "", source: Source, depth: number): string[] | undefined {
  const home = source.declared.has(name) ? source : source.others.find(({ declared }) => declared.has(name));
  const [made] = home?.declared.get(name) ?? [];
  const body = (made?.type === "VariableDeclarator" ? (made.init as Node | null) : made)?.body;
  if (!isNode(body) || home === undefined) return undefined;
  const given = everyNode(body).flatMap(({ type, argument }) => (type === "ReturnStatement" ? [argument] : []));
  return (body.type === "BlockStatement" ? given : [body]).flatMap((result) => textsOf(result, home, depth + 1));
}
