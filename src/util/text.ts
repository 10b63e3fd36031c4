// UTF-8 encoders: globals of pages and Node, else Node's own (jsdom has none).

interface Coders {
  readonly TextEncoder: typeof TextEncoder;
  readonly TextDecoder: typeof TextDecoder;
}

function coders(): Coders {
  if (typeof TextEncoder !== "undefined" && typeof TextDecoder !== "undefined") return { TextEncoder, TextDecoder };
  const { process } = globalThis as { process?: { getBuiltinModule?(name: "node:util"): Coders } };
  return process?.getBuiltinModule?.("node:util") ?? { TextEncoder, TextDecoder };
}

export function toUtf8(text: string): Uint8Array<ArrayBuffer> {
  // Copied: Node's encoder may give an array of another realm.
  return new Uint8Array(new (coders().TextEncoder)().encode(text));
}

/** @throws TypeError for bytes that are no UTF-8, when fatal */
export function fromUtf8(bytes: Uint8Array, options: TextDecoderOptions = {}): string {
  return new (coders().TextDecoder)("utf-8", options).decode(bytes);
}
