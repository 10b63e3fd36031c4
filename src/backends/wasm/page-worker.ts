// The script of a page's worker threads, where it is a file: waits for what to work on, then for programs.
import { type Work, work } from "./worker.ts";

addEventListener(
  "message",
  ({ data }) => {
    postMessage("runs");
    work(data as Work);
    close();
  },
  { once: true },
);
