// Bundles a program that uses the installed package with other people's tools, serves and runs the results in Node and Chromium.

import { execFile } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { chromiumPath, isolation, usualPolicy } from "./browser.mjs";
import { ensureInstalled } from "./install.mjs";
import { root } from "./paths.mjs";
import { Problem } from "./problem.mjs";

/**
 * A way to make the program run, and where.
 * @typedef {object} Way
 * @property {string} name
 * @property {(at: Place) => Promise<Made>} make
 */
/** @typedef {{ folder: string, entry: string, out: string, tool: (name: string) => Promise<any> }} Place */
/** What to run: a file in Node or in a page, a page that is served already, or what was run already. */
/** @typedef {{ node: string } | { script: string, isModule: boolean } | { address: string, close: () => Promise<void> } | { report: Report, close: () => Promise<void> }} Made */
/** @typedef {{ failed?: string, stack?: string, accuracy: number, explained: string, saved: string, float32: string, mistake: { name: string, isShapeError: boolean, where: string }, threads: { same: boolean, description: string } }} Report */

/** As strict as a page can be that computes on threads from a bundle. */
const policy = `${usualPolicy}; worker-src blob:`;

/** @type {Way[]} */
const ways = [
  ...["esm", "cjs", "iife"].flatMap((format) => [esbuild(format, "node"), esbuild(format, "browser")]),
  ...["esm", "cjs", "iife"].flatMap((format) => [rolldown(format, "node"), ...(format === "cjs" ? [] : [rolldown(format, "browser")])]),
  webpack("web"),
  webpack("node"),
  ...["vite5", "vite6", "vite7"].flatMap((version) => [viteBuild(version), viteServer(version), viteSsrBuild(version), viteSsr(version)]),
];

/**
 * @param {string} folder a project with the package installed
 * @param {(name: string) => boolean} [wanted]
 * @returns {Promise<string>} what was seen
 */
export async function runBundled(folder, wanted = () => true) {
  const tools = join(root, "test", "package", "tools");
  await ensureInstalled(tools);
  const require = createRequire(join(tools, "package.json"));
  const own = createRequire(join(root, "package.json"));
  const tool = async (/** @type {string} */ name) => {
    if (name === "rolldown") return import(pathToFileURL(own.resolve(name)).href);
    const entry = name.startsWith("vite") ? join(tools, "node_modules", name, "dist", "node", "index.js") : require.resolve(name);
    return import(pathToFileURL(entry).href);
  };
  const entry = join(folder, "bundled.mjs");
  copyFileSync(join(root, "test", "package", "bundled.mjs"), entry);
  writeFileSync(join(folder, "index.html"), '<!doctype html><title>kasane</title><script type="module" src="/bundled.mjs"></script>');
  const pages = await openChromium();
  /** @type {string[]} */
  const said = [];
  try {
    for (const way of ways.filter(({ name }) => wanted(name))) {
      const out = join(folder, "bundled", way.name.replaceAll(" ", "-"));
      mkdirSync(out, { recursive: true });
      const made = await way.make({ folder, entry, out, tool }).catch((error) => {
        throw new Problem(`${way.name} does not bundle the package: ${error.stack ?? error}`);
      });
      const report = await reportOf(way.name, made, pages);
      if (report === undefined) continue;
      check(way.name, report, "node" in made ? readFileSync(made.node, "utf8") : undefined, !("node" in made || "report" in made));
      said.push(way.name);
    }
  } finally {
    await pages?.close();
  }
  return `${said.join(", ")}${pages === undefined ? " (no Chromium: pages were not opened)" : ""}`;
}

/** @param {string} name @param {Report} report @param {string | undefined} bundle @param {boolean} isPage */
function check(name, report, bundle, isPage) {
  /** @param {boolean} holds @param {string} what */
  const expect = (holds, what) => {
    if (!holds) throw new Problem(`Bundled by ${name}, ${what}: ${JSON.stringify(report, null, 1)}`);
  };
  const { mistake, threads } = report;
  expect(report.failed === undefined, "the program fails");
  expect(report.accuracy > 0.9, "it does not learn");
  expect(report.float32 === "-0.5,300", "typed arrays are misread");
  expect(/ = /.test(report.explained), "numbers are not explained");
  expect(report.saved === "0.bias,0.weight,2.bias,2.weight", "the model is not saved");
  expect(mistake.name === "ShapeError" && mistake.isShapeError, "errors lose their names");
  expect(threads.same && /, 2 threads/.test(threads.description), "there are not two threads");
  expect(isPage ? /^wasm/.test(threads.description) : true, "a page does not run wasm");
  expect(isUsersLine(mistake.where, bundle), "the place of a mistake is not the user's line");
}

/** A place that is named must be the user's; where kasane and the program are one file, there may be none. @param {string} where @param {string | undefined} bundle */
function isUsersLine(where, bundle) {
  const [, file = "", line = "0", column = "0"] = /(?:^|, )(\S+?):(\d+):(\d+)$/.exec(where) ?? [];
  if (file === "") return where === "";
  if (/bundled\.mjs/.test(file)) return true;
  return (
    bundle
      ?.split("\n")
      [Number(line) - 1]?.slice(Number(column) - 1)
      .startsWith("matmul(") === true
  );
}

/** @param {string} name @param {Made} made @param {Awaited<ReturnType<typeof openChromium>>} pages @returns {Promise<Report | undefined>} */
async function reportOf(name, made, pages) {
  if ("report" in made) {
    await made.close();
    return made.report;
  }
  if ("node" in made) {
    const { stdout } = await promisify(execFile)(process.execPath, [made.node]).catch((error) => {
      throw new Problem(`Bundled by ${name}, the program does not run:\n${error.stdout}${error.stderr}`);
    });
    return JSON.parse(stdout);
  }
  if ("address" in made) {
    const report = await pages?.open(made.address);
    await made.close();
    return report;
  }
  return pages?.openFile(made.script, made.isModule);
}

/** @param {string} format @param {"node" | "browser"} platform @returns {Way} */
function esbuild(format, platform) {
  return {
    name: `esbuild ${format} ${platform}`,
    async make({ entry, out, tool }) {
      const outfile = join(out, format === "esm" ? "bundle.mjs" : "bundle.cjs");
      const {
        default: { build },
      } = await tool("esbuild");
      // Names that are kept are kept by calls that esbuild writes into functions.
      const names = { minify: true, keepNames: format === "iife" };
      const { warnings } = await build({ entryPoints: [entry], bundle: true, format, platform, outfile, logLevel: "silent", ...names });
      if (warnings.length > 0) throw new Error(warnings.map((/** @type {{ text: string }} */ { text }) => text).join("\n"));
      return platform === "node" ? { node: outfile } : { script: outfile, isModule: format === "esm" };
    },
  };
}

/** @param {string} format @param {"node" | "browser"} platform @returns {Way} */
function rolldown(format, platform) {
  return {
    name: `rolldown ${format} ${platform}`,
    async make({ entry, out, tool }) {
      const file = join(out, format === "esm" ? "bundle.mjs" : "bundle.cjs");
      const { build } = await tool("rolldown");
      const output = { file, format, minify: platform === "browser", codeSplitting: false };
      await build({ input: entry, platform, logLevel: "silent", external: [/^node:/], output });
      return platform === "node" ? { node: file } : { script: file, isModule: format === "esm" };
    },
  };
}

/** @param {"web" | "node"} target @returns {Way} */
function webpack(target) {
  return {
    name: `webpack ${target}`,
    async make({ folder, entry, out, tool }) {
      const { default: make } = await tool("webpack");
      const output = { path: out, filename: "bundle.cjs", publicPath: "/" };
      // Both of its modes, each once.
      const mode = target === "web" ? "production" : "development";
      const compiler = make({ mode, context: folder, entry, target, output });
      /** @type {{ hasErrors(): boolean, hasWarnings(): boolean, toString(options: object): string }} */
      const stats = await promisify(compiler.run.bind(compiler))();
      if (stats.hasErrors()) throw new Error(stats.toString({ all: false, errors: true }));
      const script = join(out, "bundle.cjs");
      return target === "node" ? { node: script } : { script, isModule: false };
    },
  };
}

/** @param {string} version @param {Place} place @param {object} more */
const viteConfig = (version, { folder }, more) => ({
  root: folder,
  configFile: false,
  logLevel: "error",
  cacheDir: join(folder, "bundled", `${version}-cache`),
  ...more,
});

/** @param {string} version @returns {Way} */
function viteBuild(version) {
  return {
    name: `${version} build`,
    async make(place) {
      const { build, preview } = await place.tool(version);
      const config = viteConfig(version, place, {
        build: { outDir: place.out },
        preview: { port: 0, headers: isolation, host: "127.0.0.1" },
      });
      await build(config);
      return served(await preview(config));
    },
  };
}

/** @param {string} version @returns {Way} */
function viteServer(version) {
  return {
    name: `${version} dev`,
    async make(place) {
      const { createServer: create } = await place.tool(version);
      const server = await create(viteConfig(version, place, { server: { port: 0, headers: isolation, host: "127.0.0.1" } }));
      return served(await server.listen());
    },
  };
}

/** @param {string} version @returns {Way} */
function viteSsrBuild(version) {
  return {
    name: `${version} SSR build`,
    async make(place) {
      const { build } = await place.tool(version);
      await build(
        viteConfig(version, place, { ssr: { noExternal: true }, build: { ssr: place.entry, outDir: place.out, target: "node20" } }),
      );
      return { node: join(place.out, existsSync(join(place.out, "bundled.mjs")) ? "bundled.mjs" : "bundled.js") };
    },
  };
}

/** @param {string} version @returns {Way} */
function viteSsr(version) {
  return {
    name: `${version} SSR dev`,
    async make(place) {
      const { createServer: create } = await place.tool(version);
      const server = await create(
        viteConfig(version, place, { server: { middlewareMode: true }, appType: "custom", ssr: { noExternal: ["kasane"] } }),
      );
      const host = /** @type {{ kasaneReport?: Promise<Report>, kasaneIsQuiet?: boolean }} */ (globalThis);
      host.kasaneIsQuiet = true;
      await server.ssrLoadModule("/bundled.mjs");
      return { report: /** @type {Report} */ (await host.kasaneReport), close: () => server.close() };
    },
  };
}

/** @param {{ resolvedUrls: { local: string[] }, close(): Promise<void> }} server @returns {Made} */
const served = (server) => ({ address: /** @type {string} */ (server.resolvedUrls.local[0]), close: () => server.close() });

async function openChromium() {
  if (!existsSync(chromiumPath)) {
    if (process.env.CI === "true") throw new Problem(`There is no Chromium at ${chromiumPath} to open bundles in.`);
    return undefined;
  }
  const { chromium } = await import("playwright-core");
  const browser = await chromium.launch({ executablePath: chromiumPath, headless: true });
  /** @param {string} address @returns {Promise<Report>} */
  const open = async (address) => {
    const page = await browser.newPage();
    /** @type {string[]} */
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type()) && !message.location().url.endsWith("/favicon.ico"))
        complaints.push(message.text());
    });
    await page.goto(address);
    await page.waitForFunction("globalThis.kasaneReport !== undefined", undefined, { timeout: 60_000 }).catch(() => {
      throw new Problem(`The page at ${address} does not run: ${complaints.join("\n")}`);
    });
    const report = /** @type {Report} */ (await page.evaluate("globalThis.kasaneReport"));
    await page.close();
    return complaints.length === 0 ? report : { ...report, failed: `${report.failed ?? ""} ${complaints.join("\n")}` };
  };
  return { close: () => browser.close(), open, openFile: servingFile(open) };
}

/** @param {(address: string) => Promise<Report>} open */
function servingFile(open) {
  return async (/** @type {string} */ script, /** @type {boolean} */ isModule) => {
    const folder = join(script, "..");
    const server = createServer((request, response) => {
      const path = (request.url ?? "/").slice(1);
      const file = join(folder, path);
      const headers = { ...isolation, "Content-Security-Policy": policy };
      if (path === "")
        response
          .writeHead(200, { ...headers, "Content-Type": "text/html; charset=utf-8" })
          .end(
            `<!doctype html><title>kasane</title><script ${isModule ? 'type="module"' : ""} src="/${script.slice(folder.length + 1)}"></script>`,
          );
      else if (existsSync(file) && [".js", ".mjs", ".cjs"].includes(extname(file)))
        response.writeHead(200, { ...headers, "Content-Type": "text/javascript; charset=utf-8" }).end(readFileSync(file));
      else response.writeHead(404, headers).end();
    });
    await new Promise((listening) => server.listen(0, "127.0.0.1", () => listening(undefined)));
    const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
    try {
      return await open(`http://127.0.0.1:${port}/`);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  };
}
