// Judges whether what lies here can be released: address, changelog, committed sources, and what the tarball holds.

/** Stands in `package.json` where a public address belongs, until there is one. */
export const placeholder = "YOUR-ORGANIZATION";

/** What npm would publish, unpacked, at most. */
const MOST_BYTES = 6_000_000;
const BELONGS = /^(dist\/|docs\/[\w-]+\.md$|package\.json$|(README|CHANGELOG|CONTRIBUTING|SECURITY)\.md$|LICENSE$)/;

/**
 * @typedef {object} Candidate
 * @property {{ version: string, repository?: { url?: string }, homepage?: string, bugs?: { url?: string } }} manifest
 * @property {string} changelog
 * @property {string} uncommitted what `git status --porcelain` says
 * @property {{ files: readonly { path: string }[], unpackedSize: number }} packed what `npm pack --json` says
 */

/**
 * What forbids a release, a sentence each.
 * @param {Candidate} candidate
 * @returns {string[]}
 */
export function judgeRelease({ manifest, changelog, uncommitted, packed }) {
  const findings = [];
  for (const [field, address] of Object.entries({
    repository: manifest.repository?.url,
    homepage: manifest.homepage,
    bugs: manifest.bugs?.url,
  })) {
    if (!address?.startsWith("http") && !address?.startsWith("git+http")) findings.push(`package.json names no address under ${field}.`);
    else if (address.includes(placeholder))
      findings.push(`${field} in package.json is still the placeholder ${address}: put the public address there.`);
  }
  const { version } = manifest;
  const date = changelog.match(new RegExp(`^## \\[?${version.replaceAll(".", "\\.")}\\]? - (\\S+)$`, "m"))?.[1];
  if (date === undefined) findings.push(`CHANGELOG.md has no heading "## [${version}] - YEAR-MONTH-DAY".`);
  else if (Number.isNaN(Date.parse(date))) findings.push(`CHANGELOG.md gives ${version} the date ${date}: write it as 2027-01-31.`);
  const changed = uncommitted.split("\n").filter((line) => line !== "");
  if (changed.length > 0) findings.push(`${changed.length} files are not committed, ${changed[0]?.slice(3)} first.`);
  const strangers = packed.files.filter(({ path }) => !BELONGS.test(path) || path.startsWith("dist/."));
  if (strangers.length > 0)
    findings.push(`The tarball holds ${strangers.length} files that do not belong there, ${strangers[0]?.path} first.`);
  if (packed.unpackedSize > MOST_BYTES)
    findings.push(`The tarball unpacks to ${packed.unpackedSize} bytes, and ${MOST_BYTES} is what it may come to.`);
  return findings;
}
