// A static file server for browser tests: this machine only, cross-origin isolated, and as strict about scripts as a careful site.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, resolve, sep } from "node:path";
import { isolation, usualPolicy } from "../../scripts/lib/browser.mjs";

export interface StaticServer {
  /** Where it listens, without a slash at the end: "http://127.0.0.1:40123". */
  readonly origin: string;
  close(): Promise<void>;
}

const contentTypes: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

export interface ServerOptions {
  /** Whether pages may share memory with their workers. */
  readonly isolated?: boolean;
  /** The content security policy of pages and scripts. */
  readonly policy?: string;
}

/**
 * Serves folders, each under its own first path segment, and an empty page at "/".
 * @param folders for example `{ dist: "/home/me/kasane/dist" }` serves that folder at /dist/
 */
export async function serve(
  folders: Record<string, string>,
  { isolated = true, policy = usualPolicy }: ServerOptions = {},
): Promise<StaticServer> {
  const headers = { "Content-Security-Policy": policy, "Cache-Control": "no-store", ...(isolated ? isolation : {}) };
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname);
    const page = path === "/" ? "<!doctype html><title>kasane</title>" : await readInside(folders, path);
    if (page === undefined) response.writeHead(404, headers).end(`${path} is not there`);
    else
      response
        .writeHead(200, { ...headers, "Content-Type": contentTypes[extname(path) || ".html"] ?? "application/octet-stream" })
        .end(page);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((closed, failed) => {
        server.close((error) => (error ? failed(error) : closed()));
        server.closeAllConnections();
      }),
  };
}

async function readInside(folders: Record<string, string>, path: string): Promise<Buffer | undefined> {
  const [, first = "", ...rest] = path.split("/");
  const folder = folders[first];
  if (folder === undefined) return undefined;
  const file = resolve(folder, join(...rest, ""));
  if (!file.startsWith(resolve(folder) + sep)) return undefined;
  return readFile(file).catch(() => undefined);
}
