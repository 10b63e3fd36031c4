// How many processors this process may use: what the system reports, limited by the control groups of a container.

interface Host {
  readonly process?: {
    readonly platform?: string;
    getBuiltinModule?(name: "node:os"): { availableParallelism(): number };
    getBuiltinModule?(name: "node:fs"): { readFileSync(path: string, encoding: "utf8"): string };
  };
  readonly navigator?: { readonly hardwareConcurrency?: number };
  readonly Deno?: unknown;
}

let known: number | undefined;

/** Read once: it is asked for with every backend. */
export function processors(): number {
  known ??= count();
  return known;
}

function count(): number {
  const { process, navigator, Deno } = globalThis as Host;
  const counted = process?.getBuiltinModule?.("node:os").availableParallelism() ?? navigator?.hardwareConcurrency ?? 1;
  // Deno has taken the groups into account, and would ask the user whether these files may be read.
  return process?.platform !== "linux" || Deno !== undefined ? counted : withinQuota(counted, readFile);
}

function readFile(path: string): string | undefined {
  try {
    return (globalThis as Host).process?.getBuiltinModule?.("node:fs").readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/**
 * No more than whole processors of the time that is granted, to the nearest one, at least one: a thread for a small
 * rest would make the others wait.
 * @param read a file's text; undefined where there is none, or it may not be read
 */
export function withinQuota(counted: number, read: (path: string) => string | undefined): number {
  const shares = foldersOf(read("/proc/self/mountinfo") ?? "", read("/proc/self/cgroup") ?? "").flatMap((folder) => shareOf(folder, read));
  return Math.max(1, Math.min(counted, Math.round(Math.min(counted, ...shares))));
}

/** Processors' worth of time that one group grants: none where it sets no limit. */
function shareOf(folder: string, read: (path: string) => string | undefined): number[] {
  const [quota, period] = (read(`${folder}/cpu.max`)?.split(" ") ?? [
    read(`${folder}/cpu.cfs_quota_us`),
    read(`${folder}/cpu.cfs_period_us`),
  ]) as [string?, string?];
  const share = Number(quota) / Number(period);
  // "max" and -1: without limit.
  return share > 0 && Number.isFinite(share) ? [share] : [];
}

/**
 * The folders of the groups that this process is in, of both versions of control groups, outwards as far as they can be
 * seen.
 * @param mounts /proc/self/mountinfo: "36 35 0:30 /root-of-it /where/it/is options - type source options"
 * @param groups /proc/self/cgroup: "0::/path" for version 2, "4:cpu,cpuacct:/path" for version 1
 */
function foldersOf(mounts: string, groups: string): string[] {
  const paths = groups.split("\n").flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) return [];
    return controllers === "" || controllers.split(",").includes("cpu") ? [{ type: controllers === "" ? "cgroup2" : "cgroup", path }] : [];
  });
  return mounts.split("\n").flatMap((line) => {
    const [, root, place, type, options] = /^\S+ \S+ \S+ (\S+) (\S+) .*- (cgroup2?) \S+ (\S+)$/.exec(line) ?? [];
    if (root === undefined || place === undefined || (type === "cgroup" && !options!.split(",").includes("cpu"))) return [];
    return paths.filter((group) => group.type === type).flatMap(({ path }) => outwards(place, below(root, path)));
  });
}

/**
 * What is left of a path below a root; nothing where it lies outside, as in a container that sees the groups of its
 * host by name only.
 */
function below(root: string, path: string): string[] {
  const inside = root === "/" || path === root || path.startsWith(`${root}/`);
  const parts = (inside ? path.slice(root === "/" ? 0 : root.length) : "").split("/").filter((part) => part !== "");
  return parts.includes("..") ? [] : parts;
}

function outwards(place: string, parts: readonly string[]): string[] {
  return Array.from({ length: parts.length + 1 }, (_, given) => [place, ...parts.slice(0, parts.length - given)].join("/"));
}
