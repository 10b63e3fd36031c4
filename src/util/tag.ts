// Tags classes with a name, so that reactive state (Vue) does not wrap their objects.

/** "[object Dataset]" for what a class makes. */
export function tag(made: { readonly prototype: object }, name: string): void {
  // Writable, since lodash puts the tag away for a moment to see what is below.
  Object.defineProperty(made.prototype, Symbol.toStringTag, { value: name, writable: true, configurable: true });
}
