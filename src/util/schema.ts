// Checks data from files against a valibot schema; errors are one sentence with the field.

import * as v from "valibot";
import { FileError } from "./errors.ts";

/** A schema whose messages say what was expected, as "a whole number". */
export type Schema<Value> = v.GenericSchema<unknown, Value>;

/** Where the values come from, and what to try when they are wrong. */
export interface Origin {
  /** "runs/digits-1/config.json" */
  readonly where: string;
  readonly hint: string;
}

/** The value as the schema describes it. @throws FileError for the first field that differs */
export function readAs<Value>(schema: Schema<Value>, value: unknown, origin: Origin): Value {
  const { output, issues, success } = v.safeParse(schema, value, { abortEarly: true });
  if (success) return output;
  const [issue] = issues;
  const field = (issue.path ?? []).reduce(
    (path, { key }) => path + (typeof key === "number" ? `[${key}]` : `${path === "" ? "" : "."}${String(key)}`),
    "",
  );
  throw wrongField(origin, field, issue.message, issue.input);
}

/** @param field empty for the whole @param expected "a whole number" */
export function wrongField({ where, hint }: Origin, field: string, expected: string, got: unknown): FileError {
  return new FileError(`${where}: ${field === "" ? "" : `${field}: `}expected ${expected}, got ${shown(got)}`, { hint });
}

/** An object with these fields; others stay as they are. */
export function fields<const Entries extends v.ObjectEntries>(entries: Entries) {
  return v.pipe(withAll(Object.keys(entries)), v.looseObject(entries));
}

/** An object with these fields, and others of one kind. */
export function fieldsAnd<const Entries extends v.ObjectEntries, Rest>(entries: Entries, rest: Schema<Rest>) {
  return v.pipe(withAll(Object.keys(entries)), v.objectWithRest(entries, rest));
}

/**
 * Missing fields are reported by their object: where they are undefined instead, each says itself what it should be.
 */
function withAll(names: readonly string[]) {
  const none = Object.fromEntries(names.map((name) => [name, undefined]));
  return v.pipe(
    v.custom<object>((value) => typeof value === "object" && value !== null && !Array.isArray(value), "an object"),
    v.transform((value): Record<string, unknown> => ({ ...none, ...value })),
  );
}

export const whole = (least: number, most: number): Schema<number> =>
  v.custom<number>(
    (value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most,
    `a whole number from ${least} to ${most}`,
  );

export const numberFrom = (least: number, most: number): Schema<number> =>
  v.custom<number>((value) => typeof value === "number" && value >= least && value <= most, `a number from ${least} to ${most}`);

export const finite: Schema<number> = v.custom<number>((value) => Number.isFinite(value), "a finite number");

/** NaN and infinities included. */
export const anyNumber: Schema<number> = v.custom<number>((value) => typeof value === "number", "a number");

/** No longer than a page, and nothing that ends a text early for the system. */
export const text: Schema<string> = v.custom<string>(
  (value) => typeof value === "string" && value.length <= 4096 && !value.includes("\0"),
  "a text of at most 4096 letters",
);

export const oneOf = <const Names extends readonly string[]>(names: Names): Schema<Names[number]> =>
  v.custom<Names[number]>((value) => names.includes(value as string), `one of ${names.join(", ")}`);

export const list = <Item>(item: Schema<Item>, what: string, { least = 0, most = 1e6 } = {}): Schema<Item[]> =>
  v.pipe(
    v.custom<unknown[]>(
      (value) => Array.isArray(value) && value.length >= least && value.length <= most,
      least > 0 || most < 1e6 ? `${what} (${least} to ${most})` : what,
    ),
    v.array(item),
  );

/** A text that some other code understands, or says why not. */
export const understoodBy = (check: (text: string) => unknown): Schema<string> => {
  const problem = (value: string): string | undefined => {
    try {
      check(value);
      return undefined;
    } catch (error) {
      return reasonOf(error)
        .replace(/^expected /, "")
        .replace(/, got .*$/, "");
    }
  };
  return v.pipe(
    text,
    v.check(
      (value) => problem(value) === undefined,
      ({ input }) => problem(input) ?? "",
    ),
  );
};

/** An error's sentence, without what to try. */
export function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
}

/** Short, and never as deep as what came. */
function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) {
    const isPlain = value.length <= 8 && value.every((item) => typeof item === "number");
    return isPlain ? `[${value.join(", ")}]` : `a list of ${value.length}`;
  }
  if (typeof value === "object" && value !== null) return "an object";
  const written = typeof value === "string" ? JSON.stringify(value) : String(value);
  return written.length > 60 ? `${written.slice(0, 59)}…` : written;
}
