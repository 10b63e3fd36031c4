// Forecasting: a GRU reads two weeks of hourly temperatures and says the next day's, better than "as yesterday".

import { manualSeed } from "kasane";
import { Dataset, ndArray } from "kasane/data";
import { absoluteError, gru, linear, sequential } from "kasane/nn";
import { adamW, cosineDecay, warmUp } from "kasane/optim";
import { evaluate, fit, predict } from "kasane/train";
import { asTensor } from "./support/batches.ts";
import { Dice } from "./support/dice.ts";
import { saveText, small } from "./support/output.ts";

const [past, ahead, days] = small ? [24, 6, 20] : [7 * 24, 24, 600];
const dice = new Dice(1);

// A year's and a day's course, weather that stays for days, and noise; in units of ten degrees.
const series = new Float32Array(24 * days);
let weather = 0;
for (let hour = 0; hour < series.length; hour++) {
  weather = 0.985 * weather + dice.normal(0.06);
  const [day, year] = [(2 * Math.PI * (hour - 9)) / 24, (2 * Math.PI * hour) / (24 * 365)];
  series[hour] = 1.2 - Math.cos(year) + (0.5 - 0.2 * weather) * Math.sin(day) + weather + dice.normal(0.03);
}

// Every third hour a sample: what was, and what comes, both as differences from the last hour known.
const starts = Array.from({ length: Math.floor((series.length - past - ahead) / 3) }, (_, n) => 3 * n);
const window = (from: number, length: number, last: number): number[] =>
  [...series.slice(from, from + length)].map((value) => value - last);
const lastOf = (start: number): number => series[start + past - 1] ?? 0;
const x = Float32Array.from(starts.flatMap((start) => window(start, past, lastOf(start))));
const y = Float32Array.from(starts.flatMap((start) => window(start + past, ahead, lastOf(start))));
const all = new Dataset({ x: ndArray(x, [starts.length, past, 1]), y: ndArray(y, [starts.length, ahead]) });
// The test is the end of the time, with a gap so that no hour is in both.
const end = Math.floor(0.7 * starts.length);
const begin = end + Math.ceil((past + ahead) / 3);
const [train, test] = [all.slice(0, end), all.slice(begin)];

manualSeed(1);
const net = sequential(gru(1, small ? 8 : 48, { returns: "last" }), linear(small ? 8 : 48, ahead));
const epochs = small ? 1 : 8;
const batchSize = 64;
const steps = epochs * Math.ceil(train.size / batchSize);
await fit(net, train, {
  loss: absoluteError,
  optimizer: adamW(net.parameters()),
  schedule: warmUp(Math.ceil(steps / 10), cosineDecay(0.006, { steps })),
  clip: { norm: 1 },
  epochs,
  batchSize,
  seed: 1,
});

const { scores } = await evaluate(net, test, { loss: absoluteError });
const known = asTensor(test.fields.x);
const yesterday = known.slice(null, [past - 24, past - 24 + ahead], 0);
const naive = absoluteError(yesterday, asTensor(test.fields.y)).item();
console.log(`mean error of the next ${ahead} hours: ${(10 * scores.loss).toFixed(2)} degrees; "as yesterday" ${(10 * naive).toFixed(2)}`);

const forecast = await predict(net, test.slice(0, 1));
const last = lastOf(starts[begin] ?? 0);
const line = (hour: number): string => {
  const [told, came] = [forecast.data[hour] ?? 0, test.slice(0, 1).fields.y.data[hour] ?? 0].map((value) => 10 * (value + last));
  return `${String(hour + 1).padStart(2)} h  forecast ${told?.toFixed(1).padStart(5)}  came ${came?.toFixed(1).padStart(5)}`;
};
await saveText("time-series", `${Array.from({ length: ahead }, (_, hour) => line(hour)).join("\n")}\n`);
