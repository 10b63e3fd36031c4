// Reads a choice with settings from one word: "adamW:weightDecay=0.1,beta1=0.95".

import { decimalOf } from "../util/decimal.ts";
import { InputError } from "../util/errors.ts";
import { nearestName } from "../util/nearest.ts";

/** What a setting may be: a number, on or off, numbers with / between them, or one of some words. */
export type SettingKind = "number" | "boolean" | "numbers" | readonly string[];

export type Settings = Readonly<Record<string, number | boolean | string | readonly number[]>>;

/** One row of a table of things to choose from. */
export interface Choice<Make> {
  readonly settings: Readonly<Record<string, SettingKind>>;
  readonly make: Make;
}

export type Choices<Make> = Readonly<Record<string, Choice<Make>>>;

/** Names of earlier versions, which runs on disk may still have. */
export type Aliases = Readonly<Record<string, string>>;

export interface Chosen<Make> {
  readonly name: string;
  readonly make: Make;
  readonly settings: Settings;
}

/** @throws InputError for a name or a setting that is not in the table */
export function choose<Make>(choices: Choices<Make>, given: string, aliases: Aliases = {}): Chosen<Make> {
  const text = Object.hasOwn(aliases, given) ? aliases[given]! : given;
  const end = text.indexOf(":");
  const [name, rest] = end < 0 ? [text, ""] : [text.slice(0, end), text.slice(end + 1)];
  const choice = Object.hasOwn(choices, name) ? choices[name] : undefined;
  if (choice === undefined) throw new InputError(`expected one of ${Object.keys(choices).join(", ")}`, meant(name, choices));
  const entries = rest === "" ? [] : rest.split(",").map((part) => settingOf(name, choice.settings, part.trim()));
  return { name, make: choice.make, settings: Object.fromEntries(entries) };
}

/** The names with their settings, as --help lists them. */
export function settingsHelp(choices: Choices<unknown>): string[] {
  const word = (kind: SettingKind): string =>
    typeof kind !== "string" ? kind.join("|") : { number: "N", boolean: "true|false", numbers: "N/N/…" }[kind];
  return Object.entries(choices).map(([name, { settings }]) =>
    Object.keys(settings).length === 0
      ? name
      : `${name}:${Object.entries(settings)
          .map(([key, kind]) => `${key}=${word(kind)}`)
          .join(",")}`,
  );
}

function settingOf(name: string, settings: Choice<unknown>["settings"], part: string): [string, Settings[string]] {
  const [key = "", value = ""] = part.split(/=(.*)/s);
  const kind = Object.hasOwn(settings, key) ? settings[key] : undefined;
  const keys = Object.keys(settings);
  if (kind === undefined)
    throw new InputError(
      keys.length === 0 ? `${name} has no settings, got "${part}"` : `${name} has the settings ${keys.join(", ")}, got "${part}"`,
      meant(key, settings),
    );
  return [key, valueOf(`${name}:${key}`, kind, value)];
}

function valueOf(where: string, kind: SettingKind, text: string): Settings[string] {
  const number = (part: string): number => {
    const value = decimalOf(part);
    if (!Number.isFinite(value)) throw new InputError(`expected ${where} to be a number, got "${text}"`);
    return value;
  };
  if (kind === "number") return number(text);
  if (kind === "numbers") return text.split("/").map(number);
  const words = kind === "boolean" ? ["true", "false"] : kind;
  if (!words.includes(text)) throw new InputError(`expected ${where} to be one of ${words.join(", ")}, got "${text}"`);
  return kind === "boolean" ? text === "true" : text;
}

function meant(name: string, among: Readonly<Record<string, unknown>>): { hint?: string } {
  const similar = nearestName(name, Object.keys(among));
  return similar === undefined ? {} : { hint: `did you mean ${similar}?` };
}
