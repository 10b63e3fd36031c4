// What is done without asking in Deno, by a host that answers as Deno does; everywhere else nobody is asked.

import { afterEach, describe, expect, it, vi } from "vitest";
import { environment } from "../../src/util/environment.ts";
import { isAllowed } from "../../src/util/permission.ts";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
});

const hostThatAllows = (allowed: Readonly<Record<string, string>>) => ({
  permissions: { querySync: ({ name }: { name: string }) => ({ state: allowed[name] ?? "prompt" }) },
});

describe("what is done without asking", () => {
  it.each([
    [{ env: "granted" }, true],
    [{ env: "granted-partial" }, true],
    [{ env: "denied" }, false],
    [{}, false],
    [{ ffi: "granted" }, false],
  ])("environment variables where Deno was told %o: %s", (allowed, expected) => {
    vi.stubEnv("KASANE_OF_A_TEST", "3");
    vi.stubGlobal("Deno", hostThatAllows(allowed as Record<string, string>));
    expect(isAllowed({ name: "env", variable: "KASANE_OF_A_TEST" })).toBe(expected);
    expect(environment("KASANE_OF_A_TEST")).toBe(expected ? "3" : undefined);
  });

  it("everything where there is no Deno, and where something else has its name", () => {
    for (const host of [undefined, {}, { version: "1" }]) {
      vi.stubGlobal("Deno", host);
      expect(isAllowed({ name: "ffi" })).toBe(true);
      expect(isAllowed({ name: "sys", kind: "hostname" })).toBe(true);
    }
  });
});
