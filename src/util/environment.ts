// Environment variables, where there are any.

/** An environment variable in Node; undefined in browsers and where it is not set. */
export function environment(name: string): string | undefined {
  return (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env?.[name];
}
