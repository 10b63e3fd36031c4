// Says what the objects of a class are to who asks for their tag: reactive state (Vue) wraps what has none, and private members are out of reach of a wrapper.

/** "[object Dataset]" for what a class makes. */
export function tag(made: { readonly prototype: object }, name: string): void {
  // Writable, since lodash puts the tag away for a moment to see what is below.
  Object.defineProperty(made.prototype, Symbol.toStringTag, { value: name, writable: true, configurable: true });
}
