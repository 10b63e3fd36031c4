// kasane train --watch: after every epoch, a bar per layer for the size of its gradient, and findings.

import { median } from "../inspect/diagnose/statistics.ts";
import { diagnose, type Finding, Recorder, type RecorderEvent } from "../inspect/index.ts";
import type { Layer } from "../nn/index.ts";
import type { Callback, EpochReport } from "../train/index.ts";
import type { Terminal } from "./terminal.ts";
import { wrap } from "./terminal.ts";

/** The latest are kept: what a diagnosis looks at. */
const MOST_EVENTS = 50_000;

const BLOCKS = "▁▂▃▄▅▆▇█";

/** A recorder for fit, and the callback that prints what it saw. */
export function watching(terminal: Terminal, model: Layer): { readonly recorder: Recorder; readonly callback: Callback } {
  const recorder = new Recorder(model, { events: ["forward", "gradient", "update", "report"], most: MOST_EVENTS });
  let begun = 0;
  const history: EpochReport[] = [];
  const told = new Set<string>();
  return {
    recorder,
    callback: {
      onEpochEnd(report) {
        history.push(report);
        terminal.print(gradientStrip(recorder.events.filter(({ step }) => step >= begun)));
        begun = recorder.steps;
        const findings = diagnose({ events: recorder.events, history }).filter(({ kind, where }) => !told.has(`${kind} ${where}`));
        for (const finding of findings) {
          told.add(`${finding.kind} ${finding.where}`);
          for (const line of sentence(finding, terminal.width)) terminal.print(terminal.colors.yellow(line));
        }
      },
    },
  };
}

/**
 * One block per weight, by the middle of its gradients' root mean square, from the smallest to the largest on a
 * logarithmic scale.
 */
function gradientStrip(events: readonly RecorderEvent[]): string {
  const sizes = new Map<string, number[]>();
  for (const event of events)
    if (event.event === "gradient" && event.shape.length > 1)
      sizes.set(event.parameter, [...(sizes.get(event.parameter) ?? []), event.gradient.norm / Math.sqrt(event.gradient.count)]);
  const order = [...new Set(events.flatMap((event) => (event.event === "forward" ? [event.path] : [])))];
  const place = (name: string): number => order.indexOf(name.split(".").slice(0, -1).join("."));
  const rows = [...sizes].map(([name, values]) => ({ name, size: median(values) })).sort((a, b) => place(a.name) - place(b.name));
  const logs = rows.map(({ size }) => Math.log10(size)).filter(Number.isFinite);
  const [low, high] = [Math.min(...logs), Math.max(...logs)];
  const strip = rows.map(({ size }) => {
    const log = Math.log10(size);
    if (!Number.isFinite(log)) return size === 0 ? "·" : "!";
    // Within a factor of ten all are alike.
    return BLOCKS[Math.round(((log - low) / Math.max(1, high - low)) * (BLOCKS.length - 1))];
  });
  const text = ({ name, size }: (typeof rows)[number]): string => `${name} ${size.toPrecision(2)}`;
  const ends = rows.length === 0 ? "none" : rows.length === 1 ? text(rows[0]!) : `${text(rows[0]!)} … ${text(rows.at(-1)!)}`;
  return `gradients ${strip.join("")}  ${ends}`;
}

function sentence({ kind, where, what, advice }: Finding, width: number): string[] {
  return wrap(`${kind} (${where}): ${what}; try ${advice[0]}`, width);
}
