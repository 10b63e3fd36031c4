// Gives every function and class of the reference an example: the shortest statements of tested programs that call it, found by their imports.

import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { Comment, CommentTag, Converter, ReflectionKind } from "typedoc";
import ts from "typescript";

const root = join(import.meta.dirname, "..", "..");
const mostLines = 24;
const mostWidth = 170;

/** In order of preference; README.md's programs are run by `npm run check:package`, the others by `npm test`. */
const sources = ["README.md", "examples", "test"];

/** @typedef {{ text: string, file: string, cost: number }} Found */
/** @typedef {{ entry: string, name: string }} Imported */

/** @param {import("typedoc").Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, (context) => {
    const found = readAll();
    const missing = [];
    for (const reflection of context.project.getReflectionsByKind(ReflectionKind.Function | ReflectionKind.Class)) {
      const name = `${reflection.parent?.name}: ${reflection.name}`;
      // Files of ours may import it from where it is written, whatever entry hands it on.
      const written = `${writtenIn(context, reflection)}: ${reflection.name}`;
      const comments = reflection.kindOf(ReflectionKind.Class) ? [ownComment(reflection)] : (reflection.signatures ?? []).map(ownComment);
      if (comments.some((comment) => comment.getTag("@example") !== undefined)) continue;
      const example = [found.get(name), found.get(written)].filter((one) => one !== undefined).sort((a, b) => a.cost - b.cost)[0];
      // Nobody makes errors; programs catch them.
      if (example === undefined && /Error$/.test(reflection.name)) continue;
      if (example === undefined) missing.push(name);
      else
        comments[0]?.blockTags.push(
          new CommentTag("@example", [
            { kind: "code", text: `\`\`\`ts\n${example.text}\n\`\`\`` },
            { kind: "text", text: `\nFrom \`${example.file}\`.` },
          ]),
        );
    }
    if (missing.length > 0) app.logger.warn(`No tested program calls ${missing.join(", ")}: write an @example, or a test.`);
  });
}

/** @param {{ comment?: Comment }} reflection */
function ownComment(reflection) {
  reflection.comment ??= new Comment();
  return reflection.comment;
}

/** The file that declares something, as programs of ours import it: "nest/evaluate". @param {import("typedoc").Context} context @param {import("typedoc").Reflection} reflection */
function writtenIn(context, reflection) {
  const file = context.getSymbolFromReflection(reflection)?.declarations?.[0]?.getSourceFile().fileName ?? "";
  return entryOf(relative(join(root, "src"), file).replace(/^/, "/src/"));
}

/** @returns {Map<string, Found>} the best example by "entry: name" */
function readAll() {
  /** @type {Map<string, Found>} */
  const best = new Map();
  sources.forEach((source, preference) => {
    for (const [file, code] of programsOf(source)) {
      const tree = ts.createSourceFile(file, code, ts.ScriptTarget.ES2022, true);
      const imported = importsOf(tree);
      const visit = (/** @type {ts.Node} */ node) => {
        for (const { entries, name, detour } of usesAt(node, imported)) {
          const text = statementOf(node, tree);
          if (text === undefined) continue;
          const cost = preference * 200 + detour + costOf(text);
          for (const entry of entries) {
            const key = `${entry}: ${name}`;
            if (cost < (best.get(key)?.cost ?? Number.POSITIVE_INFINITY)) best.set(key, { text, file, cost });
          }
        }
        ts.forEachChild(node, visit);
      };
      visit(tree);
    }
  });
  return best;
}

/**
 * What a place in a program shows the use of; a function that is called is better than one that is handed on or its method.
 * @param {ts.Node} node @param {Map<string, Imported>} imported
 * @returns {{ entries: string[], name: string, detour: number }[]}
 */
function usesAt(node, imported) {
  if (ts.isIdentifier(node)) {
    const used = imported.get(node.text);
    if (used === undefined || used.name === "*" || ts.isImportSpecifier(node.parent)) return [];
    const isCalled = (ts.isCallExpression(node.parent) || ts.isNewExpression(node.parent)) && node.parent.expression === node;
    return [{ entries: entriesOf(used), name: used.name, detour: isCalled ? 0 : 150 }];
  }
  if (!ts.isPropertyAccessExpression(node)) return [];
  const { name, expression } = node;
  if (
    ts.isPropertyAccessExpression(expression) &&
    ts.isIdentifier(expression.expression) &&
    imported.get(expression.expression.text)?.name === "*"
  )
    return [{ entries: [expression.name.text], name: name.text, detour: 0 }];
  const space = ts.isIdentifier(expression) ? imported.get(expression.text) : undefined;
  if (space?.name === "*") return [{ entries: entriesOf(space), name: name.text, detour: 0 }];
  if (space !== undefined && /^[a-z]/.test(space.name)) return [{ entries: [space.name], name: name.text, detour: 0 }];
  // Many functions of tensors are methods too.
  const isCalled = ts.isCallExpression(node.parent) && node.parent.expression === node;
  return isCalled ? [{ entries: ["index", "nn"], name: name.text, detour: 500 }] : [];
}

/** @param {string} source @returns {[file: string, code: string][]} */
function programsOf(source) {
  const path = join(root, source);
  if (source.endsWith(".md")) {
    const blocks = [...readFileSync(path, "utf8").matchAll(/^```ts\n(.*?)^```$/gms)];
    return [[source, blocks.map(([, code]) => code).join("\n")]];
  }
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.includes("node_modules"))
    .sort()
    .map((name) => [relative(root, join(path, name)), readFileSync(join(path, name), "utf8")]);
}

/** What names of a program mean: an export of an entry, or "*" for all of one. @param {ts.SourceFile} tree @returns {Map<string, Imported>} */
function importsOf(tree) {
  const imported = new Map();
  for (const statement of tree.statements) {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) continue;
    const entry = entryOf(statement.moduleSpecifier.text);
    const bindings = statement.importClause?.namedBindings;
    if (entry === undefined || bindings === undefined) continue;
    if (ts.isNamespaceImport(bindings)) imported.set(bindings.name.text, { entry, name: "*" });
    else for (const { name, propertyName } of bindings.elements) imported.set(name.text, { entry, name: (propertyName ?? name).text });
  }
  return imported;
}

/** "nn" for "kasane/nn" and "../../src/nn/linear.ts". @param {string} specifier */
function entryOf(specifier) {
  const inside = /^kasane(?:\/(.*))?$/.exec(specifier)?.[1] ?? (specifier === "kasane" ? "index" : /\/src\/(.*)\.ts$/.exec(specifier)?.[1]);
  return inside?.replace(/\/index$/, "");
}

/** Entries that may export what a file of ours exports. @param {Imported} used */
function entriesOf({ entry }) {
  const [folder = "", ...rest] = entry.split("/");
  if (["tensor", "util", "backends", "index"].includes(folder)) return ["index", "ops", "formula"];
  return [folder, entry, `${folder}/node`, ...rest, ...(rest.length === 0 ? [] : ["index"])];
}

/** The statement around a place, without what it is indented by; undefined for one too long to be an example. @param {ts.Node} node @param {ts.SourceFile} tree */
function statementOf(node, tree) {
  let statement = node;
  while (statement.parent !== undefined && !ts.isBlock(statement.parent) && !ts.isSourceFile(statement.parent))
    statement = statement.parent;
  const [first = "", ...rest] = statement.getText(tree).split("\n");
  const indent = Math.min(...rest.filter((line) => line.trim() !== "").map((line) => line.length - line.trimStart().length));
  const lines = [first, ...rest.map((line) => line.slice(Number.isFinite(indent) ? indent : 0))];
  const isWhole = !ts.isImportDeclaration(statement) && lines.length <= mostLines && lines.every((line) => line.length <= mostWidth);
  return isWhole ? lines.join("\n") : undefined;
}

/** Shorter is better; a result that is told is better still, and an error is not what one looks for. @param {string} text */
function costOf(text) {
  const isTold = /expect\(|console\.log/.test(text);
  const isError = /toThrow|rejects|messageOf/.test(text);
  return text.length + 20 * text.split("\n").length + (isTold ? 0 : 60) + (isError ? 400 : 0);
}
