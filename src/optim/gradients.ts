// Clipping of gradients between backward() and step(), and sorting parameters into groups.

import { updating } from "../tensor/autograd/tape.ts";
import { listOfTensors, valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/types.ts";
import { InputError } from "../util/errors.ts";

/**
 * Scales all gradients together so that their norm as one vector is at most `most`; gives the norm they had, a single
 * number. NaN or infinite gradients give a norm that is not finite. Pascanu et al. 2013.
 * @throws InputError when `most` is not positive
 */
export function clipGradientNorm(parameters: Iterable<Tensor>, most: number): Tensor | undefined {
  if (!(most > 0)) throw new InputError(`clipGradientNorm: the norm must be positive, got ${most}`);
  return updating(() => {
    const found = withGradients("clipGradientNorm", parameters);
    if (found.length === 0) return undefined;
    const squares = found.map(([, gradient]) => gradient.square().sum());
    const total = squares.reduce((a, b) => a.add(b)).sqrt();
    // As PyTorch: a little more than the norm, so that a gradient of exactly that norm is not rounded above it.
    const scale = total.add(1e-6).reciprocal().mul(most).minimum(1);
    for (const [parameter, gradient] of found) setGradient(parameter, gradient.mul(scale));
    return total;
  });
}

/** Limits every element of every gradient to [−most, most]. @throws InputError when `most` is not positive */
export function clipGradientValue(parameters: Iterable<Tensor>, most: number): void {
  if (!(most > 0)) throw new InputError(`clipGradientValue: the limit must be positive, got ${most}`);
  updating(() => {
    for (const [parameter, gradient] of withGradients("clipGradientValue", parameters)) setGradient(parameter, gradient.clip(-most, most));
  });
}

/** Which parameters belong to a group: by name, or by a function of name and tensor. */
export type ParameterFilter = RegExp | ((name: string, parameter: Tensor) => boolean);

/** Parameters by name with the settings of the rule they fit. */
export type GroupOf<Rule> = { readonly parameters: ReadonlyMap<string, Tensor> } & Partial<Omit<Rule, "match">>;

/**
 * Parameters by name sorted into groups with settings of their own: each goes to the first rule that fits, the others
 * to a last group.
 * @example adamW(parameterGroups(net.namedParameters(), [{ match: (_, p) => p.rank < 2, weightDecay: 0 }]), { weightDecay: 0.1 })
 * @throws InputError when a rule fits no parameter
 */
export function parameterGroups<const Rule extends { readonly match: ParameterFilter; readonly [setting: string]: unknown }>(
  parameters: ReadonlyMap<string, Tensor>,
  rules: readonly Rule[],
): GroupOf<Rule>[] {
  const left = new Map(parameters);
  const groups = rules.map(({ match, ...settings }) => {
    const fits = [...left].filter(([name, parameter]) => (typeof match === "function" ? match(name, parameter) : match.test(name)));
    if (fits.length === 0)
      throw new InputError(`parameterGroups: no parameter fits ${typeof match === "function" ? "the rule" : String(match)}`, {
        hint: `names: ${[...parameters.keys()].slice(0, 6).join(", ")}`,
      });
    for (const [name] of fits) left.delete(name);
    return { parameters: new Map(fits), ...settings } as unknown as GroupOf<Rule>;
  });
  if (left.size > 0) groups.push({ parameters: left } as unknown as GroupOf<Rule>);
  return groups;
}

/** @throws InputError for anything that is no parameter: what has no gradient would be passed over without a word */
function withGradients(name: string, parameters: Iterable<Tensor>): [Tensor, Tensor][] {
  return listOfTensors(name, parameters, "parameters", `${name}(net.parameters(), 1)`).flatMap((parameter): [Tensor, Tensor][] =>
    parameter.grad === undefined ? [] : [[parameter, parameter.grad]],
  );
}

function setGradient(parameter: Tensor, gradient: Tensor): void {
  valueOf(parameter).gradient = valueOf(gradient);
}
