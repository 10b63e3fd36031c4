// Frames of every engine's stacks are read, and kasane's own files are known without their address being asked for.

import { describe, expect, it } from "vitest";
import { callSite } from "../../src/index.ts";
import { framesOf, isInOwnFiles, isOwnFile, ownFile } from "../../src/util/own-code.ts";

describe("a line of a stack", () => {
  it.each([
    ["    at step (file:///home/me/train.js:12:5)", "file:///home/me/train.js"],
    ["    at file:///home/me/train.js:12:5", "file:///home/me/train.js"],
    ["    at async file:///home/me/train.js:12:5", "file:///home/me/train.js"],
    ["    at async Promise.step (file:///home/me/train.js:12:5)", "file:///home/me/train.js"],
    ["    at new Net [as made] (/home/me/my work (2)/train.cjs:12:5)", "/home/me/my work (2)/train.cjs"],
    ["    at step (C:\\Users\\me\\train.cjs:12:5)", "C:\\Users\\me\\train.cjs"],
    ["    at step (http://localhost:5173/src/train.ts?t=17:12:5)", "http://localhost:5173/src/train.ts?t=17"],
    ["    at eval (webpack-internal:///./src/train.js:12:5)", "webpack-internal:///./src/train.js"],
    ["step@http://localhost:5173/src/train.ts:12:5", "http://localhost:5173/src/train.ts"],
    ["step/<@http://localhost:5173/src/train.ts:12:5", "http://localhost:5173/src/train.ts"],
    ["@http://localhost:5173/src/train.ts:12:5", "http://localhost:5173/src/train.ts"],
    ["http://localhost:5173/node_modules/@me/train.ts:12:5", "http://localhost:5173/node_modules/@me/train.ts"],
    ["    at step (node:internal/modules/run_main:12:5)", "node:internal/modules/run_main"],
  ])("%s", (line, file) => {
    expect(framesOf(`Error: no\n${line}`)).toEqual([{ file, position: "12:5" }]);
  });

  it.each([
    "    at Array.map (<anonymous>)",
    "    at eval (eval at step (file:///a.js:1:2), <anonymous>:3:4)",
    "Error: see /home/me/train.js:1:2 for",
  ])("names no file: %s", (line) => {
    expect(framesOf(`Error: no\n${line}`)).toEqual([]);
  });

  it("is not taken from a message", () => {
    expect(framesOf("Error: bad\n/home/me/data.csv:1:2\n    at step (/home/me/train.js:3:4)")).toEqual([
      { file: "/home/me/train.js", position: "3:4" },
    ]);
  });

  it("may be missing, or something else that a program made of it", () => {
    expect(framesOf(undefined)).toEqual([]);
    expect(framesOf([])).toEqual([]);
    expect(callSite(undefined)).toBeUndefined();
  });
});

describe("kasane's own files", () => {
  it("are those beside it", () => {
    expect(ownFile()).toMatch(/src\/util\/own-code\.ts$/);
    expect(isInOwnFiles()).toBe(true);
    expect(isOwnFile(ownFile()!.replace("util/own-code.ts", "tensor/autograd/tape.ts"))).toBe(true);
    expect(isOwnFile(ownFile()!.replace("src/util/own-code.ts", "test/util/own-code.test.ts"))).toBe(false);
  });

  it("are no user's line", () => {
    expect(callSite(new Error().stack)).toMatch(/test\/util\/own-code\.test\.ts:\d+:\d+$/);
  });
});
