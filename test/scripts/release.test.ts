// What forbids a release is found, one sentence each, and a candidate without faults passes.

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { type Candidate, judgeRelease, placeholder } from "../../scripts/lib/release.mjs";

const address = "https://example.org/kasane";
const sound: Candidate = {
  manifest: {
    version: "0.2.0",
    repository: { url: `git+${address}.git` },
    homepage: `${address}#readme`,
    bugs: { url: `${address}/issues` },
  },
  changelog: "# Changelog\n\n## [0.2.0] - 2027-01-31\n\n### Added\n",
  uncommitted: "",
  packed: {
    files: ["package.json", "LICENSE", "README.md", "dist/index.js", "docs/formula.md"].map((path) => ({ path })),
    unpackedSize: 3e6,
  },
};

it("passes a candidate without faults", () => expect(judgeRelease(sound)).toEqual([]));

it.each<[string, Partial<Candidate>, RegExp]>([
  ["a placeholder", { manifest: { ...sound.manifest, homepage: `https://github.com/${placeholder}/kasane` } }, /^homepage .* placeholder/],
  ["no address", { manifest: { ...sound.manifest, bugs: {} } }, /no address under bugs/],
  ["no heading", { changelog: "## [Unreleased]\n## [0.20.0] - 2027-01-31" }, /no heading "## \[0\.2\.0\]/],
  ["a heading of a longer version", { changelog: "## [0.2.01] - 2027-01-31" }, /no heading/],
  ["no date", { changelog: "## [0.2.0] - soon" }, /the date soon/],
  ["files that are not committed", { uncommitted: " M src/index.ts\n?? notes.txt\n" }, /^2 files are not committed, src\/index\.ts first/],
  [
    "sources in the tarball",
    { packed: { files: [{ path: "src/index.ts" }], unpackedSize: 1 } },
    /1 files that do not belong there, src\/index\.ts/,
  ],
  ["a fingerprint in the tarball", { packed: { files: [{ path: "dist/.sources" }], unpackedSize: 1 } }, /dist\/\.sources/],
  ["a large tarball", { packed: { files: [], unpackedSize: 7e6 } }, /unpacks to 7000000 bytes/],
])("finds %s", (_, fault, sentence) => {
  const [only, ...rest] = judgeRelease({ ...sound, ...fault });
  expect(only).toMatch(sentence);
  expect(rest).toEqual([]);
});

it("finds the placeholder where it stands in this project, and nowhere else", () => {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  expect(manifest.split(placeholder)).toHaveLength(4);
  for (const file of ["README.md", "SECURITY.md", "CONTRIBUTING.md"])
    expect(readFileSync(new URL(`../../${file}`, import.meta.url), "utf8")).not.toContain(placeholder);
});
