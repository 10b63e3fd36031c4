// The script of a page's worker threads, when it is a file: receives its memory, then runs programs.

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
