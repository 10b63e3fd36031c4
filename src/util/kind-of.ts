// Describes a value's kind in words, for errors.

/** "nothing", "a promise", "a list", "a DataView", "an object with a, b", "the number 3" */
export function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (isPromise(value)) return "a promise";
  if (Array.isArray(value)) return "a list";
  if (isClass(value)) return `the class ${(value as { name?: string }).name || "without a name"}`;
  if (typeof value === "function") return "a function";
  if (typeof value === "object") return objectKind(value);
  const text = String(value);
  return `the ${typeof value} ${text.length > 60 ? `${text.slice(0, 59)}…` : text}`;
}

function objectKind(value: object): string {
  // The tag of built-in kinds is the same in every realm.
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  if (tag !== "Object") return `${/^([AEIO]|Un)/.test(tag) ? "an" : "a"} ${tag}`;
  return `an object with ${Object.keys(value).slice(0, 4).join(", ") || "nothing in it"}`;
}

/** Of any kind, not only the language's own. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (Object(value) as { then?: unknown }).then === "function";
}

/** A function that can only be called with `new`. */
export function isClass(value: unknown): boolean {
  return typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
}

/**
 * A value inside of an error's sentence: as `String` writes it, and by its kind what has no text (symbols in lists,
 * objects without a prototype).
 */
export function textOf(value: unknown): string {
  try {
    return typeof value === "object" && value !== null && !Array.isArray(value) ? kindOf(value) : String(value);
  } catch {
    return kindOf(value);
  }
}

/** The same with texts in quotation marks. */
export function written(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  return Array.isArray(value) ? `[${value.map(textOf).join(",")}]` : textOf(value);
}
