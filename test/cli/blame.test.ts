// Mistakes in a user's module are told as the user's, with their line where there is one; only what nobody else can have done is ours.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { blame } from "../../src/cli/blame.ts";
import { runCommand } from "./command.ts";

const from = (path: string): string => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
const start = `
import { tensor } from ${from("index.ts")};
import { moons, tableDataset } from ${from("data/index.ts")};
import { crossEntropy, linear, relu, sequential } from ${from("nn/index.ts")};
import { adam } from ${from("optim/index.ts")};
const net = sequential(linear(2, 4), relu, linear(4, 2));
const rule = adam(net.parameters(), { learningRate: 0.01 });
`;
const training = (change: Readonly<Record<string, string>>): string => {
  const parts = { model: "net", data: "tableDataset(moons({ count: 32, seed: 1 }))", loss: "crossEntropy", optimizer: "rule", ...change };
  return Object.entries(parts)
    .map(([name, code]) => `export const ${name} = ${code};`)
    .join("\n");
};

let cwd = "";
let files = 0;
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "kasane-blame-"));
});
afterAll(() => rm(cwd, { recursive: true }));

async function said(command: string, text: string): Promise<string> {
  const name = `user${files++}.mjs`;
  await writeFile(join(cwd, name), start + text);
  const { code, out, err } = await runCommand(cwd, `${command} ${name} --json`);
  expect(code).toBe(1);
  expect(Object.keys(JSON.parse(out))).toEqual(["error"]);
  expect(err).not.toContain("inside kasane");
  return err;
}

const bad: Readonly<Record<string, string>> = {
  nothing: "() => {}",
  null: "() => null",
  promise: "async () => tensor(1)",
  "a text": "() => 'x'",
  "a list": "() => [1]",
  class: "class Own {}",
  "throws null": "() => { throw null; }",
  "throws undefined": "() => { throw undefined; }",
  "throws a text": "() => { throw 'oops'; }",
  "throws an object": "() => { throw { a: 1 }; }",
  "is wrong itself": "() => null.field",
};

describe.each(["loss", "transform", "schedule", "penalty"])("a %s", (door) => {
  it.each(Object.entries(bad))("that gives or is: %s", async (kind, code) => {
    const err = await said("doctor", training({ [door]: code }));
    if (kind.startsWith("throws")) expect(err).toMatch(/user\d+\.mjs threw .* instead of an Error/);
    else if (kind === "is wrong itself") expect(err).toMatch(/an error at user\d+\.mjs:\d+: .*null/);
    else if (kind === "class") expect(err).toMatch(new RegExp(`expected ${door} to be .*, got the class Own`));
    else expect(err).toMatch(new RegExp(`${door}|learning rate|expected a tensor or a number`));
  });
});

describe.each(["graph", "compile"])("%s with a default export", (command) => {
  it.each(["class", "throws null", "throws undefined", "throws a text", "throws an object", "is wrong itself"])(
    "that is: %s",
    async (kind) => {
      const err = await said(command, `export default ${bad[kind]}`);
      expect(err).toMatch(/got the class Own|user\d+\.mjs threw .* instead of an Error|an error at user\d+\.mjs:\d+/);
    },
  );

  it.each(["throw null;", "throw undefined;", "throw { a: 1 };", "await Promise.reject(null);", "throw 'text';"])(
    "after %s",
    async (text) => {
      expect(await said(command, text)).toMatch(/user\d+\.mjs does not load: it threw /);
    },
  );
});

it.each([
  ["{ ...rule, zeroGrad: undefined }", /expected optimizer to be an optimizer/],
  ["{ step() {}, learningRate: 1, stateDict() {} }", /expected optimizer to be an optimizer/],
])("an optimizer of one's own: %s", async (optimizer, message) => {
  expect(await said("doctor", training({ optimizer }))).toMatch(message);
});

it("what the system refuses, and too little memory, are no bugs of ours", () => {
  const refused = Object.assign(new Error("EROFS: read-only file system, rm 'a'"), { code: "EROFS", syscall: "rm", path: "a" });
  refused.stack = "";
  expect(blame(refused, cwd).text).toBe("the system refused a: the file system is read-only");
  const memory = new RangeError("Array buffer allocation failed");
  memory.stack = "";
  expect(blame(memory, cwd).text).toContain("there is not enough memory");
});
