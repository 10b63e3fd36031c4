// The command line in this process: what it prints where, exit codes, runs on disk, bad input, interruption and resuming.

import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import stringWidth from "string-width";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CommandOptions, type Outcome, runCommand } from "./command.ts";

let cwd = "";
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "kasane-cli-"));
});
afterAll(() => rm(cwd, { recursive: true }));

const kasane = (line: string | readonly string[], more: CommandOptions = {}): Promise<Outcome> => runCommand(cwd, line, more);

const lines = (text: string): string[] => text.trimEnd().split("\n");

describe("kasane train", () => {
  it("trains, reports and writes a run, in a new folder each time", async () => {
    const first = await kasane("train moons --samples 200 --epochs 30 --seed 4");
    expect(first.code).toBe(0);
    expect(first.err).toBe("");
    expect(first.out).toMatch(/accuracy on 40 held-out samples: \d+\.\d\d %/);
    expect(first.out).toContain("The run is in runs/moons-1");
    expect(first.out).toContain("kasane predict runs/moons-1 --input=");
    expect(lines(first.out).filter((line) => /^ +\d+\/30 /.test(line))).toHaveLength(30);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is the point
    expect(first.out).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
    expect(Math.max(...lines(first.out).map((line) => stringWidth(line)))).toBeLessThanOrEqual(80);
    const second = await kasane("train moons --samples 200 --epochs 30 --seed 4 --json");
    expect((await readdir(join(cwd, "runs", "moons-1"))).sort()).toEqual([
      "checkpoint.safetensors",
      "config.json",
      "metrics.jsonl",
      "model.safetensors",
      "summary.json",
      "summary.txt",
    ]);
    expect(lines(second.out)).toHaveLength(1);
    const result = JSON.parse(second.out);
    expect(result).toMatchObject({ run: "runs/moons-2", epochs: 30, train: { samples: 160 }, validation: { samples: 40 } });
    expect(result.validation.accuracy).toBeGreaterThan(0.9);
    expect(typeof result.seconds).toBe("number");
    expect(second.err).toContain("held-out samples");
    const weights = await Promise.all([1, 2].map((n) => readFile(join(cwd, "runs", `moons-${n}`, "model.safetensors"))));
    expect(weights[0]?.equals(weights[1] as Buffer)).toBe(true);
    expect(lines(await readFile(join(cwd, "runs/moons-1/metrics.jsonl"), "utf8"))).toHaveLength(30);
  });

  it("draws a bar on a terminal, none where colours are not wanted", async () => {
    const line = "train digits --samples 200 --epochs 1";
    const moving = await kasane(line, { terminal: true });
    expect(moving.err).toContain("\r");
    expect(moving.err).toMatch(/epoch 1\/1 .*samples\/s {2}loss .* left/);
    for (const drawing of moving.err.split("\r")) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: colours take no room
      expect(stringWidth(drawing.replace(/\u001b\[[0-9;]*[a-zA-Z]/g, ""))).toBeLessThan(80);
    }
    for (const env of [{ NO_COLOR: "1" }, { CI: "true" }]) {
      const plain = await kasane(line, { terminal: true, env });
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is the point
      expect(plain.out + plain.err).not.toMatch(/[\r\u001b]/);
    }
  });

  it("saves at Ctrl-C and goes on to the very same weights", async () => {
    const options = "--samples 400 --epochs 4 --model mlp --dropout 0.2";
    expect((await kasane(`train digits ${options} --out whole`)).code).toBe(0);
    const stopped = await kasane(`train digits ${options} --out part --json`, {
      interrupt: (send, text) => {
        if (text.includes(" 2/4 ")) send("SIGINT");
      },
    });
    expect(stopped.code).toBe(130);
    expect(stopped.exits).toEqual([]);
    expect(JSON.parse(stopped.out)).toMatchObject({ run: "part", interrupted: "SIGINT", epochs: 2, resume: "kasane train --resume part" });
    expect(stopped.err).toContain("kasane train --resume part");
    const rest = await kasane("train --resume part");
    expect(rest.code).toBe(0);
    const [whole, part] = await Promise.all(["whole", "part"].map((name) => readFile(join(cwd, name, "model.safetensors"))));
    expect(part?.equals(whole as Buffer)).toBe(true);
    const again = await kasane("train --resume part");
    expect(again).toMatchObject({ code: 2, out: "" });
    expect(again.err).toMatch(/all of its 4 epochs already/);
    const further = await kasane("train --resume part --epochs 5 --json");
    expect(JSON.parse(further.out)).toMatchObject({ epochs: 5 });
  });

  it("ends at once at the second Ctrl-C", async () => {
    const result = await kasane("train moons --samples 100 --epochs 2000 --out twice", {
      interrupt: (send, text) => {
        if (text.includes("1/2000")) {
          send("SIGTERM");
          send("SIGINT");
        }
      },
    });
    expect(result.exits).toEqual([130]);
  });

  it("learns tables: classes and numbers, with text in quotes and Japanese names", async () => {
    const rows = Array.from({ length: 210 }, (_, n) => [n % 7, (n * 3) % 5]);
    await writeFile(
      join(cwd, "class.csv"),
      `大きさ;"colour; depth";kind\n${rows.map(([a = 0, b = 0]) => `${a};${b};${a > 3 ? "赤" : "白"}`).join("\n")}\n`,
    );
    await writeFile(
      join(cwd, "number.csv"),
      `a,b,price\n${rows.map(([a = 0, b = 0]) => `${a},${b},${(1000 + 50 * a - 20.5 * b).toFixed(1)}`).join("\n")}\n`,
    );
    const classes = await kasane("train --csv class.csv --target kind --epochs 60 --json");
    expect(JSON.parse(classes.out)).toMatchObject({ validation: { accuracy: 1 }, classNames: ["白", "赤"] });
    const numbers = JSON.parse((await kasane("train --csv number.csv --target price --epochs 60 --json")).out);
    expect(numbers.validation.rSquared).toBeGreaterThan(0.98);
    const guess = JSON.parse((await kasane(`predict ${numbers.run} --input 2,3 --json`)).out);
    expect(guess.predictions[0].value).toBeGreaterThan(1000);
    expect(guess.predictions[0].value).toBeLessThan(1080);
    const file = await kasane(["predict", JSON.parse(classes.out).run, "class.csv"]);
    expect(file.out).toContain("right: 100.00 % of 210");
  });
});

describe("kasane predict, summary, explain, doctor", () => {
  it("show a run", async () => {
    expect((await kasane("train digits --samples 300 --epochs 2 --out shown")).code).toBe(0);
    const picture = await kasane("predict shown --sample 0 --sample 5");
    expect(picture.out).toMatch(/sample 0: .*[░▒▓█]/s);
    const { predictions } = JSON.parse((await kasane("predict shown --sample 0 --json")).out);
    expect(Object.keys(predictions[0].probabilities)).toHaveLength(10);
    const total = Object.values<number>(predictions[0].probabilities).reduce((sum, p) => sum + p, 0);
    expect(total).toBeCloseTo(1, 5);
    const summary = await kasane("summary shown");
    expect(summary.out).toMatch(/conv2d.*\[1, 16, 28, 28\]/);
    expect(summary.out).toContain("206,922");
    expect(JSON.parse((await kasane("summary shown --json")).out)).toMatchObject({
      run: "shown",
      finished: true,
      layers: { parameters: 206922 },
    });
  });

  it("explain ops with numbers", async () => {
    const sigmoid = await kasane("explain sigmoid");
    expect(sigmoid.out).toContain("y = 1 / (1 + exp(-x))");
    expect(sigmoid.out).toContain("gx = gy * y * (1 - y)");
    expect(sigmoid.out).toContain("src/ops/activations.ts");
    expect(sigmoid.out).toMatch(/y\[\d\] = 0\.\d+ = 1 \/ \(1 \+ exp\(-/);
    const all = JSON.parse((await kasane("explain --json")).out);
    for (const { name } of all.ops as { name: string }[]) {
      const { code, out, err } = await kasane(["explain", name, "--json"]);
      expect({ name, code, err: err.includes("inside kasane") }).toEqual({ name, code: 0, err: false });
      expect(JSON.parse(out).backends).toContain("reference");
    }
    expect(await kasane("explain sofmax")).toMatchObject({ code: 2, err: expect.stringContaining("softmax") });
  });

  it("say what was chosen", async () => {
    expect(JSON.parse((await kasane("doctor --machine --json")).out)).toMatchObject({
      node: process.versions.node,
      backend: { name: expect.any(String), description: expect.any(String) },
    });
  });

  it("help", async () => {
    for (const command of ["", "train", "predict", "summary", "explain", "doctor"]) {
      const { code, out } = await kasane(`${command} --help`.trim());
      expect(code).toBe(0);
      expect(out).toContain(`Usage: kasane ${command}`.trim());
      expect(Math.max(...lines(out).map((line) => stringWidth(line)))).toBeLessThanOrEqual(90);
    }
    expect((await kasane("--version")).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe("bad input is one sentence", () => {
  beforeAll(async () => {
    await writeFile(join(cwd, "ragged.csv"), "a,b,kind\n1,2,x\n3,4\n");
    await writeFile(join(cwd, "names.csv"), `${"a".repeat(5000)},y\n${"1,x\n2,y\n".repeat(10)}`);
    await writeFile(join(cwd, "text.csv"), "a,b,kind\n1,2,x\n3,oops,y\n");
    await writeFile(join(cwd, "nan.csv"), "a,b,kind\n1,2,x\nNaN,4,y\n");
    await writeFile(join(cwd, "empty.csv"), "");
    await kasane("train xor --samples 50 --epochs 1 --out kept");
    await cp(join(cwd, "kept"), join(cwd, "cut"), { recursive: true });
    await truncate(join(cwd, "cut", "model.safetensors"), 200);
    await truncate(join(cwd, "cut", "checkpoint.safetensors"), 200);
  });

  it.each([
    ["train", 2, /expected a data set[\s\S]*digits/],
    ["train digit", 2, /expected one of digits[\s\S]*Did you mean digits/],
    ["train digits --epoch 3", 2, /unknown option '--epoch'[\s\S]*--epochs/],
    ["train digits --epochs 0", 2, /--epochs 0: expected a whole number of at least 1/],
    ["train digits --batch many", 2, /--batch many/],
    ["train digits --lr -1", 2, /lr/],
    ["train digits --lr 0x10", 2, /--lr 0x10: expected a number above 0/],
    ["train digits --dropout 0b0", 2, /--dropout 0b0: expected a number/],
    ["train digits --optimizer adam:beta1=0x0", 2, /expected adam:beta1 to be a number, got "0x0"/],
    ["train digits --optimizer adma", 2, /Did you mean adam\?/],
    [
      "train xor --loss crossEntropy:labelSmoothing=5 --out smooth",
      2,
      /--loss \S*: crossEntropy: labelSmoothing must be in \[0, 1\], got 5/,
    ],
    ["train xor --out  --force", 2, /--out : expected the name of a file or folder, got an empty word/],
    ["train --resume ", 2, /--resume : expected the name of a file or folder/],
    ["train --csv  --target a", 2, /--csv : expected the name of a file or folder/],
    ["summary ", 2, /RUN : expected the name of a file or folder/],
    ["predict kept ", 2, /FILE : expected the name of a file or folder/],
    ["graph kept --out ", 2, /--out : expected the name of a file or folder/],
    ["train --csv names.csv --target y", 1, /names\.csv: columnNames\[0\]: expected a text of at most 4096 letters.*\n {2}try: other data/],
    ["train moons --model cnn", 2, /needs images/],
    ["train moons --target a", 2, /--target belongs to --csv/],
    ["train --csv text.csv", 2, /--target COLUMN/],
    ["train --csv missing.csv --target a", 1, /missing\.csv: there is no such file/],
    ["train --csv text.csv --target knd", 1, /no column "knd"[\s\S]*"kind"/],
    ["train --csv text.csv --target kind", 1, /line 3, column "b": expected a number, got "oops"/],
    ["train --csv nan.csv --target kind", 1, /line 3, column "a": expected a finite number, got NaN/],
    ["train --csv ragged.csv --target kind", 1, /line 3: expected 3 cells as in the header, got 2/],
    ["train --csv empty.csv --target kind", 1, /empty/],
    ["train xor --out kept", 2, /already holds a run[\s\S]*--force/],
    ["train xor --out text.csv", 1, /there is a file of that name/],
    ["train xor --out /proc/none/run", 1, /cannot make the folder/],
    ["train --resume text.csv", 1, /a folder was expected|cannot read the folder/],
    ["train --resume kept --batch 3", 2, /--batch cannot change/],
    ["train --resume cut --epochs 2", 1, /checkpoint\.safetensors: not a valid safetensors file/],
    [
      "train xor --samples 50 --lr 1e30 --optimizer sgd --out diverged",
      1,
      /expected a finite loss, got (NaN|Infinity) in epoch 1, batch \d\nthe first number that is not finite \(output\)[\s\S]* of output \(linearBias\) = -?(inf|nan)[\s\S]*smaller learning rate/i,
    ],
    ["predict cut --input 1,2", 1, /model\.safetensors: not a valid safetensors file/],
    ["predict kept", 2, /expected one of a file, --input and --sample/],
    ["predict kept --input 1,2,3", 2, /expected 2 numbers \(x, y\), got 3/],
    ["predict kept --input 1,two", 2, /expected finite numbers/i],
    ["predict kept --sample 1000", 2, /from 0 to 9, got 1000/],
    ["predict none --sample 1", 1, /cannot read the folder/],
    ["summary text.csv", 1, /cannot read the folder|a folder was expected/],
    ["fly", 2, /unknown command 'fly'/],
  ])("%s", async (line, code, message) => {
    const before = await readFile(join(cwd, "kept", "model.safetensors"));
    const text = await kasane(line);
    expect(text.err).toMatch(message);
    expect(text.code).toBe(code);
    expect(text.err).not.toMatch(/\n\s+at /);
    expect(text.err).not.toContain("inside kasane");
    const json = await kasane(`${line} --json`.replace("diverged", "diverged-too"));
    expect(json.code).toBe(code);
    expect(lines(json.out)).toHaveLength(1);
    expect(JSON.parse(json.out).error.message).toMatch(/^\S/);
    expect((await readFile(join(cwd, "kept", "model.safetensors"))).equals(before)).toBe(true);
  });

  it("shows where only when asked", async () => {
    expect((await kasane("summary none --verbose")).err).toMatch(/\n\s+at /);
  });
});
