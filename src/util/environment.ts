// Environment variables, where there are any.

/** An environment variable in Node; undefined in browsers, where it is not set, and where it may not be read (Deno asks for --allow-env). */
export function environment(name: string): string | undefined {
  try {
    return (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env?.[name];
  } catch {
    return undefined;
  }
}
