// Listings: kernel modules as indented text.

import type { Address, KernelFunction, KernelModule, Statement, Value } from "./language.ts";

export function printModule(module: KernelModule): string {
  return `module ${module.name}\n${module.functions.map(printFunction).join("\n")}`;
}

export function printFunction(fn: KernelFunction): string {
  const parameters = fn.parameters.map((parameter) => `${parameter.name}: ${parameter.type}`).join(", ");
  const head = `${fn.exported ? "export " : ""}function ${fn.name}(${parameters})${fn.result === undefined ? "" : `: ${fn.result.type}`} {`;
  const tail = fn.result === undefined ? [] : [`  return ${printValue(fn.result)}`];
  return [head, ...lines(fn.body, "  "), ...tail, "}"].join("\n");
}

function lines(statements: readonly Statement[], indent: string): string[] {
  return statements.flatMap((statement) => printStatement(statement, indent));
}

function printStatement(statement: Statement, indent: string): string[] {
  const inner = `${indent}  `;
  switch (statement.kind) {
    case "comment":
      return [`${indent}// ${statement.text}`];
    case "set":
      return [`${indent}${statement.variable.name} = ${printValue(statement.value)}`];
    case "prefetch":
      return [`${indent}prefetch ${printAddress(statement.address)}${statement.write ? " to write" : ""}`];
    case "store": {
      const count = statement.count === undefined ? "" : ` first ${printValue(statement.count)}`;
      const how = statement.stream ? " past the caches" : "";
      return [`${indent}${statement.memory}${printAddress(statement.address)}${count}${how} = ${printValue(statement.value)}`];
    }
    case "call": {
      const result = statement.result === undefined ? "" : `${statement.result.name} = `;
      return [`${indent}${result}${statement.callee}(${statement.args.map(printValue).join(", ")})`];
    }
    case "atomicAdd": {
      const result = statement.result === undefined ? "" : `${statement.result.name} = `;
      return [`${indent}${result}atomicAdd i32${printAddress(statement.address)} ${printValue(statement.value)}`];
    }
    case "await":
      return [`${indent}await i32${printAddress(statement.address)} ≥ ${printValue(statement.value)}`];
    case "loop": {
      const { variable, start, end, step } = statement;
      const head = `for ${variable.name} = ${printValue(start)} to ${printValue(end)} step ${step} {`;
      return [indent + head, ...lines(statement.body, inner), `${indent}}`];
    }
    case "while":
      return [`${indent}while ${printValue(statement.condition)} {`, ...lines(statement.body, inner), `${indent}}`];
    case "if": {
      const otherwise = statement.otherwise.length === 0 ? [] : [`${indent}} else {`, ...lines(statement.otherwise, inner)];
      return [`${indent}if ${printValue(statement.condition)} {`, ...lines(statement.body, inner), ...otherwise, `${indent}}`];
    }
  }
}

function printValue(value: Value): string {
  switch (value.op) {
    case "variable":
      return value.name;
    case "constant":
      return value.type === "i32" || value.type === "f32" ? String(value.value) : `${value.type}(${value.value})`;
    case "lanes":
      return `${value.type}(${value.values.join(", ")})`;
    case "load": {
      const how = value.splat ? " splat" : value.count === undefined ? "" : ` first ${printValue(value.count)}`;
      return `${value.type}:${value.memory}${printAddress(value.address)}${how}`;
    }
    default: {
      const immediate = value.immediate.length === 0 ? "" : `<${value.immediate.join(",")}>`;
      return `${value.op}${immediate}(${value.args.map(printValue).join(", ")})`;
    }
  }
}

function printAddress(address: Address): string {
  const index = address.index === undefined ? "" : ` + ${printValue(address.index)}`;
  return `[${printValue(address.base)}${index}${address.offset === 0 ? "" : ` + ${address.offset}`}]`;
}
