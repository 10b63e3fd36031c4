// Prints a layer's structure: one line per layer with its settings, the shapes of its weights and its parameter count.

import type { Tensor } from "../tensor/types.ts";
import { shapeText } from "../util/shape-text.ts";
import { type LayerState, type Settings, stateOf } from "./call.ts";

export function describeLayer(state: LayerState): string {
  const lines: string[] = [];
  const seen = new Set<LayerState>();
  write(state, undefined, "", lines, seen);
  return lines.join("\n");
}

/** 101770 → "101,770". */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** The parameters of a layer and all inside, each once. */
export function parameterTotal(state: LayerState, seen: Set<Tensor> = new Set()): number {
  let total = 0;
  for (const value of state.parameters.values()) {
    if (!seen.has(value)) total += value.size;
    seen.add(value);
  }
  for (const part of state.parts.values()) {
    const inner = stateOf(part);
    if (inner !== undefined) total += parameterTotal(inner, seen);
  }
  return total;
}

function isDecided(state: LayerState | undefined): boolean {
  if (state === undefined) return true;
  return state.decide === undefined && [...state.parts.values()].every((part) => isDecided(stateOf(part)));
}

function write(state: LayerState, name: string | undefined, indent: string, lines: string[], seen: Set<LayerState>): void {
  const label = name === undefined ? "" : `${name}: `;
  if (seen.has(state)) {
    lines.push(`${indent}${label}${state.kind} (shared, see above)`);
    return;
  }
  seen.add(state);
  const shapes = [...state.parameters, ...state.buffers].map(([key, value]) => `${key} ${shapeText(value.shape)}`);
  const count = parameterTotal(state);
  const counted =
    count === 0 ? [] : [`${grouped(count)} parameter${count === 1 ? "" : "s"}${isDecided(state) ? "" : ", others after the first input"}`];
  const undecided = state.decide === undefined ? [] : ["sizes come from the first input"];
  const notes = [...undecided, ...shapes, ...counted];
  lines.push(`${indent}${label}${state.kind}${settingsText(state.settings)}${notes.length === 0 ? "" : `  ${notes.join(", ")}`}`);
  for (const [key, part] of state.parts) {
    const inner = stateOf(part);
    if (inner === undefined) lines.push(`${indent}  ${key}: ${part.name || "function"}`);
    else write(inner, key, `${indent}  `, lines, seen);
  }
}

function settingsText(settings: Settings): string {
  const entries = Object.entries(settings).map(([key, value]) => `${key}: ${Array.isArray(value) ? `[${value.join(", ")}]` : value}`);
  return entries.length === 0 ? "" : `(${entries.join(", ")})`;
}
