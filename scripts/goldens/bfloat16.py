# Writes test/goldens/bfloat16.json: what PyTorch's CPU computes with bfloat16 tensors: conversions, arithmetic, products, gradients.
#
#   python3 scripts/goldens/bfloat16.py
import json
import math

import torch
import torch.nn.functional as F

from common import GOLDENS

torch.manual_seed(16)
torch.set_default_dtype(torch.float32)
BF16 = torch.bfloat16


def written(tensor):
    """bfloat16 as its bits: every number exactly, NaN and −0 too."""
    bits = tensor.detach().to(BF16).view(torch.int16).to(torch.int32) & 0xFFFF
    return {"shape": list(tensor.shape), "bits": bits.reshape(-1).tolist()}


def drawn(*shape):
    return torch.randn(shape).to(BF16)


def case(op, run, inputs, arguments=None, differentiable=True):
    leaves = [value.clone().requires_grad_(differentiable) for value in inputs]
    y = run(*leaves)
    made = {"op": op, "arguments": arguments or [], "inputs": [written(value) for value in leaves], "output": written(y)}
    if differentiable:
        upstream = drawn(*y.shape)
        y.backward(upstream)
        made["upstream"] = written(upstream)
        made["gradients"] = [written(value.grad) for value in leaves]
    return made


singles = torch.cat([
    torch.randn(200) * 10.0 ** torch.randint(-38, 38, (200,)).float(),
    torch.tensor([0.0, -0.0, math.inf, -math.inf, math.nan, 1.00390625, 1.01171875, 3.3961776e38, 3.39e38, 9.2e-41, 4.6e-41, 4.5e-41, 1e-45]),
])
row = [drawn(5, 7), drawn(5, 7)]
cases = [
    case("add", torch.add, row),
    case("sub", torch.sub, row),
    case("mul", torch.mul, row),
    case("div", torch.div, row),
    case("add", torch.add, [drawn(5, 7), drawn(7)]),
    case("relu", F.relu, [drawn(40)]),
    case("exp", torch.exp, [drawn(40)]),
    case("tanh", torch.tanh, [drawn(40)]),
    case("sigmoid", torch.sigmoid, [drawn(40)]),
    case("matmul", torch.matmul, [drawn(9, 33), drawn(33, 20)]),
    case("linear", F.linear, [drawn(6, 40), drawn(24, 40), drawn(24)]),
    case("conv", lambda x, w: F.conv2d(x, w, padding=1), [drawn(2, 3, 8, 9), drawn(4, 3, 3, 3)], [None, {"padding": 1}]),
    case("maxPool", lambda x: F.max_pool2d(x, 2), [drawn(2, 3, 8, 8)], [2]),
]
bits = singles.view(torch.int32).tolist()
text = json.dumps({"source": f"PyTorch {torch.__version__}, bfloat16 on CPU", "singles": bits, "rounded": written(singles.to(BF16))["bits"]})
lines = ",\n".join(json.dumps(item) for item in cases)
(GOLDENS / "bfloat16.json").write_text(f'{text[:-1]}, "cases": [\n{lines}\n]}}\n')
print(f"bfloat16: {len(cases)} cases")
