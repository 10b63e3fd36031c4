// Advice of the command line: the line is given, what it prints after "try:" is done, and works.

import { readFile, rename, rm, writeFile } from "node:fs/promises";
import * as data from "../../src/data/index.ts";
import * as kasane from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import * as optim from "../../src/optim/index.ts";
import { RunFolder } from "../../src/train/node.ts";
import { runCommand } from "../cli/command.ts";
import { type Advice, advice } from "./advice.ts";
import { inFolder } from "./models.ts";

type Path = (...names: string[]) => string;

/** A command line that must succeed; its error has the hint it printed. */
async function command(path: Path, line: string | readonly string[]): Promise<string> {
  const { code, out, err } = await runCommand(path(), line);
  if (code === 0) return out;
  const [, hint] = /^ {2}try: (.*)$/m.exec(err) ?? [];
  throw Object.assign(new Error(err), { hint });
}

/** Lines one after the other, in a folder of their own, where files lie. */
const lines =
  (files: Readonly<Record<string, string | Uint8Array>>, ...each: readonly (string | readonly string[] | ((path: Path) => unknown))[]) =>
  () =>
    inFolder(async (path) => {
      // Modules outside of the project know it by this name.
      (globalThis as { kasaneHere?: object }).kasaneHere = { ...kasane, ...nn, ...optim, ...data, tanh: kasane.tanh, relu: nn.relu };
      await writeFile(path("package.json"), '{ "type": "module" }');
      for (const [name, text] of Object.entries(files)) await writeFile(path(name), text);
      for (const one of each) await (typeof one === "function" ? one(path) : command(path, one));
    });

const line = (...each: readonly (string | readonly string[] | ((path: Path) => unknown))[]) => lines({}, ...each);
const TRAIN = "train moons --samples 40 --epochs 1 --out run";
const SHORT = "train moons --samples 40 --epochs 1";
const here = "const { adam, compile, crossEntropy, Dataset, linear, ones, parameter, tensor, zeros } = globalThis.kasaneHere;\n";
const compiled = `${here}const x = ones([2, 2]);\nexport default compile((v) => v.add(1)); export const inputs = [x];`;
const recordable = `${here}const net = linear(2, 1);\nexport default () => { const loss = net(ones([2, 2])).sum(); loss.backward(); return loss; }; export const model = net;`;
const training = `${here}export const model = linear(2, 2);
export const data = new Dataset({ x: ones([40, 2]), y: zeros([40], { dtype: "int32" }) });
export const loss = crossEntropy; export const optimizer = adam(model.parameters());`;
const rowsOf = (count: number) => Array.from({ length: count }, (_, n) => `${n % 7},${n % 5},${n % 7 > 3 ? "yes" : "no"}`).join("\n");
const table = (count = 40): string => `a,b,y\n${rowsOf(count)}\n`;
const CSV = "train --csv t.csv --target y --epochs 1 --out run";
const idx = (...shape: number[]) =>
  Uint8Array.of(0, 0, 8, shape.length, ...shape.flatMap((n) => [0, 0, 0, n]), ...new Uint8Array(shape.reduce((a, b) => a * b, 1)));

/** Changes a text file of the run. */
const edited = (name: string, change: (text: string) => string) => async (path: Path) => {
  await writeFile(path("run", name), change(await readFile(path("run", name), "utf8")));
};

/** Writes the model of the run anew, of another architecture, or with other weights. */
const stored = (architecture?: object, weight?: number) => async (path: Path) => {
  const folder = await RunFolder.open(path("run"));
  const model = await folder.loadModel();
  const tensors = new Map(
    [...model.tensors].map(([name, { shape, data: numbers }]) => {
      const kept = Float32Array.from(numbers as ArrayLike<number>, (value) => weight ?? value);
      return [name, kasane.fromData(kept, [...shape], "float32")] as const;
    }),
  );
  await folder.saveModel(tensors as never, architecture ?? model.architecture);
};

export const cliAdvice: readonly Advice[] = [
  advice("--help lists what there is", line("train moons --quite"), line("train --help")),
  advice("did you mean --epochs?", line("train moons --epoch 1"), line(TRAIN)),
  advice("did you mean crossEntropy?", line(`${SHORT} --loss crosEntropy`), line(`${SHORT} --loss crossEntropy`)),
  // Data and models.
  advice(
    "digits, moons, spirals, xor, wine, --csv FILE --target COLUMN, or --mnist FOLDER",
    line("train --epochs 1"),
    ...(["digits", "moons", "spirals", "xor"].map((name) => line(`train ${name} --samples 40 --epochs 1`)) as [() => unknown]),
    lines({ "t.csv": table() }, CSV),
  ),
  advice("--target COLUMN", lines({ "t.csv": table() }, "train --csv t.csv"), lines({ "t.csv": table() }, CSV)),
  advice(
    "--csv FILE --target COLUMN for tables, --mnist FOLDER for images",
    lines({ "t.csv": table() }, "train moons --data t.csv"),
    lines({ "t.csv": table() }, CSV),
  ),
  advice(
    "a larger table, or more --samples",
    lines({ "t.csv": table(6) }, CSV),
    lines({ "t.csv": table(40) }, CSV),
    lines({ "t.csv": table(40) }, `${CSV} --samples 20`),
  ),
  advice("--samples 1000000", line("train moons --samples 99000000"), line("train moons --samples 1000 --epochs 1")),
  advice("--model mlp", line(`${SHORT} --model linear --hidden 4`), line(`${SHORT} --model mlp --hidden 4`)),
  advice("--model mlp or --model linear", line(`${SHORT} --model cnn`), line(`${SHORT} --model mlp`), line(`${SHORT} --model linear`)),
  advice("fewer hidden units", line(`${SHORT} --hidden 60000,60000`), line(`${SHORT} --hidden 60`)),
  // Runs.
  advice(
    "… train --resume runs/digits-1",
    line("train --resume"),
    line("train digits --samples 40 --epochs 1", "train --resume runs/digits-1 --epochs 2"),
  ),
  advice(
    "leave it out, or begin a new run; only --epochs may be given",
    line(TRAIN, "train --resume run --seed 3"),
    line(TRAIN, "train --resume run --epochs 2"),
    line(`${TRAIN} --seed 3`),
  ),
  advice("--epochs 6 to train it further", line(TRAIN, "train --resume run"), line(TRAIN, "train --resume run --epochs 6")),
  advice(
    "put the same files back, or begin a new run",
    lines({ "t.csv": table() }, CSV, (path) => writeFile(path("t.csv"), table(50)), "train --resume run --epochs 2"),
    lines(
      { "t.csv": table() },
      CSV,
      (path) => writeFile(path("t.csv"), table(50)),
      (path) => writeFile(path("t.csv"), table()),
      "train --resume run --epochs 2",
    ),
    lines({ "t.csv": table(50) }, CSV),
  ),
  advice(
    "put the same files back, or give a file or --input",
    lines({ "t.csv": table() }, CSV, (path) => writeFile(path("t.csv"), table(50)), "predict run --sample 0"),
    lines(
      { "t.csv": table() },
      CSV,
      (path) => writeFile(path("t.csv"), table(50)),
      (path) => writeFile(path("t.csv"), table()),
      "predict run --sample 0",
    ),
    lines({ "t.csv": table() }, CSV, (path) => writeFile(path("t.csv"), table(50)), "predict run t.csv", "predict run --input 1,2"),
  ),
  advice(
    "other data, or shorter names in them",
    lines({ "t.csv": `${"a".repeat(5000)},b,y\n${rowsOf(40)}` }, CSV),
    lines({ "t.csv": `${"a".repeat(50)},b,y\n${rowsOf(40)}` }, CSV),
    lines({ "t.csv": table() }, CSV),
  ),
  advice(
    "put the data back",
    lines({ "t.csv": table() }, CSV, (path) => rm(path("t.csv")), "predict run --sample 0"),
    lines(
      { "t.csv": table() },
      CSV,
      (path) => rename(path("t.csv"), path("u.csv")),
      (path) => rename(path("u.csv"), path("t.csv")),
      "predict run --sample 0",
    ),
  ),
  advice(
    "train anew, or put config.json back as kasane train wrote it",
    line(
      TRAIN,
      edited("config.json", (text) => text.replace('"epochs": 1', '"epochs": -1').replace('"epochs":1', '"epochs":-1')),
      "summary run",
    ),
    line(TRAIN, `${TRAIN} --force`, "summary run"),
    line(
      TRAIN,
      edited("config.json", (text) => `${text} `),
      edited("config.json", (text) => text.trimEnd()),
      "summary run",
    ),
  ),
  advice(
    "put both files back as kasane train wrote them",
    line(
      TRAIN,
      "train moons --samples 40 --epochs 1 --hidden 3 --out other",
      (path) => rename(path("other", "model.safetensors"), path("run", "model.safetensors")),
      "predict run --sample 0",
    ),
    line(TRAIN, "predict run --sample 0"),
  ),
  advice("… predict run --sample 0", line(TRAIN, "predict run"), line(TRAIN, "predict run --sample 0")),
  advice(
    "an IDX file, or --sample N",
    line("train digits --samples 40 --epochs 1 --out run", "predict run --input 1,2"),
    lines({ images: idx(2, 28, 28) }, "train digits --samples 40 --epochs 1 --out run", "predict run images"),
    line("train digits --samples 40 --epochs 1 --out run", "predict run --sample 1"),
  ),
  advice(
    "give the file with the images, not the labels",
    lines({ labels: idx(2) }, "train digits --samples 40 --epochs 1 --out run", "predict run labels"),
    lines({ images: idx(2, 28, 28) }, "train digits --samples 40 --epochs 1 --out run", "predict run images"),
  ),
  advice(
    '--at "hidden1.weight[0, 0]"',
    line(TRAIN, ["explain", "run", "--at", "hidden1.weight"]),
    line(TRAIN, ["explain", "run", "--at", "hidden1.weight[0, 0]"]),
  ),
  advice("explain without a name lists all ops", line("explain zzzzzz"), line("explain")),
  // Modules.
  advice(
    "a module whose default export is a function, with its arguments as inputs; or one that exports model, data, loss and optimizer, as fit takes them; or the folder of a run",
    line("compile missing.mjs"),
    lines({ "m.mjs": compiled }, "compile m.mjs"),
    lines({ "m.mjs": training }, "doctor m.mjs"),
    line(TRAIN, "doctor run"),
  ),
  advice(
    "./m.txt if it is one; else a file that ends in .js or .mjs, or the folder of a run",
    lines({ "m.txt": compiled }, "compile m.txt"),
    lines({ "m.js": compiled }, "compile m.js"),
    lines({ "m.mjs": compiled }, "compile m.mjs"),
  ),
  advice(
    "export default compile((x) => …); export const inputs = [x];",
    lines({ "m.mjs": "export default 3;" }, "compile m.mjs"),
    lines({ "m.mjs": compiled }, "compile m.mjs"),
  ),
  advice(
    "export default () => { const loss = …; loss.backward(); return loss; }; export const model = net;",
    lines({ "m.mjs": "export default () => 1;" }, "explain m.mjs"),
    lines({ "m.mjs": recordable }, "explain m.mjs"),
  ),
  advice(
    "is optimiser meant to be optimizer?",
    lines({ "m.mjs": training.replace("const optimizer", "const optimiser") }, "doctor m.mjs"),
    lines({ "m.mjs": training }, "doctor m.mjs"),
  ),
  advice(
    "export const model = await …",
    lines(
      {
        "m.mjs": training
          .replace("model = linear(2, 2)", "model = Promise.resolve(linear(2, 2))")
          .replace("model.parameters()", "linear(2, 2).parameters()"),
      },
      "doctor m.mjs",
    ),
    lines({ "m.mjs": training.replace("model = linear(2, 2)", "model = await Promise.resolve(linear(2, 2))") }, "doctor m.mjs"),
  ),
  advice(
    "run it by itself: node m.mjs",
    lines({ "m.mjs": "export default (;" }, "compile m.mjs"),
    lines({ "m.mjs": compiled }, "compile m.mjs"),
  ),
  advice("throw new Error(…), which knows its line", lines({ "m.mjs": "export default () => { throw 3; };" }, "explain m.mjs"), () =>
    inFolder(async (path) => {
      await writeFile(path("m.mjs"), 'export default () => { throw new Error("no"); };');
      const { err } = await runCommand(path(), "explain m.mjs");
      if (!err.includes("an error at m.mjs:1: no")) throw new Error(`expected the line, got ${err}`);
    }),
  ),
  advice(
    "train anew from a file",
    lines(
      { "t.csv": table() },
      CSV,
      edited("config.json", (text) => text.replace(/"path": ?"[^"]*"/, '"path":"/dev/null"')),
      "predict run --sample 0",
    ),
    lines({ "t.csv": table() }, CSV, "predict run --sample 0"),
  ),
  advice(
    "use the model.safetensors that kasane train wrote",
    line(TRAIN, stored({ model: "quite" }), "predict run --sample 0"),
    line(TRAIN, "predict run --sample 0"),
  ),
  advice(
    "look for values in the input that are not finite; kasane doctor RUN looks for weights that are not",
    line(TRAIN, stored(undefined, Number.NaN), "predict run --sample 0"),
    line(TRAIN, stored(undefined, Number.NaN), async (path) => {
      const { out } = await runCommand(path(), "doctor run");
      if (!/NaN|not finite/.test(out)) throw new Error(`expected what is not finite, got ${out}`);
    }),
    line(TRAIN, "predict run --input 1,2"),
  ),
  advice("--verbose shows where it happened", lines({ "m.mjs": "export default () => null.x;" }, "explain m.mjs"), verbose),
];

function verbose(): Promise<void> {
  return inFolder(async (path) => {
    await writeFile(path("m.mjs"), "export default () => null.x;");
    const { err } = await runCommand(path(), "explain m.mjs --verbose");
    if (!/\n\s+at /.test(err)) throw new Error(`expected where it happened, got ${err}`);
  });
}
