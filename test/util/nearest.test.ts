// The name that was probably meant: misspellings of every kind find it, other words do not.

import { describe, expect, it } from "vitest";
import { nearestName } from "../../src/util/nearest.ts";

const names = ["adam", "sgd", "meanSquaredError", "learningRate", "y", "lr"];

describe("nearestName", () => {
  it.each([
    ["adma", "adam"],
    ["Adam", "adam"],
    ["adm", "adam"],
    ["sdg", "sgd"],
    ["Y", "y"],
    ["l2", "lr"],
    ["leraningRaet", "learningRate"],
    ["mean_squared_error", "meanSquaredError"],
  ])("finds for %s %s", (given, meant) => expect(nearestName(given, names)).toBe(meant));

  it.each(["x", "", "momentum", "qq"])("finds nothing for %j", (given) => expect(nearestName(given, names)).toBeUndefined());
});
