// Starts a worker thread: in Node from text; in a page from kasane's own file, a blob, or a bundler's file.

import { isInOwnFiles, ownFile } from "../../util/own-code.ts";
import { type Work, work } from "./worker.ts";

/** Told of a worker that could not be started, with the reason. */
export type Failed = (reason: string) => void;

interface NodeWorkers {
  readonly Worker: new (source: string, options: object) => { unref(): void; on(event: "error", listen: (error: Error) => void): void };
}

/** Node's module; undefined elsewhere. */
function nodeWorkers(): NodeWorkers | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: "node:worker_threads"): NodeWorkers } };
  return process?.getBuiltinModule?.("node:worker_threads");
}

/** Why there are no worker threads here; undefined when there are. */
export function noWorkers(): string | undefined {
  if (nodeWorkers() !== undefined || typeof Worker !== "undefined") return undefined;
  const { process } = globalThis as { process?: { versions?: { node?: string } } };
  return process?.versions?.node === undefined ? "there are no worker threads here" : "worker threads need Node 20.16 or later";
}

/** The thread joins by itself when it is ready; the others do its part until then. */
export function startWorker(given: Work, failed: Failed): void {
  const node = nodeWorkers();
  if (node === undefined) void startInPage(given, failed);
  else startInNode(node, given, failed);
}

function startInNode(node: NodeWorkers, given: Work, failed: Failed): void {
  try {
    const source = `(${String(work)})(require("node:worker_threads").workerData)`;
    const worker = new node.Worker(source, { eval: true, workerData: given, execArgv: [], name: `kasane ${given.number}` });
    worker.on("error", (error) => failed(`no worker thread starts here (${error.message})`));
    // A process that only waits for its helpers is done.
    worker.unref();
  } catch (error) {
    failed(`no worker thread starts here (${(error as Error).message})`);
  }
}

type Open = () => Worker | Promise<Worker>;

const ways = {
  own: () => new Worker(trusted(new URL("../backends/wasm/page-worker.js", ownFile()).href), { type: "module" }),
  blob: () => new Worker(trusted(blobAddress())),
  emitted: async () => (await import("./page-worker-file.ts")).openEmitted(),
} as const satisfies Record<string, Open>;

/**
 * How the first worker could be started: the others wait for it, since every way that fails leaves a line in the page's
 * console.
 */
let working: Promise<Open | undefined> | undefined;

async function startInPage(given: Work, failed: Failed): Promise<void> {
  if (working === undefined) {
    working = firstThatWorks(given);
    if ((await working) !== undefined) return;
  } else {
    const open = await working;
    if (open !== undefined && (await runs(open, given))) return;
  }
  failed(
    'no worker starts in this page; its content security policy must allow "worker-src blob:" and, where it requires trusted types, "trusted-types kasane"',
  );
}

async function firstThatWorks(given: Work): Promise<Open | undefined> {
  // A file of ours that is there is loaded under stricter policies than a blob; in a bundle, it may not be there.
  for (const open of isInOwnFiles() ? [ways.own, ways.blob] : [ways.blob, ways.emitted]) if (await runs(open, given)) return open;
  return undefined;
}

/** False when the script does not load. */
async function runs(open: Open, given: Work): Promise<boolean> {
  try {
    await lasting(await open(), given);
    return true;
  } catch {
    return false;
  }
}

/** Hands over what to do; rejected when the script does not load, settled once it runs. */
function lasting(worker: Worker, given: Work): Promise<void> {
  return new Promise((done, fails) => {
    worker.addEventListener("message", () => done(), { once: true });
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      worker.terminate();
      fails(event);
    });
    worker.postMessage(given);
  });
}

let blob: string | undefined;

function blobAddress(): string {
  const source = `onmessage = ({ data }) => { postMessage("runs"); (${String(work)})(data); close(); }`;
  blob ??= URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  return blob;
}

interface Policy {
  createScriptURL(address: string): string;
}

interface TrustedTypes {
  createPolicy(name: string, rules: Policy): Policy;
}

let policy: Policy | undefined;

/** As a page wants it that requires trusted types for scripts. */
function trusted(address: string): string {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
  try {
    policy ??= trustedTypes?.createPolicy("kasane", { createScriptURL: (given) => given });
  } catch {
    // The page names the policies it allows: its default one may do.
  }
  return policy?.createScriptURL(address) ?? address;
}
