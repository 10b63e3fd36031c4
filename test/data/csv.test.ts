// Text tables: quotes, separators, tasks, and a sentence with a place for everything that can be wrong.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Table } from "../../src/data/index.ts";
import { parseCsv, readTable, Standardizer, tableDataset } from "../../src/data/index.ts";
import { loadCsv, loadWineQuality } from "../../src/data/node.ts";
import { FileError, InputError, KasaneError } from "../../src/util/errors.ts";
import { realData } from "./shared.ts";

const flowers = "length,width,kind\n5.1,3.5,setosa\n7,3.2,versicolor\n6.3,3.3,virginica\n4.9,3,setosa\n";

function classification(table: Table): Table & { task: "classification" } {
  if (table.task !== "classification") throw new Error(`read as ${table.task}`);
  return table;
}

describe("readTable", () => {
  it("turns text labels into class indices", () => {
    const table = classification(readTable(flowers, { target: "kind" }));
    expect(table.classNames).toEqual(["setosa", "versicolor", "virginica"]);
    expect([...table.y.data]).toEqual([0, 1, 2, 0]);
    expect(table.columnNames).toEqual(["length", "width"]);
    expect(table.x).toEqual({ shape: [4, 2], data: Float64Array.of(5.1, 3.5, 7, 3.2, 6.3, 3.3, 4.9, 3) });
    expect(tableDataset(table).size).toBe(4);
  });

  it("sorts whole-number classes by value", () => {
    const table = classification(readTable("a,y\n1,10\n2,9\n3,10\n", { target: "y" }));
    expect(table.classNames).toEqual(["9", "10"]);
    expect([...table.y.data]).toEqual([1, 0, 1]);
  });

  it.each([
    ["0.0", "1.0", "2.0"],
    ["1.", "2.", "3."],
    ["1", "1.0", "+2"],
    ["-1.0", "0.0", "1.0"],
    ["-0", "0", "1"],
    ["0.000000000000000000e+00", "1.000000000000000000e+00", "-2.0E0"],
    ["1e1", "10", "5."],
  ])("takes %s, %s, %s for classes, each once", (...labels) => {
    const numbers = labels.map(Number);
    const order = [...new Set(numbers.map((number) => number + 0))].sort((a, b) => a - b);
    const table = classification(readTable(`a,y\n${labels.map((label, n) => `${n},${label}`).join("\n")}\n`, { target: "y" }));
    expect(table.classNames).toEqual(order.map(String));
    expect([...table.y.data]).toEqual(numbers.map((number) => order.indexOf(number)));
  });

  it.each([
    [
      ["NA", "EU", "US"],
      ["EU", "NA", "US"],
    ],
    [
      ["None", "mild", "None"],
      ["None", "mild"],
    ],
    [
      ["+", "-", "+"],
      ["+", "-"],
    ],
    [
      ["?", "!", "?"],
      ["!", "?"],
    ],
    [
      ["1,5", "small", "1,5"],
      ["1,5", "small"],
    ],
  ])("takes %j for names", (labels, names) => {
    const table = classification(readTable(`a;y\n${labels.map((label, n) => `${n};${label}`).join("\n")}\n`, { target: "y" }));
    expect(table.classNames).toEqual(names);
  });

  it("keeps codes with leading zeros and the names that were given", () => {
    expect(classification(readTable("a,y\n1,01\n2,1\n", { target: "y" })).classNames).toEqual(["01", "1"]);
    const given = classification(readTable("a,y\n1,0\n2,1.0\n", { target: "y", classNames: ["0.0", "1.0"] }));
    expect([given.classNames, [...given.y.data]]).toEqual([
      ["0.0", "1.0"],
      [0, 1],
    ]);
  });

  it("reads any mixture of line ends alike", () => {
    const ends = fc.array(fc.constantFrom("\n", "\r\n", "\r"), { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(ends, (between) => {
        const rows = ["a,b", "1,2", '"x\ny",4', "5,6", "7,8"];
        const { columnNames, rows: read } = parseCsv(rows.map((row, n) => row + between[n]).join(""));
        expect(columnNames).toEqual(["a", "b"]);
        expect(read.map(({ cells }) => cells)).toEqual([
          ["1", "2"],
          ["x\ny", "4"],
          ["5", "6"],
          ["7", "8"],
        ]);
        expect(read.map(({ line }) => line)).toEqual([2, 3, 5, 6]);
      }),
    );
  });

  it("reads bytes of any kind, and UTF-16 with its mark", () => {
    const text = "größe,y\n1,2\n";
    const utf8 = new TextEncoder().encode(text);
    const shared = new Uint8Array(new SharedArrayBuffer(utf8.length));
    shared.set(utf8);
    for (const source of [utf8, utf8.buffer as ArrayBuffer, shared, Buffer.from(text), Buffer.from(`\uFEFF${text}`, "utf16le")])
      expect(parseCsv(source as Uint8Array).columnNames).toEqual(["größe", "y"]);
    expect(() => parseCsv(new Float32Array(2) as never)).toThrow(/expected the bytes of a file.*got a Float32Array/);
  });

  it("predicts a number when the target has decimals, or on request", () => {
    const table = readTable("a,y\n1,0.5\n2,1\n", { target: "y" });
    expect(table.task).toBe("regression");
    expect(table.y).toEqual({ shape: [2, 1], data: Float64Array.of(0.5, 1) });
    expect(readTable("a,y\n1,3\n2,4\n", { target: "y", task: "regression" }).y.data).toEqual(Float64Array.of(3, 4));
  });

  it("takes chosen columns in the chosen order, and given classes", () => {
    const table = classification(
      readTable(flowers, { target: "kind", columns: ["width"], classNames: ["virginica", "versicolor", "setosa"] }),
    );
    expect([...table.x.data]).toEqual([...Float64Array.of(3.5, 3.2, 3.3, 3)]);
    expect([...table.y.data]).toEqual([2, 1, 0, 2]);
    expect(() => readTable(flowers, { target: "kind", classNames: ["setosa"] })).toThrow(/line 3, column "kind".*got "versicolor"/);
  });

  it.each([
    ["semicolons", '"a b";"y"\n1;0.5\n2;1.5\n'],
    ["tabs", "a b\ty\n1\t0.5\n2\t1.5\n"],
    ["bars and Windows line ends", "a b|y\r\n1|0.5\r\n2|1.5\r\n"],
    ["a byte order mark and empty lines", "\uFEFF\n\na b,y\n\n1,0.5\n2,1.5\n\n"],
    ["spaces around cells", " a b , y \n 1 , 0.5 \n2,1.5"],
    ["a separator inside quotes", '"a b","y"\n"1","0.5"\n2,1.5'],
    ["separators at the ends of all lines", "a b,y,\n1,0.5,\n2,1.5,\n"],
    ["separators at the end of the header", "a b,y,,\n1,0.5\n2,1.5\n"],
    ["separators at the ends of rows", "a b,y\n1,0.5,\n2,1.5,,\n"],
    ["Excel's line with the separator", "sep=;\r\na b;y\r\n1;0.5\r\n2;1.5\r\n"],
    ["a separator that only such a line tells", "SEP=:\na b:y\n1:0.5\n2:1.5\n"],
  ])("reads %s", (_, text) => {
    const table = readTable(text, { target: "y" });
    expect(table.columnNames).toEqual(["a b"]);
    expect([...table.x.data]).toEqual([1, 2]);
    expect([...table.y.data]).toEqual([0.5, 1.5]);
  });

  it("takes an explicit separator over the guess", () => {
    expect(parseCsv("a,b;c\n1,2;3\n", { separator: ";" }).columnNames).toEqual(["a,b", "c"]);
    expect(() => parseCsv("a\n1", { separator: ";;" })).toThrow(InputError);
  });

  it.each([
    [
      "a missing target",
      flowers,
      "knd",
      InputError,
      /no column "knd"; the columns are "length", "width", "kind"\n {2}try: did you mean "kind"\?/,
    ],
    ["text in a numeric column", "a,y\n1,0.5\n2,1\nx7,2\n", "y", FileError, /line 4, column "a": expected a number, got "x7"/],
    ["a decimal comma", "a;y\n1,5;0.5\n2;1\n", "y", FileError, /column "a".*got "1,5"\n {2}try: write decimals with a point/],
    ["an empty cell", "a,y\n,0.5\n2,1\n", "y", FileError, /line 2, column "a": expected a number, the cell is empty/],
    ["NaN", "a,y\n1,0.5\nnan,1\n", "y", FileError, /line 3, column "a": expected a finite number, got nan/],
    ["infinity in the target", "a,y\n1,0.5\n2,inf\n", "y", FileError, /line 3, column "y": expected a finite number, got inf/],
    ["a number beyond double precision", "a,y\n1e400,0.5\n2,1\n", "y", FileError, /expected a finite number, got 1e400/],
    ["too few cells", "a,b,y\n1,2,3\n4,5\n", "y", FileError, /line 3: expected 3 cells as in the header, got 2/],
    ["too many cells", 'a,y\n"line\nend",3\n4,5,6\n', "y", FileError, /line 4: expected 2 cells as in the header, got 3/],
    ["an empty file", "", "y", FileError, /it is empty/],
    ["only blank lines", "\n \n\n", "y", FileError, /it is empty/],
    ["only a header", "a,y\n", "y", FileError, /there is a header \("a", "y"\) but no row under it/],
    ["a repeated column", "a,y,a\n1,2,3\n", "y", FileError, /two columns named "a"/],
    ["a column without a name", "a,,y\n1,2,3\n", "y", FileError, /column 2 has no name/],
    ["no header", "1,2\n3,4\n", "y", FileError, /expected column names in the first line, got only numbers/],
    ["an open quote", 'a,y\n1,2\n"3,4\n', "y", FileError, /line 3: a quoted cell is not closed/],
    ["one class only", "a,y\n1,red\n2,red\n", "y", FileError, /holds only "red"/],
    ["an empty label", "a,y\n1,red\n2,\n", "y", FileError, /line 3, column "y": expected a class, the cell is empty/],
    ["row numbers of pandas", ",a,y\n0,1,2\n", "y", FileError, /column 1 has no name.*\n {2}try: name it, or leave it out: pandas/],
    [
      "a title above the header",
      "My table\na,y\n1,2\n",
      "y",
      FileError,
      /line 2: expected 1 cell .*\n {2}try: remove what stands above .*"My table"/,
    ],
    ["another separator", "a:y\n1:2\n", "y", InputError, /no column "y".*\n {2}try: name what separates the cells/],
    [
      "rows without a header",
      "5.1,3.5,setosa\n4,3,virginica\n",
      "kind",
      InputError,
      /no column "kind".*\n {2}try: add a line with the names/,
    ],
    [
      "a mark for nothing measured",
      "a,y\nN/A,0.5\n2,1\n",
      "y",
      FileError,
      /line 2, column "a": expected a number, got "N\/A"\n {2}try: fill it in/,
    ],
    [
      "a missing label among numbers",
      "a,y\n1,0\n2,1\n3,NA\n",
      "y",
      FileError,
      /line 4, column "y": expected a number, got "NA"\n {2}try: fill/,
    ],
    ["a question mark among labels", "a,y\n1,0\n2,?\n3,1\n", "y", FileError, /line 3, column "y": expected a number, got "\?"/],
    [
      "decimal commas in the target",
      "a;y\n1;0,5\n2;1,5\n3;0,5\n",
      "y",
      FileError,
      /column "y": expected a number, got "0,5"\n {2}try: write decimals/,
    ],
    ["thousands in the target", 'a,y\n1,"1,000"\n2,"2,000"\n', "y", FileError, /column "y".*got "1,000"\n {2}try: write 1000 if/],
    ["the target as the only column", "y\nred\nblue\n", "y", FileError, /the only column/],
  ])("explains %s", (_, text, target, kind, message) => {
    const run = () => readTable(text, { target, name: "wines.csv" });
    expect(run).toThrow(kind);
    expect(run).toThrow(message);
    expect(run).toThrow(/^(wines\.csv)/);
  });

  it("refuses names as a target", () => {
    const rows = Array.from({ length: 50 }, (_, index) => `${index},bottle ${index}`).join("\n");
    expect(() => readTable(`a,name\n${rows}`, { target: "name" })).toThrow(/50 different texts in 50 rows; these are no classes/);
  });

  it("says that bytes are not text", () => {
    expect(() => parseCsv(Uint8Array.of(0x61, 0xff, 0x0a), { name: "a.csv" })).toThrow(/a\.csv: not text in UTF-8/);
  });

  it("gives a table or a KasaneError for any text", () => {
    const cell = fc.oneof(fc.constantFrom("", "1", "2.5", "x", '"', '"a,b"', "nan", "1e400", " ", "-0"), fc.string({ maxLength: 4 }));
    const row = fc.array(cell, { maxLength: 4 }).map((cells) => cells.join(","));
    fc.assert(
      fc.property(fc.array(row, { maxLength: 6 }), (rows) => {
        try {
          const { x, y } = readTable(["a,b,y", ...rows].join("\n"), { target: "y" });
          expect(x.data.length).toBe(2 * (y.shape[0] as number));
          expect(x.data.every(Number.isFinite)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(KasaneError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("files", () => {
  it("names a file that is not there", async () => {
    await expect(loadCsv("no/such.csv", { target: "y" })).rejects.toThrow(/cannot read no\/such\.csv: there is no such file/);
  });

  const folder = realData("wine");
  it.skipIf(folder === undefined)("reads the real wines: 4 898 white, 1 599 red, 11 measurements", async () => {
    const table = await loadWineQuality(folder as string);
    expect(table.x.shape).toEqual([6497, 11]);
    expect(table.y.data.filter((label) => label === 0).length).toBe(4898);
    expect(table.classNames).toEqual(["white", "red"]);
    expect(table.columnNames[10]).toBe("alcohol");
    // The first row of each file.
    expect([...table.x.data.slice(0, 3)]).toEqual([...Float64Array.of(7, 0.27, 0.36)]);
    expect(table.x.data[4898 * 11 + 10]).toBe(9.4);
    const { data } = Standardizer.fit(table.x).apply(table.x);
    expect(Math.abs(data.reduce((sum, value) => sum + value, 0) / data.length)).toBeLessThan(1e-5);
  });
});
