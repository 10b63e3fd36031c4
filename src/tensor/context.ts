// Where an op runs: in which layers, in which pass, and from which line it was called.

import { FUNCTION, requireKind } from "../util/arguments.ts";
import { framesOf, isOwnFile } from "../util/own-code.ts";
import type { TapeNode } from "./value.ts";

const scopes: string[] = [];

/** Runs a function inside a named scope; names appear in errors, graphs and explanations ("conv1", "softmax"). */
export function withScope<Result>(name: string, run: () => Result): Result {
  if (typeof run !== "function") requireKind("withScope", FUNCTION, run);
  scopes.push(name);
  try {
    return run();
  } finally {
    scopes.pop();
  }
}

export function currentScope(): readonly string[] {
  return scopes.slice();
}

/** What a step does: it computes results, then gradients, then changes parameters. */
export type Pass = "forward" | "backward" | "update";

let pass: Pass = "forward";
let origin: TapeNode | undefined;

export function currentPass(): Pass {
  return pass;
}

/** In a backward pass: whose gradient is computed. */
export function currentOrigin(): TapeNode | undefined {
  return origin;
}

/** Runs a function as part of a pass, for one node of the tape where it computes its gradients. */
export function withPass<Result>(during: Pass, run: () => Result, of?: TapeNode): Result {
  const before = [pass, origin] as const;
  [pass, origin] = [during, of];
  try {
    return run();
  } finally {
    [pass, origin] = before;
  }
}

/** "/home/me/train.ts:12:5": the first frame outside kasane and other packages, or undefined. */
export function callSite(stack: string | undefined): string | undefined {
  const found = framesOf(stack).find(({ file }) => !isOwnFile(file) && !/^node:|node_modules/.test(file));
  return found && `${found.file.replace("file://", "")}:${found.position}`;
}

interface Site {
  readonly stack?: string;
}

let outerSite: Site | undefined;

/** Remembers the present stack; it is turned into text only when asked for. */
export function captureSite(): Site {
  return outerSite === undefined ? new Error() : new NestedSite(new Error(), outerSite);
}

/**
 * Runs a function that calls back deeply (a layer of layers): where the frames V8 keeps do not reach the user's line,
 * the place of this call stands in.
 */
export function withSite<Result>(run: () => Result): Result {
  const before = outerSite;
  outerSite = captureSite();
  try {
    return run();
  } finally {
    outerSite = before;
  }
}

class NestedSite implements Site {
  readonly #inner: Site;
  readonly #outer: Site;

  constructor(inner: Site, outer: Site) {
    this.#inner = inner;
    this.#outer = outer;
  }

  get stack(): string {
    return `${this.#inner.stack}\n${this.#outer.stack}`;
  }
}
