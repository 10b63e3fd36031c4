// How many processors a process may use, by files as machines and containers have them.

import { availableParallelism } from "node:os";
import { describe, expect, it } from "vitest";
import { processors, withinQuota } from "../../../src/backends/emitted/processors.ts";

const v2 = "31 24 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup rw,nsdelegate";
const v1 = (root = "/") =>
  [
    `35 31 0:30 ${root} /sys/fs/cgroup/cpu,cpuacct ro,nosuid shared:12 - cgroup cgroup rw,cpu,cpuacct`,
    `36 31 0:31 ${root} /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory`,
  ].join("\n");

type Files = Readonly<Record<string, string>>;
const inside = (mountinfo: string, cgroup: string, files: Files): Files => ({
  "/proc/self/mountinfo": `22 1 8:1 / / rw - ext4 /dev/sda1 rw\n${mountinfo}\n`,
  "/proc/self/cgroup": `${cgroup}\n`,
  ...files,
});
const quota = (folder: string, of: number, period = 100_000): Files => ({
  [`${folder}/cpu.cfs_quota_us`]: `${of}\n`,
  [`${folder}/cpu.cfs_period_us`]: `${period}\n`,
});

const machines: Readonly<Record<string, readonly [files: Files, counted: number, expected: number]>> = {
  "no such files": [{}, 8, 8],
  "a container of one processor on 64": [inside(v2, "0::/", { "/sys/fs/cgroup/cpu.max": "100000 100000\n" }), 64, 1],
  "a container without limit": [inside(v2, "0::/", { "/sys/fs/cgroup/cpu.max": "max 100000\n" }), 64, 64],
  "half a processor": [inside(v2, "0::/", { "/sys/fs/cgroup/cpu.max": "50000 100000\n" }), 64, 1],
  "a tenth of one": [inside(v2, "0::/", { "/sys/fs/cgroup/cpu.max": "10000 100000\n" }), 64, 1],
  "one and a quarter": [inside(v2, "0::/", { "/sys/fs/cgroup/cpu.max": "125000 100000\n" }), 64, 1],
  "two and a half": [inside(v2, "0::/", { "/sys/fs/cgroup/cpu.max": "250000 100000\n" }), 64, 3],
  "more than there are": [inside(v2, "0::/", { "/sys/fs/cgroup/cpu.max": "1600000 100000\n" }), 4, 4],
  "another period": [inside(v2, "0::/", { "/sys/fs/cgroup/cpu.max": "40000 20000\n" }), 64, 2],
  "a service of systemd": [
    inside(v2, "0::/system.slice/a.service", { "/sys/fs/cgroup/system.slice/a.service/cpu.max": "200000 100000\n" }),
    64,
    2,
  ],
  "the narrowest group around it": [
    inside(v2, "0::/a/b/c", {
      "/sys/fs/cgroup/a/b/c/cpu.max": "max 100000\n",
      "/sys/fs/cgroup/a/b/cpu.max": "300000 100000\n",
      "/sys/fs/cgroup/a/cpu.max": "800000 100000\n",
    }),
    64,
    3,
  ],
  "groups of others": [inside(v2, "0::/a", { "/sys/fs/cgroup/b/cpu.max": "100000 100000\n" }), 64, 64],
  "a path outside of what it sees": [inside(v2, "0::/../../other", { "/sys/fs/cgroup/cpu.max": "200000 100000\n" }), 64, 2],
  "version 1": [inside(v1(), "4:cpu,cpuacct:/\n0::/", quota("/sys/fs/cgroup/cpu,cpuacct", 200_000)), 64, 2],
  "version 1 without limit": [inside(v1(), "4:cpu,cpuacct:/", quota("/sys/fs/cgroup/cpu,cpuacct", -1)), 64, 64],
  "version 1 in a container that names its host's path": [
    inside(v1("/docker/1f"), "4:cpu,cpuacct:/docker/1f\n3:memory:/docker/1f", quota("/sys/fs/cgroup/cpu,cpuacct", 150_000)),
    64,
    2,
  ],
  "version 1, a group of its own inside": [
    inside(v1("/docker/1f"), "4:cpu,cpuacct:/docker/1f/own", {
      ...quota("/sys/fs/cgroup/cpu,cpuacct/own", 100_000),
      ...quota("/sys/fs/cgroup/cpu,cpuacct", 400_000),
    }),
    64,
    1,
  ],
  "both versions": [
    inside(`${v1()}\n40 31 0:40 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw`, "0::/a\n4:cpu,cpuacct:/a", {
      ...quota("/sys/fs/cgroup/cpu,cpuacct/a", 300_000),
      "/sys/fs/cgroup/unified/a/cpu.max": "max 100000\n",
    }),
    64,
    3,
  ],
  "a root whose name another begins with": [
    inside(v1("/docker/1"), "4:cpu,cpuacct:/docker/12", quota("/sys/fs/cgroup/cpu,cpuacct", 100_000)),
    64,
    1,
  ],
  "lines that say nothing": [inside(v2, "0::/", { "/sys/fs/cgroup/cpu.max": "\n" }), 64, 64],
  "a period of zero": [inside(v2, "0::/", { "/sys/fs/cgroup/cpu.max": "100000 0\n" }), 64, 64],
};

describe("processors for this process", () => {
  it.each(Object.entries(machines))("%s", (_, [files, counted, expected]) => {
    expect(withinQuota(counted, (path) => files[path])).toBe(expected);
  });

  it("are some of those that the system counts", () => {
    expect(processors()).toBeGreaterThanOrEqual(1);
    expect(processors()).toBeLessThanOrEqual(availableParallelism());
  });
});
