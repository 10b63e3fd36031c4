# Writes test/goldens/ops-*.json: results and gradients of ops, from PyTorch, kinks, ties and edges of windows included.
# Run with a Python that has torch: python3 scripts/goldens/ops.py
import math

import torch
import torch.nn.functional as F

from common import numbers, write, written

torch.manual_seed(11)
inf = math.inf


def case(name, op, run, inputs, arguments=None, differentiable=True):
    """`op` is the name and `arguments` the further arguments of kasane's function."""
    leaves = [value.clone().requires_grad_(differentiable) for value in inputs]
    y = run(*leaves)
    made = {"name": name, "op": op, "arguments": arguments or [], "inputs": [written(value) for value in leaves], "output": written(y)}
    if differentiable:
        upstream = numbers(*y.shape, low=0.25, high=2)
        y.backward(upstream)
        made["upstream"] = written(upstream)
        made["gradients"] = [written(value.grad) for value in leaves]
    return made


def values(*items):
    return torch.tensor(items, dtype=torch.float64)


wide = values(-8, -3.5, -2, -1, -0.5, -0.25, 0, 0.25, 0.5, 1, 2, 3.5, 6, 8.5)
positive = values(0.015625, 0.25, 0.5, 1, 2, 3.5, 100)
unit = values(-0.875, -0.5, -0.125, 0, 0.25, 0.75)

pointwise = [
    case("relu", "relu", F.relu, [wide]),
    case("leakyRelu 0.1", "leakyRelu", lambda x: F.leaky_relu(x, 0.1), [wide], [0.1]),
    case("relu6", "relu6", F.relu6, [wide]),
    case("elu 1.5", "elu", lambda x: F.elu(x, 1.5), [wide], [1.5]),
    case("selu", "selu", F.selu, [wide]),
    case("gelu", "gelu", F.gelu, [wide]),
    case("gelu tanh", "gelu", lambda x: F.gelu(x, approximate="tanh"), [wide], ["tanh"]),
    case("silu", "silu", F.silu, [wide]),
    case("softplus", "softplus", F.softplus, [wide]),
    case("softsign", "softsign", F.softsign, [wide]),
    case("logSigmoid", "logSigmoid", F.logsigmoid, [wide]),
    case("hardtanh at its limits", "hardtanh", lambda x: F.hardtanh(x, -1, 0.5), [wide], [-1, 0.5]),
    case("hardSigmoid", "hardSigmoid", F.hardsigmoid, [wide]),
    case("hardSwish", "hardSwish", F.hardswish, [wide]),
    case("sigmoid", "sigmoid", torch.sigmoid, [wide]),
    case("tanh", "tanh", torch.tanh, [wide]),
    case("clip at its limits", "clip", lambda x: x.clamp(-1, 2), [wide], [-1, 2]),
    case("abs", "abs", torch.abs, [wide]),
    case("square", "square", torch.square, [wide]),
    case("exp", "exp", torch.exp, [wide]),
    case("expm1", "expm1", torch.expm1, [wide]),
    case("sin", "sin", torch.sin, [wide]),
    case("cos", "cos", torch.cos, [wide]),
    case("atan", "atan", torch.atan, [wide]),
    case("sinh", "sinh", torch.sinh, [wide]),
    case("cosh", "cosh", torch.cosh, [wide]),
    case("erf", "erf", torch.erf, [wide]),
    case("tan", "tan", torch.tan, [unit]),
    case("asin", "asin", torch.asin, [unit]),
    case("acos", "acos", torch.acos, [unit]),
    case("log", "log", torch.log, [positive]),
    case("log1p", "log1p", torch.log1p, [positive]),
    case("log2", "log2", torch.log2, [positive]),
    case("sqrt", "sqrt", torch.sqrt, [positive]),
    case("rsqrt", "rsqrt", torch.rsqrt, [positive]),
    case("reciprocal", "reciprocal", torch.reciprocal, [positive]),
    case("round half to even", "round", torch.round, [values(-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49, 3.51)], differentiable=False),
    case("sign", "sign", torch.sign, [wide], differentiable=False),
    case("mod", "mod", torch.remainder, [values(7, -7, 7, -7, 5.5, -0.5), values(3, 3, -3, -3, 2, 4)]),
    case("pow", "pow", torch.pow, [values(2, 3, 0.5, 4, 1), values(3, -1, 2, 0.5, 9)]),
    case("pow 2 of any base", "pow", lambda x: x**2, [values(-3, 0, 2)], [2]),
    case("pow 3 of any base", "pow", lambda x: x**3, [values(-3, 0, 2)], [3]),
    case("pow 0 of any base", "pow", lambda x: x**0, [values(-3, 0, 2)], [0]),
    case("maximum with ties", "maximum", torch.maximum, [values(1, 2, 3, -1), values(1, 3, 2, -1)]),
    case("minimum with ties", "minimum", torch.minimum, [values(1, 2, 3, -1), values(1, 3, 2, -1)]),
    case("add, broadcast", "add", torch.add, [numbers(2, 1, 3), numbers(4, 1)]),
    case("div, broadcast", "div", torch.div, [numbers(2, 3), numbers(3, low=0.5, high=2)]),
]

rows = numbers(3, 4)
zeros = torch.tensor([[2.0, 3.0, -1.5, 4.0], [2.0, 0.0, -1.5, 4.0], [0.0, 3.0, 0.0, 4.0]])
reductions = [
    case("softmax over the last axis", "softmax", lambda x: x.softmax(-1), [rows], [-1]),
    case("softmax over the first axis", "softmax", lambda x: x.softmax(0), [rows], [0]),
    case("softmax of large numbers", "softmax", lambda x: x.softmax(-1), [rows * 500], [-1]),
    case("logSoftmax over the last axis", "logSoftmax", lambda x: x.log_softmax(-1), [rows], [-1]),
    case("logSoftmax of large numbers", "logSoftmax", lambda x: x.log_softmax(0), [rows * 500], [0]),
    case("logSumExp", "logSumExp", lambda x: x.logsumexp(1), [rows], [1]),
    case("logSumExp over both axes", "logSumExp", lambda x: x.logsumexp((0, 1)), [rows * 100], [[0, 1]]),
    case("variance", "variance", lambda x: x.var(1, unbiased=False), [rows], [1]),
    case("variance, corrected", "variance", lambda x: x.var(1, unbiased=True), [rows], [1, {"correction": 1}]),
    case("variance over both axes", "variance", lambda x: x.var((0, 1), unbiased=True), [rows], [[0, 1], {"correction": 1}]),
    case("prod with zeros", "prod", lambda x: x.prod(1), [zeros], [1]),
    case("mean", "mean", lambda x: x.mean((0, 2)), [numbers(2, 3, 4)], [[0, 2]]),
    case("max", "max", lambda x: x.amax(1), [values(1, 4, 2, 8, 5, 7).reshape(2, 3)], [1]),
    case("min", "min", lambda x: x.amin(0), [values(1, 4, 2, 8, 5, 7).reshape(2, 3)], [0]),
    case("matmul, batched and broadcast", "matmul", torch.matmul, [numbers(2, 1, 3, 4), numbers(2, 4, 2)]),
    case("matmul of a vector", "matmul", torch.matmul, [numbers(4), numbers(2, 4, 3)]),
    case("matmul by a vector", "matmul", torch.matmul, [numbers(2, 3, 4), numbers(4)]),
]


def ties(*shape):
    return torch.randint(0, 3, shape).double()


def pool_arguments(kernel, **options):
    names = {"stride": "stride", "padding": "padding", "dilation": "dilation", "ceil_mode": "ceilMode", "count_include_pad": "countPadding"}
    return [kernel, {names[key]: value for key, value in options.items()}]


def pooled(name, dims, shape, kernel, tied=False, **options):
    op = getattr(F, f"{name}_pool{dims}d")
    x = ties(*shape) if tied else numbers(*shape)
    kasane = "maxPool" if name == "max" else "averagePool"
    label = f"{kasane} {dims}d kernel {kernel} {options}{' with ties' if tied else ''}"
    return case(label, kasane, lambda value: op(value, kernel, **options), [x], pool_arguments(kernel, **options))


pooling = [
    pooled("max", 1, (1, 2, 7), 3, stride=2, padding=1),
    pooled("max", 1, (1, 1, 9), 3, tied=True, stride=1),
    pooled("max", 1, (1, 1, 8), 2, stride=3, ceil_mode=True),
    pooled("max", 2, (1, 2, 5, 6), 2),
    pooled("max", 2, (1, 1, 6, 6), [3, 2], tied=True, stride=[2, 1], padding=1),
    pooled("max", 2, (1, 2, 5, 5), 2, stride=2, ceil_mode=True),
    pooled("max", 2, (1, 1, 7, 7), 3, stride=2, padding=1, ceil_mode=True),
    pooled("max", 2, (1, 1, 7, 8), 2, dilation=2, stride=2),
    pooled("max", 3, (1, 1, 4, 4, 4), 2, tied=True, stride=2),
    pooled("avg", 1, (1, 2, 7), 3, stride=2, padding=1),
    pooled("avg", 1, (1, 2, 7), 3, stride=2, padding=1, count_include_pad=False),
    pooled("avg", 2, (1, 2, 5, 6), 2),
    pooled("avg", 2, (1, 1, 5, 5), 3, stride=2, padding=1),
    pooled("avg", 2, (1, 1, 5, 5), 3, stride=2, padding=1, count_include_pad=False),
    pooled("avg", 2, (1, 1, 5, 5), 2, stride=2, ceil_mode=True),
    pooled("avg", 2, (1, 1, 6, 6), 3, stride=2, padding=1, ceil_mode=True),
    pooled("avg", 2, (1, 1, 6, 6), 3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
    pooled("avg", 3, (1, 1, 4, 4, 4), 2, stride=2),
]


def conv(dims, x, w, bias=True, transposed=False, **options):
    op = getattr(F, f"conv_transpose{dims}d" if transposed else f"conv{dims}d")
    groups = options.get("groups", 1)
    out = w[1] * groups if transposed else w[0]
    inputs = [numbers(*x), numbers(*w, low=-1, high=1)] + ([numbers(out)] if bias else [])
    names = {"stride": "stride", "padding": "padding", "dilation": "dilation", "groups": "groups", "output_padding": "outputPadding"}
    kasane = "convTranspose" if transposed else "conv"
    label = f"{kasane} {dims}d {list(w)} {options}{'' if bias else ' without bias'}"
    return case(label, kasane, lambda *leaves: op(*leaves, **options), inputs, [{names[key]: value for key, value in options.items()}])


convolutions = [
    conv(1, (2, 3, 7), (4, 3, 3)),
    conv(1, (1, 4, 8), (6, 2, 3), stride=2, padding=1, groups=2),
    conv(2, (2, 2, 5, 6), (3, 2, 3, 2), bias=False),
    conv(2, (1, 3, 7, 6), (2, 3, 3, 3), stride=[2, 3], padding=[1, 2]),
    conv(2, (1, 2, 7, 7), (2, 2, 3, 3), dilation=2, padding=2),
    conv(2, (1, 4, 5, 5), (4, 1, 3, 3), groups=4, padding=1, bias=False),
    conv(2, (1, 4, 6, 6), (2, 2, 2, 2), groups=2, stride=2, dilation=2),
    conv(2, (1, 2, 4, 4), (3, 2, 4, 4)),
    conv(2, (1, 2, 5, 4), (3, 2, 2, 3), padding="same"),
    conv(2, (1, 2, 4, 5), (3, 2, 1, 1)),
    conv(3, (1, 2, 4, 3, 4), (2, 2, 2, 2, 3), padding=1, stride=[2, 1, 2]),
    conv(1, (2, 3, 5), (3, 4, 3), transposed=True),
    conv(1, (1, 2, 4), (2, 3, 3), transposed=True, stride=2, padding=1, output_padding=1),
    conv(2, (1, 3, 3, 4), (3, 2, 3, 3), transposed=True, stride=2, padding=1, bias=False),
    conv(2, (1, 2, 3, 3), (2, 2, 3, 2), transposed=True, stride=[2, 3], padding=1, output_padding=[1, 2], dilation=[2, 1]),
    conv(2, (1, 4, 3, 3), (4, 1, 2, 2), transposed=True, groups=2, stride=2),
    conv(3, (1, 2, 2, 3, 2), (2, 2, 2, 2, 2), transposed=True, stride=2),
]

write("ops-pointwise", pointwise)
write("ops-reductions", reductions)
write("ops-pooling", pooling)
write("ops-convolutions", convolutions)
