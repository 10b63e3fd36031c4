// Runs functions of a test inside a real, headless Chromium that has the built library loaded.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromiumPath } from "../../scripts/lib/browser.mjs";
import { ensureBuilt } from "../../scripts/lib/build.mjs";
import { root } from "../../scripts/lib/paths.mjs";
import type { ServerOptions, StaticServer } from "./server.ts";
import { serve } from "./server.ts";

/** The library as a page sees it; a test casts to what it uses. */
type Library = typeof import("kasane");

export interface BrowserPage {
  /**
   * Runs a function in the page with the built library and arguments; arguments and result travel as JSON-like values.
   * The function's text is sent: it sees its parameters and the page's globals, and nothing of the test around it.
   */
  run<Result, Arguments extends unknown[]>(
    work: (kasane: Library, ...args: Arguments) => Result | Promise<Result>,
    ...args: Arguments
  ): Promise<Result>;
  /** What the page complained about so far: uncaught errors, and console messages of level error. */
  readonly complaints: readonly string[];
  /** What it warned of. */
  readonly warnings: readonly string[];
}

// A software WebGPU adapter, and no talk with the outside.
const flags = [
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
];

/**
 * `describe` for tests that need a browser. Without Chromium they are skipped with a warning; under CI=true they fail.
 * @param define gets a function that returns the page; call it inside a test
 * @param options of the server: by default the page is cross-origin isolated, and its policy allows WebAssembly and nothing more
 */
export function describeInBrowser(title: string, define: (page: () => BrowserPage) => void, options: ServerOptions = {}): void {
  if (!existsSync(chromiumPath)) {
    const reason = `There is no Chromium at ${chromiumPath}; install it (Debian: apt-get install chromium) or set KASANE_CHROMIUM.`;
    if (process.env.CI === "true") {
      it(title, () => expect.fail(reason));
      return;
    }
    console.warn(`SKIPPED "${title}": ${reason}`);
    it(title, ({ skip }) => skip(reason));
    return;
  }
  describe(title, () => {
    let opened: OpenPage | undefined;
    beforeAll(async () => {
      opened = await openPage(options);
    });
    afterAll(() => opened?.close());
    define(() => opened as OpenPage);
  });
}

interface OpenPage extends BrowserPage {
  close(): Promise<void>;
}

async function openPage(options: ServerOptions): Promise<OpenPage> {
  await ensureBuilt(root, "library");
  const server = await serve({ dist: join(root, "dist"), workers: join(root, "test", "browser", "workers") }, options);
  let browser: Browser | undefined;
  try {
    browser = await chromium.launch({ executablePath: chromiumPath, headless: true, args: flags });
    const page = await browser.newPage();
    const heard = listen(page);
    await page.goto(server.origin);
    return { ...heard, run: (work, ...args) => evaluate(page, work, args), close: () => close(server, browser) };
  } catch (error) {
    await close(server, browser);
    throw error;
  }
}

function listen(page: Page): Pick<BrowserPage, "complaints" | "warnings"> {
  const [complaints, warnings]: [string[], string[]] = [[], []];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "warning") warnings.push(message.text());
    // The browser asks for an icon by itself.
    if (message.type() === "error" && !message.location().url.endsWith("/favicon.ico")) complaints.push(message.text());
  });
  return { complaints, warnings };
}

// Sent as text, because the test runner rewrites every `import(…)` in a function it has loaded.
async function evaluate<Result>(page: Page, work: unknown, args: unknown[]): Promise<Result> {
  return page.evaluate(`import("/dist/index.js").then((kasane) => (${String(work)})(kasane, ...${JSON.stringify(args)}))`);
}

async function close(server: StaticServer, browser: Browser | undefined): Promise<void> {
  await browser?.close();
  await server.close();
}

/** What a description says of threads: where other programs keep the processors busy, fewer may compute, and it tells so. */
export function threadsText(processors: number): RegExp {
  return processors === 1 ? /one thread/ : new RegExp(`(?<!of )\\b${processors} threads|thread of ${processors}: more are of no use here`);
}
