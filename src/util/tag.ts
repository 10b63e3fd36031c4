// Tags classes by name, so that reactive state (Vue) leaves their objects alone and copies are refused by name.

import { InputError } from "./errors.ts";
import { kindOf } from "./kind-of.ts";

type Member = (this: unknown, ...given: unknown[]) => unknown;

/**
 * "[object Dataset]" for what a class makes: reactive state (Vue) wraps what has no tag.
 * @param isOne whether an object has the class's private members; methods and getters then refuse others
 */
export function tag(made: { readonly prototype: object }, name: string, isOne?: (candidate: object) => boolean): void {
  const { prototype } = made;
  if (isOne !== undefined) for (const key of Reflect.ownKeys(prototype)) if (key !== "constructor") guard(prototype, key, name, isOne);
  // Writable, since lodash puts the tag away for a moment to see what is below.
  Object.defineProperty(prototype, Symbol.toStringTag, { value: name, writable: true, configurable: true });
}

function guard(prototype: object, key: string | symbol, name: string, isOne: (candidate: object) => boolean): void {
  const member = Object.getOwnPropertyDescriptor(prototype, key) as PropertyDescriptor;
  const where = typeof key === "symbol" ? name : `${name}.${key}`;
  const guarded = (run: Member): Member =>
    function (this: unknown, ...given) {
      if (!isOne(Object(this))) throw new InputError(`${where}: expected a ${name}, got ${notOne(this, prototype)}`);
      return Reflect.apply(run, this, given);
    };
  if (typeof member.value === "function") member.value = likewise(guarded(member.value), member.value);
  if (member.get !== undefined) member.get = guarded(member.get);
  Object.defineProperty(prototype, key, member);
}

/** With the name and the number of arguments of what it stands for. */
function likewise(made: Member, { name, length }: Member): Member {
  return Object.defineProperties(made, { name: { value: name, configurable: true }, length: { value: length, configurable: true } });
}

function notOne(value: unknown, prototype: object): string {
  return typeof value === "object" && value !== null && Object.prototype.isPrototypeOf.call(prototype, value)
    ? "a copy or a wrapper that another library made of one"
    : kindOf(value);
}
