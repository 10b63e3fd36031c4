// Environment variables, where there are any.

import { isAllowed } from "./permission.ts";

/**
 * An environment variable in Node; undefined in browsers, where it is not set, and where it may not be read (Deno wants
 * --allow-env).
 */
export function environment(name: string): string | undefined {
  if (!isAllowed({ name: "env", variable: name })) return undefined;
  try {
    return (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env?.[name];
  } catch {
    return undefined;
  }
}
