// The script of a page's worker threads: waits for what to work on, then for programs.
import { type Work, work } from "./worker.ts";

addEventListener("message", ({ data }) => work(data as Work), { once: true });
