// Errors are told apart by name, also after a minifier has shortened the names of classes.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as kasane from "../../src/index.ts";
import { TrainingError } from "../../src/train/index.ts";

const source = join(import.meta.dirname, "../../src");
const classes = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .flatMap((path) => [
    ...readFileSync(join(source, path), "utf8").matchAll(/export (?:abstract )?class (\w+) extends \w*Error \{\n(?:\s*\/\/.*\n)?(.*)\n/g),
  ]);

describe("the name of an error", () => {
  it.each(classes.map(([, name = "", first = ""]) => [name, first]))("is written out in %s", (name, first) => {
    expect(first.trim()).toBe(`static override readonly name: string = "${name}";`);
  });

  it("is its class's own, for users' classes too", () => {
    expect(classes.length).toBeGreaterThan(6);
    class MyError extends kasane.InputError {}
    expect(new MyError("no").name).toBe("MyError");
    expect(new kasane.ShapeError("no").name).toBe("ShapeError");
    expect(new kasane.ShapeError("no").at("here").stack).toMatch(/^ShapeError: no \(in here\)/);
    expect(new TrainingError("no", {}).name).toBe("TrainingError");
  });
});
