// Regression on a table: how old is a wine, from its alcohol, colour and smell? With a folder of wine-quality files, its real quality score.

import { manualSeed, relu } from "kasane";
import { Dataset, ndArray, Standardizer, tableDataset, wine } from "kasane/data";
import { loadCsv } from "kasane/data/node";
import { dropout, huber, l2, linear, sequential } from "kasane/nn";
import { adam, reduceOnPlateau } from "kasane/optim";
import { evaluate, fit, meanAbsoluteError, rSquared } from "kasane/train";
import { saveText, small } from "./support/output.ts";

const folder = process.argv[2];
const table =
  folder === undefined ? ages() : tableDataset(await loadCsv(`${folder}/winequality-red.csv`, { target: "quality", separator: ";" }));
const [train, test] = new Dataset({ x: table.fields.x, y: column(table.fields.y) }).split(0.8, { seed: 1 });
const [scaleX, scaleY] = [Standardizer.fit(train.fields.x), Standardizer.fit(train.fields.y)];
const scaled = ({ fields }: typeof train) => new Dataset({ x: scaleX.apply(fields.x), y: scaleY.apply(fields.y) });
const inputs = train.fields.x.shape[1] as number;

manualSeed(1);
const net = sequential(linear(inputs, 32), relu, dropout(0.1), linear(32, 16), relu, linear(16, 1));
const slower = reduceOnPlateau(0.01, { factor: 0.5, patience: 3 });
const { history } = await fit(net, scaled(train), {
  loss: huber,
  penalty: () => l2(net, 1e-4),
  optimizer: adam(net.parameters()),
  learningRate: (_epoch, before) => slower(before.map(({ validation }) => validation?.loss ?? 0)),
  epochs: small ? 2 : 40,
  validation: 0.15,
  earlyStopping: { patience: 10 },
  seed: 1,
});

const { scores } = await evaluate(net, scaled(test), { loss: huber, metrics: [meanAbsoluteError(), rSquared()] });
const unit = scaleY.invert(ndArray(new Float32Array([0, 1]), [2, 1])).data;
const error = scores.meanAbsoluteError * ((unit[1] ?? 1) - (unit[0] ?? 0));
const line = `${history.length} epochs: mean error ${error.toFixed(2)} ${folder === undefined ? "years" : "points"}, R² ${scores.rSquared.toFixed(2)} on wines it has not seen`;
console.log(line);
await saveText("wine-regression", `${line}\n`);

/** The textbook's table with the age, its first column, as what is asked for. */
function ages() {
  const { x } = tableDataset(wine({ count: small ? 60 : 3000, seed: 1 })).fields;
  const [count = 0, width = 0] = x.shape;
  const pick = (keep: (place: number) => boolean) => Float64Array.from([...x.data].filter((_, n) => keep(n % width)));
  const age = ndArray(
    pick((place) => place === 0),
    [count],
  );
  return new Dataset({
    x: ndArray(
      pick((place) => place > 0),
      [count, width - 1],
    ),
    y: age,
  });
}

function column({ data }: { readonly data: ArrayLike<number> }) {
  return ndArray(Float64Array.from(data), [data.length, 1]);
}
