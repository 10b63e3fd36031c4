// The data sets of the command line: built-in generators, CSV tables, MNIST files, the wine files.

import { createHash } from "node:crypto";
import type { ClassificationTable, StandardizerState, Table } from "../data/index.ts";
import { Dataset, digits, moons, Standardizer, spirals, tableDataset, wine, xor } from "../data/index.ts";
import { loadCsv, loadMnist, loadWineQuality } from "../data/node.ts";
import type { Samples } from "../train/index.ts";
import { UsageError } from "../util/errors.ts";

/** Enough to make the same data again. */
export interface SourceSpec {
  readonly kind: (typeof sourceKinds)[number];
  /** Samples to generate, or to take of the files; undefined for all of them. */
  readonly samples?: number;
  readonly seed: number;
  /** Absolute path of the file or folder. */
  readonly path?: string;
  /** Target column of a CSV file. */
  readonly target?: string;
  readonly separator?: string;
  /** Columns of a CSV file to predict from; undefined for all but the target. */
  readonly columns?: readonly string[];
}

/** Data split and scaled, ready to train on. */
export interface Source {
  readonly task: "classification" | "regression";
  readonly train: Dataset<Samples>;
  readonly validation: Dataset<Samples>;
  /** Shape of one sample. */
  readonly input: readonly number[];
  readonly classNames?: readonly string[];
  readonly columnNames?: readonly string[];
  readonly targetName?: string;
  /** Of the training part; tables only. */
  readonly standardizer?: StandardizerState;
  /** Of a number to predict; regression only. */
  readonly targetScale?: StandardizerState;
  /** Changes when the data does. */
  readonly fingerprint: string;
}

/** Share of the samples that is held out. */
const HELD_OUT = 0.2;

export const GENERATED = ["digits", "moons", "spirals", "xor", "wine"] as const;
export const sourceKinds = [...GENERATED, "csv", "mnist"] as const;

/** @throws FileError or InputError when files are missing or malformed */
export async function loadSource(spec: SourceSpec): Promise<Source> {
  switch (spec.kind) {
    case "digits": {
      const { images, labels, classNames } = digits({ count: spec.samples ?? 7500, seed: spec.seed });
      return imageSource(...new Dataset<Samples>({ x: images, y: labels }, { classNames }).split(1 - HELD_OUT, { seed: spec.seed }));
    }
    case "mnist": {
      const { train, test } = await loadMnist(spec.path as string);
      return imageSource(limit(train, spec.samples) as Dataset<Samples>, test as Dataset<Samples>);
    }
    case "moons":
      return tableSource(moons({ count: spec.samples ?? 1000, seed: spec.seed }), spec);
    case "spirals":
      return tableSource(spirals({ count: spec.samples ?? 1500, seed: spec.seed }), spec);
    case "xor":
      return tableSource(xor({ count: spec.samples ?? 1000, seed: spec.seed }), spec);
    case "wine":
      return tableSource(
        spec.path === undefined ? wine({ count: spec.samples ?? 1000, seed: spec.seed }) : await loadWineQuality(spec.path),
        spec,
      );
    case "csv": {
      const { separator, columns } = spec;
      const options = {
        target: spec.target as string,
        separator,
        columns,
      };
      return tableSource(await loadCsv(spec.path as string, options), spec);
    }
  }
}

function imageSource(train: Dataset<Samples>, validation: Dataset<Samples>): Source {
  return {
    task: "classification",
    train,
    validation,
    input: train.fields.x.shape.slice(1),
    classNames: train.classNames,
    fingerprint: fingerprintOf(train, validation),
  };
}

function tableSource(table: Table, spec: SourceSpec): Source {
  const raw = limit(tableDataset(table) as Dataset<Samples>, spec.samples);
  if (raw.size < 10)
    throw new UsageError(`expected at least 10 rows to train on and to hold out, got ${raw.size}`, {
      hint: "a larger table, or more --samples",
    });
  const [train, validation] = raw.split(1 - HELD_OUT, { seed: spec.seed });
  // Statistics of the held-out rows must not reach the training.
  const standardizer = Standardizer.fit(train.fields.x);
  const targetScale = table.task === "regression" ? Standardizer.fit(train.fields.y) : undefined;
  const scaled = ({ fields, classNames }: Dataset<Samples>): Dataset<Samples> =>
    new Dataset<Samples>(
      { x: standardizer.apply(fields.x), y: targetScale === undefined ? fields.y : targetScale.apply(fields.y) },
      { columnNames: table.columnNames, classNames },
    );
  return {
    task: table.task,
    train: scaled(train),
    validation: scaled(validation),
    input: [table.columnNames.length],
    ...(table.task === "classification" ? { classNames: (table as ClassificationTable).classNames } : {}),
    columnNames: table.columnNames,
    targetName: table.targetName,
    standardizer: standardizer.toJSON(),
    targetScale: targetScale?.toJSON(),
    fingerprint: fingerprintOf(train, validation),
  };
}

/** So many samples, spread over the whole file, because files are often sorted by class. */
function limit<D extends { readonly size: number; subset(rows: ArrayLike<number>): D }>(data: D, samples: number | undefined): D {
  if (samples === undefined || samples >= data.size) return data;
  return data.subset(Int32Array.from({ length: samples }, (_, n) => Math.floor((n * data.size) / samples)));
}

function fingerprintOf(...parts: readonly Dataset<Samples>[]): string {
  const hash = createHash("sha256");
  for (const { fields } of parts)
    for (const { data } of [fields.x, fields.y]) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest("hex").slice(0, 16);
}
