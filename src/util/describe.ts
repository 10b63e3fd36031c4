// How errors call a value that is not what was expected: by its kind, and by its content where that is short.

/** "null", `the text "3"`, "a DataView", "an object with shape, data": for the end of "expected …, got …". */
export function describe(value: unknown): string {
  switch (typeof value) {
    case "undefined":
      return "undefined";
    case "string":
      return `the text ${JSON.stringify(value.length > 40 ? `${value.slice(0, 39)}…` : value)}`;
    case "bigint":
      return `the bigint ${value}n`;
    case "number":
    case "boolean":
      return String(value);
    case "symbol":
      return "a symbol";
    case "function":
      return value.name === "" ? "a function" : `the function ${value.name}`;
    case "object":
      return value === null ? "null" : Array.isArray(value) ? "a list" : describeObject(value);
  }
}

function describeObject(value: object): string {
  const name = kindName(value);
  if (name !== "Object") return withArticle(name);
  const keys = Object.keys(value);
  if (keys.length === 0) return "an empty object";
  return `an object with ${keys.slice(0, 4).join(", ")}${keys.length > 4 ? ", …" : ""}`;
}

/** The tag of built-in kinds, which is the same in every realm; else the name of the class. */
function kindName(value: object): string {
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  if (tag !== "Object") return tag;
  const { constructor } = value as { constructor?: unknown };
  return typeof constructor === "function" && constructor.name !== "" ? constructor.name : "Object";
}

function withArticle(name: string): string {
  return `${/^[AEIOU]/.test(name) && !/^U(int|ni)/.test(name) ? "an" : "a"} ${name}`;
}
