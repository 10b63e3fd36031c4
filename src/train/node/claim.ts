// Locks a run folder: at most one process trains into it, also under races and after a kill.

import { randomBytes } from "node:crypto";
import { open, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { removeQuietly } from "../../io/node/folders.ts";
import { markText, ownMark, type ProcessMark, readMark, stateOf } from "../../io/node/process-mark.ts";
import { readBytes, reasonFor, writeFileAtomic } from "../../io/node.ts";
import { FileError, InputError } from "../../util/errors.ts";
import { fromUtf8 } from "../../util/text.ts";

/** Holds the number of the process that trains into the folder, and under it what tells that process from others. */
const CLAIM_FILE = "training.pid";
/** The ticket of a process that is about to read and write the claim. */
const TICKET_NAME = /^\.claim-([^-]+)-(\w+)$/;

/** Bytes; what is longer is no claim. */
const LONGEST_CLAIM = 4096;

/** Milliseconds to wait for others that are about to claim; each needs a few. */
const PATIENCE = 20_000;
/** Milliseconds between two tries at most: the more there are, the further apart they must try. */
const LONGEST_PAUSE = 200;

/** What this thread has claimed: another thread of the process has the same mark, but not the same claims. */
const held = new Set<string>();

/** Whether a file of the folder is about claims, not about the run. */
export function isClaim(name: string): boolean {
  return name === CLAIM_FILE || TICKET_NAME.test(name);
}

interface Ticket {
  readonly path: string;
  readonly mark: ProcessMark;
}

/** A process's hold on a folder. */
export class Claim {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Claims the folder for this process, which may have done so before. A claim whose process is gone is taken over.
   * @throws InputError when another process trains into it; FileError when it cannot be written
   */
  static async of(folder: string): Promise<Claim> {
    const claim = new Claim(resolve(folder));
    const deadline = performance.now() + PATIENCE;
    for (let longest = 5; ; longest = Math.min(LONGEST_PAUSE, 2 * longest)) {
      if (await claim.#isOwn()) return claim;
      const ticket = await claim.#alone();
      if (ticket !== undefined) {
        try {
          if (!(await claim.#isOwn())) await claim.#write();
          return claim;
        } finally {
          await removeQuietly(ticket);
        }
      }
      if (performance.now() > deadline) throw await claim.#crowded();
      await pause(longest * Math.random());
    }
  }

  /** Ends the claim. */
  async release(): Promise<void> {
    const isOwn = await this.#isOwn().catch(() => false);
    held.delete(this.#folder);
    if (isOwn) await removeQuietly(this.#path);
  }

  get #path(): string {
    return join(this.#folder, CLAIM_FILE);
  }

  async #write(): Promise<void> {
    await writeFileAtomic(this.#path, `${process.pid}\n${markText(ownMark())}\n`, { followLinks: false });
    held.add(this.#folder);
  }

  /** False where the folder is free. @throws InputError when it is another's */
  async #isOwn(): Promise<boolean> {
    const owner = await readClaim(this.#path);
    if (owner === undefined) return false;
    if (held.has(this.#folder) && markText(owner) === markText(ownMark())) return true;
    const state = stateOf(owner);
    if (state === "gone") return false;
    throw new InputError(`process ${owner.pid}${state === "elsewhere" ? " of another machine" : ""} is training into ${this.#folder}`, {
      hint: `another folder, or stop that process; if it is something else by now, delete ${this.#path}`,
    });
  }

  /**
   * Shows that this process is here, and then looks who else is: of two that do so at once, the one that looks last
   * sees the other, so that never two find themselves alone. Tickets of processes that are gone count for nothing;
   * their names are never used again, so that anyone may remove them.
   * @returns the ticket if no other process has one, else undefined
   */
  async #alone(): Promise<string | undefined> {
    if ((await this.#others()).length > 0) return undefined;
    const ticket = join(this.#folder, `.claim-${markText(ownMark())}-${randomBytes(6).toString("hex")}`);
    try {
      await (await open(ticket, "wx")).close();
    } catch (error) {
      throw new FileError(`cannot write into ${this.#folder}: ${reasonFor(error)}`, { hint: "a folder that can be written", cause: error });
    }
    const isAlone = (await this.#others(ticket)).length === 0;
    if (isAlone) return ticket;
    await removeQuietly(ticket);
    return undefined;
  }

  /** Those whose process may still be there. */
  async #others(own?: string): Promise<Ticket[]> {
    const live: Ticket[] = [];
    for (const name of await readdir(this.#folder)) {
      const [, text] = TICKET_NAME.exec(name) ?? [];
      const path = join(this.#folder, name);
      if (text === undefined || path === own) continue;
      const mark = readMark(text);
      if (mark !== undefined && stateOf(mark) !== "gone") live.push({ path, mark });
      else await removeQuietly(path);
    }
    return live;
  }

  /** A process stopped, or runs on another machine, between the ticket and the claim. */
  async #crowded(): Promise<InputError> {
    const [first] = await this.#others();
    return new InputError(
      `${first === undefined ? "another process" : `process ${first.mark.pid}`} has been about to train into ${this.#folder} for ${PATIENCE / 1000} seconds`,
      {
        hint: `another folder, or stop that process; if it is something else by now, delete ${first?.path ?? join(this.#folder, ".claim-*")}`,
      },
    );
  }
}

/** Undefined where there is none, or nothing that is one. @throws FileError when it cannot be read */
async function readClaim(path: string): Promise<ProcessMark | undefined> {
  try {
    const text = fromUtf8(await readBytes(path, { most: LONGEST_CLAIM }));
    return readMark(text.trim().split("\n").at(-1) ?? "");
  } catch (error) {
    if (((error as FileError).cause as NodeJS.ErrnoException | undefined)?.code === "ENOENT") return undefined;
    throw new FileError((error as FileError).message, { hint: "delete it, or give another folder", cause: error });
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
