// Selects the instructions of one function: its arguments, its statements, its result.

import type { KernelFunction, Machine, Statement, Value } from "../../../kernels/language/language.ts";
import { valuesOf, variableSetBy, visitStatements, visitVariables } from "../../../kernels/language/statements.ts";
import { type FunctionCode, INCOMING } from "../encode/code.ts";
import type { ConstantPool } from "../encode/pool.ts";
import { memory, RDX, register } from "../encode/registers.ts";
import { argumentPlaces, type Callee, loadArgument, resultRegister, selectAwait, selectCall } from "./calls.ts";
import { branch } from "./conditions.ts";
import { Selector } from "./selector.ts";
import { selectStore } from "./stores.ts";

export function selectFunction(
  fn: KernelFunction,
  machine: Machine,
  pool: ConstantPool,
  callees: ReadonlyMap<string, Callee>,
): FunctionCode {
  const s = new Selector(fn.name, machine, pool, callees);
  const { places } = argumentPlaces(
    fn.parameters.map((parameter) => parameter.type),
    machine.lanes,
  );
  const used = usedVariables(fn);
  fn.parameters.forEach((parameter, position) => {
    if (used.has(parameter.id)) loadArgument(s, s.variable(parameter), parameter.type, memory(INCOMING, places[position]!));
  });
  selectBlock(s, fn.body);
  // Other cores see streamed stores in order only after a fence.
  if (s.uses("vmovntps")) s.put("sfence", []);
  if (fn.result !== undefined) s.move(resultRegister(s.classOf(fn.result.type)), s.value(fn.result));
  return s.code(s.callee(fn.name).entry);
}

function selectBlock(s: Selector, block: readonly Statement[]): void {
  for (const statement of block) selectStatement(s, statement);
}

function selectStatement(s: Selector, statement: Statement): void {
  switch (statement.kind) {
    case "comment":
      s.add(statement);
      return;
    case "set":
      s.value(statement.value, s.variable(statement.variable));
      return;
    case "prefetch":
      s.put(statement.write ? "prefetchw" : "prefetcht0", [s.address(statement.address)]);
      return;
    case "store":
      selectStore(s, statement);
      return;
    case "call":
      selectCall(s, statement);
      return;
    case "atomicAdd": {
      const value = s.value(statement.value);
      const to = s.address(statement.address);
      const sum = register("r32", RDX);
      s.put("mov", [sum, register("r32", value.number)]);
      s.put("lock_xadd", [to, sum]);
      if (statement.result !== undefined) s.put("mov", [register("r32", s.variable(statement.result).number), sum]);
      return;
    }
    case "await":
      selectAwait(s, statement);
      return;
    case "loop":
      selectLoop(s, statement);
      return;
    case "while": {
      const [top, test] = [s.label(), s.label()];
      s.add({ kind: "loop", start: true });
      s.put("jmp", [test]);
      s.place(top);
      selectBlock(s, statement.body);
      s.place(test);
      branch(s, statement.condition, top, true);
      s.add({ kind: "loop", start: false });
      return;
    }
    case "if": {
      const [otherwise, end] = [s.label(), s.label()];
      branch(s, statement.condition, otherwise, false);
      selectBlock(s, statement.body);
      if (statement.otherwise.length > 0) s.put("jmp", [end]);
      s.place(otherwise);
      selectBlock(s, statement.otherwise);
      s.place(end);
      return;
    }
  }
}

function selectLoop(s: Selector, { variable, start, end, step, body }: Extract<Statement, { kind: "loop" }>): void {
  const counter = register("r64", s.variable(variable).number);
  const low = register("r32", counter.number);
  if (start.op === "constant" && start.value >= 0) s.put("mov_imm", [low, start.value]);
  else s.put("movsxd", [counter, s.value(start)]);
  s.markExtended(variable);
  const limit = end.op === "constant" ? end.value : s.value(end);
  const [top, past] = [s.label(), s.label()];
  const entered = start.op === "constant" && end.op === "constant" && start.value < end.value;
  const test = () => s.put(typeof limit === "number" ? "cmp_imm" : "cmp", [low, limit]);
  if (!entered) {
    test();
    s.put("jge", [past]);
  }
  s.add({ kind: "loop", start: true });
  s.place(top, !body.some((statement) => statement.kind === "loop" || statement.kind === "while"));
  selectBlock(s, body);
  s.put("add_imm", [counter, step]);
  test();
  s.put("jl", [top]);
  s.add({ kind: "loop", start: false });
  s.place(past);
}

/** Ids of the variables that a function reads or sets. */
function usedVariables(fn: KernelFunction): Set<number> {
  const used = new Set<number>();
  const read = (value: Value): void => visitVariables(value, ({ id }) => void used.add(id));
  visitStatements(fn.body, (statement) => {
    valuesOf(statement).forEach(read);
    const set = variableSetBy(statement);
    if (set !== undefined) used.add(set.id);
  });
  if (fn.result !== undefined) read(fn.result);
  return used;
}
