// Walks over kernels, and straight-line code in turns.

import { expect, it } from "vitest";
import { ModuleBuilder } from "../../../src/kernels/language/builder.ts";
import type { KernelFunction } from "../../../src/kernels/language/language.ts";
import { printFunction } from "../../../src/kernels/language/print.ts";
import { valuesOf, variableSetBy, visitStatements, visitVariables } from "../../../src/kernels/language/statements.ts";
import * as v from "../../../src/kernels/language/values.ts";
import { machine } from "../emitter.ts";

function written(write: Parameters<ModuleBuilder["define"]>[2]): KernelFunction {
  const module = new ModuleBuilder("test", machine);
  module.define("f", { p: "pointer" }, write as never);
  return module.build().functions[0] as KernelFunction;
}

it("takes turns, and never before what a statement reads is set", () => {
  const fn = written((k, { p }) => {
    let shared: ReturnType<typeof k.let> | undefined;
    const piece = (at: number) => () => {
      shared ??= k.let(v.loadAs("f32", "f32", v.at(p as never)), "shared");
      const a = k.let(v.mul(shared, at), "a");
      k.store(v.at(p as never, undefined, 4 * at), v.add(a, 1));
    };
    k.interleave([piece(1), piece(2)]);
  });
  const lines = printFunction(fn)
    .split("\n")
    .slice(1, -1)
    .map((line) => line.trim().replace(/\d+ =/, " ="));
  expect(lines.map((line) => line.split(" ")[0])).toEqual(["shared", "a", "a", "f32[p", "f32[p"]);
});

it("takes a branch as one statement, and what it sets as set after it", () => {
  const fn = written((k, { p }) => {
    let shared: ReturnType<typeof k.let> | undefined;
    const piece = (at: number) => () => {
      if (shared === undefined) {
        shared = k.let(v.loadAs("f32", "f32", v.at(p as never)), "shared");
        const found = shared;
        k.if(v.gt(found, 5), () => k.set(found, v.mul(found, k.let(v.add(found, 1), "inner"))));
      }
      const a = k.let(v.mul(shared, at), "a");
      k.if(v.lt(a, 0), () => k.set(a, v.neg(a)));
      k.store(v.at(p as never, undefined, 4 * at), a);
    };
    k.interleave([piece(1), piece(2)]);
  });
  const order = fn.body.map((statement) => variableSetBy(statement)?.name.replace(/\d+$/, "") ?? statement.kind);
  expect(order).toEqual(["shared", "if", "a", "a", "if", "if", "store", "store"]);
});

it("keeps the order where a piece has a loop", () => {
  const fn = written((k, { p }) => {
    k.interleave([
      () => k.loop(0, 8, 1, (i) => k.store(v.at(p as never, v.mul(i, 4)), v.constant("f32", 1))),
      () => k.store(v.at(p as never), v.constant("f32", 2)),
    ]);
  });
  expect(fn.body.map(({ kind }) => kind)).toEqual(["loop", "store"]);
});

it("visits every statement, and every variable that is read or set", () => {
  const fn = written((k, { p }) => {
    const count = k.let(v.i32(3), "count");
    k.if(v.lt(count, 5), () => k.loop(0, count, 1, (i) => k.store(v.at(p as never, v.mul(i, 4)), v.constant("f32", 1)), "i"));
  });
  const kinds: string[] = [];
  const read = new Set<string>();
  const set: (string | undefined)[] = [];
  visitStatements(fn.body, (statement) => {
    kinds.push(statement.kind);
    for (const value of valuesOf(statement)) visitVariables(value, ({ name }) => read.add(name.replace(/\d+/, "")));
    set.push(variableSetBy(statement)?.name.replace(/\d+/, ""));
  });
  expect(kinds).toEqual(["set", "if", "loop", "store"]);
  expect([...read].sort()).toEqual(["count", "i", "p"]);
  expect(set).toEqual(["count", undefined, "i", undefined]);
});
