# The benchmark's workloads in PyTorch: the same numbers go in, the same numbers come out. A workload is (run, outcome).
#
# Weights and inputs are the integer hash of bench/hash.ts; the seeds are those of bench/workloads/.
import math
import re

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def hashed(seed, count):
    h = (np.arange(count, dtype=np.uint64) * 0x9E3779B9 + (seed * 0x85EBCA6B) % 2**32) % 2**32
    h ^= h >> np.uint64(16)
    h = h * 0x85EBCA6B % 2**32
    h ^= h >> np.uint64(13)
    h = h * 0xC2B2AE35 % 2**32
    return h ^ (h >> np.uint64(16))


def uniform(seed, shape, bound=1.0, offset=0.0):
    unit = (hashed(seed, int(np.prod(shape))) >> np.uint64(8)).astype(np.float64) / 2**23 - 1
    return torch.from_numpy((unit * bound + offset).astype(np.float32).reshape(shape))


def labels(seed, count, classes):
    return torch.from_numpy((hashed(seed, count) % classes).astype(np.int64))


def fill(target, seed, bound, offset=0.0):
    with torch.no_grad():
        target.copy_(uniform(seed, tuple(target.shape), bound, offset))


def seeded(module, seed):
    bound = 1 / math.sqrt(module.weight[0].numel())
    fill(module.weight, seed, bound)
    fill(module.bias, seed + 1, bound)
    return module


def mlp(sizes):
    layers = []
    for n, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        layers += [nn.ReLU()] * (n > 0) + [seeded(nn.Linear(inputs, outputs), 100 + 10 * n)]
    return nn.Sequential(*layers)


def lenet():
    return nn.Sequential(
        seeded(nn.Conv2d(1, 20, 5), 200), nn.ReLU(), nn.MaxPool2d(2),
        seeded(nn.Conv2d(20, 50, 5), 210), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), seeded(nn.Linear(800, 500), 220), nn.ReLU(), seeded(nn.Linear(500, 10), 230),
    )


def pooled():
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten()]


def convnet():
    layers = []
    for n, (inputs, outputs) in enumerate([(3, 32), (32, 32), (32, 64), (64, 64), (64, 128), (128, 128)]):
        conv, norm = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)
        fill(conv.weight, 300 + 10 * n, math.sqrt(6 / (9 * inputs)))
        fill(norm.weight, 301 + 10 * n, 0.2, 1.0)
        fill(norm.bias, 302 + 10 * n, 0.1)
        layers += [conv, norm, nn.ReLU()] + [nn.MaxPool2d(2)] * (n % 2)
    return nn.Sequential(*layers, *pooled(), seeded(nn.Linear(128, 10), 390))


class Residual(nn.Module):
    def __init__(self, first, second, shortcut):
        super().__init__()
        self.first, self.second, self.shortcut = first, second, shortcut

    def forward(self, x):
        return F.relu(self.second(F.relu(self.first(x))) + self.shortcut(x))


def resnet18():
    seeds = iter(range(1000, 2000, 10))

    def conv_norm(inputs, outputs, kernel, stride, padding):
        conv, norm = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False), nn.BatchNorm2d(outputs)
        fill(conv.weight, next(seeds), math.sqrt(6 / conv.weight[0].numel()))
        seed = next(seeds)
        fill(norm.weight, seed, 0.2, 0.8)
        fill(norm.bias, seed + 1, 0.1)
        fill(norm.running_mean, seed + 2, 0.1)
        fill(norm.running_var, seed + 3, 0.5, 1.0)
        return nn.Sequential(conv, norm)

    layers = [conv_norm(3, 64, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    for inputs, outputs, stride in [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]:
        for a, s in [(inputs, stride), (outputs, 1)]:
            first, second = conv_norm(a, outputs, 3, s, 1), conv_norm(outputs, outputs, 3, 1, 1)
            same = s == 1 and a == outputs
            layers.append(Residual(first, second, nn.Identity() if same else conv_norm(a, outputs, 1, s, 0)))
    return nn.Sequential(*layers, *pooled(), seeded(nn.Linear(512, 1000), next(seeds)))


class Block(nn.Module):
    def __init__(self, width=256, heads=8, tokens=128):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        for seed, norm in [(650, self.norm1), (660, self.norm2)]:
            fill(norm.weight, seed, 0.2, 1.0)
            fill(norm.bias, seed + 1, 0.1)
        self.qkv = seeded(nn.Linear(width, 3 * width), 600)
        self.projection = seeded(nn.Linear(width, width), 610)
        self.expand = seeded(nn.Linear(width, 4 * width), 620)
        self.contract = seeded(nn.Linear(4 * width, width), 630)
        self.hidden = torch.ones(tokens, tokens).triu(1).bool()

    def forward(self, x):
        batch, tokens, width = x.shape
        query, key, value = self.qkv(self.norm1(x)).reshape(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-2, -1) / math.sqrt(width // self.heads)
        mixed = scores.masked_fill(self.hidden, -1e9).softmax(-1) @ value
        attended = x + self.projection(mixed.transpose(1, 2).reshape(x.shape))
        return attended + self.contract(F.gelu(self.expand(self.norm2(attended)), approximate="tanh"))


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.cells = nn.LSTM(256, 256)
        for n, weight in enumerate(self.cells.parameters()):
            fill(weight, 500 + n, 1 / 16)

    def forward(self, x):
        return self.cells(x)[0]


def batches(seed, label_seed, shape, classes, bound, offset):
    return [(uniform(seed + n, shape, bound, offset), labels(label_seed + n, shape[0], classes)) for n in range(4)]


def small():
    return batches(10, 20, (32, 4), 2, 1, 0)


def mnist():
    return batches(30, 40, (128, 784), 10, 0.5, 0.5)


def strokes():
    return batches(50, 60, (64, 1, 28, 28), 10, 0.5, 0.5)


def cifar():
    return batches(70, 80, (64, 3, 32, 32), 10, 1, 0)


def parts(*tensors):
    """What is compared: the first values and the mean magnitude of every result."""
    flat = [tensor.detach().double().contiguous().flatten() for tensor in tensors]
    return {"results": [{"first": f[:4].tolist(), "meanMagnitude": f.abs().mean().item()} for f in flat]}


def shaped(tensor, tuned):
    return tensor.contiguous(memory_format=torch.channels_last) if tuned and tensor.dim() == 4 else tensor


def train(tuned, model, optimizer, data, count, loss_of=F.cross_entropy):
    model.train()
    if tuned:
        model = model.to(memory_format=torch.channels_last)
    data = [(shaped(x, tuned), shaped(target, tuned)) for x, target in data]
    done = 0

    def run():
        nonlocal done
        x, target = data[done % len(data)]
        done += 1
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(x), target)
        loss.backward()
        optimizer.step()
        return loss

    return run, {"losses": [run().item() for _ in range(count)]}


def forward(tuned, model, *inputs):
    """Tuned: channels last, traced, frozen (batch norm folded)."""
    model.eval()
    inputs = [shaped(x, tuned) for x in inputs]
    if tuned:
        model = model.to(memory_format=torch.channels_last)
        with torch.no_grad():
            model = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, inputs)))

    def run():
        with torch.inference_mode():
            return model(*inputs)

    return run, parts(run())


def gradient(tuned, f, x, upstream):
    x, upstream = shaped(x, tuned).requires_grad_(True), shaped(upstream, tuned)

    def run():
        x.grad = None
        y = f(x)
        y.backward(upstream)
        return y

    return run, parts(run(), x.grad)


def product(tuned, name):
    m, k, n = (int(size) for size in (re.findall(r"\d+", name) * 3)[:3])
    a, b, c = uniform(1, (m, k)), uniform(2, (k, n)), torch.empty(m, n)

    def run():
        return torch.mm(a, b, out=c)

    return run, parts(run())


def convolution(tuned, direction):
    x, w, dy = (shaped(t, tuned) for t in (uniform(95, (8, 64, 56, 56)), uniform(96, (64, 64, 3, 3), 1 / 24), uniform(97, (8, 64, 56, 56))))

    def run():
        with torch.inference_mode():
            if direction == "fwd":
                return F.conv2d(x, w, padding=1)
            wanted = [direction == "bwd-data", direction == "bwd-weight", False]
            found = torch.ops.aten.convolution_backward(dy, x, w, [0], [1, 1], [1, 1], [1, 1], False, [0, 0], 1, wanted)
            return next(one for one, is_wanted in zip(found, wanted) if is_wanted)

    return run, parts(run())


def recurrent(tuned):
    model, x, upstream = Lstm(), uniform(120, (64, 32, 256)), uniform(121, (64, 32, 256))

    def run():
        model.zero_grad(set_to_none=True)
        loss = (model(x) * upstream).mean()
        loss.backward()
        return loss

    return run, parts(run(), *(weight.grad for weight in model.parameters()))


def adam(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)


def sgd(model, rate, momentum=0.0):
    return torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum)


def trained(make, optimizer, data, count, loss_of=F.cross_entropy):
    def prepare(tuned):
        model = make()
        return train(tuned, model, optimizer(model), data(), count, loss_of)

    return prepare


class Function(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, *inputs):
        return self.f(*inputs)


class Convolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(64, 64, 3, padding=1, bias=False)
        fill(self.conv.weight, 96, 1 / 24)

    def forward(self, x):
        return self.conv(x)


MNIST = [784, 512, 512, 10]
TOKENS = (8, 128, 256)
FUNCTIONS = {
    "maxpool": (lambda x: F.max_pool2d(x, 2), lambda: uniform(98, (8, 64, 224, 224)), lambda: uniform(99, (8, 64, 112, 112))),
    **{
        f"eltwise-{name}": (f, lambda: uniform(110, (1024, 4096), 4.0), lambda: uniform(111, (1024, 4096)))
        for name, f in {"sigmoid": torch.sigmoid, "gelu": F.gelu, "softmax": lambda x: torch.softmax(x, -1)}.items()
    },
}
# Networks and functions that are only run forward: what, and its inputs.
FORWARD = {
    **{f"{name}-fwd": (lambda f=f: Function(f), lambda x=x: [x()]) for name, (f, x, _) in FUNCTIONS.items()},
    "mlp-mnist-fwd": (lambda: mlp(MNIST), lambda: [mnist()[0][0]]),
    "lenet-fwd": (lenet, lambda: [strokes()[0][0]]),
    "convnet-cifar-fwd": (convnet, lambda: [cifar()[0][0]]),
    "lstm-fwd": (Lstm, lambda: [uniform(120, (64, 32, 256))]),
    "transformer-block-fwd": (Block, lambda: [uniform(130, TOKENS)]),
    "resnet18-fwd-b1": (resnet18, lambda: [uniform(90, (1, 3, 224, 224))]),
    "resnet18-fwd-b8": (resnet18, lambda: [uniform(90, (8, 3, 224, 224))]),
}
WORKLOADS = {
    "mlp-small": trained(lambda: mlp([4, 8, 2]), lambda model: sgd(model, 0.1), small, 20),
    "mlp-mnist-sgd": trained(lambda: mlp(MNIST), lambda model: sgd(model, 0.01), mnist, 10),
    "mlp-mnist-adam": trained(lambda: mlp(MNIST), adam, mnist, 10),
    "lenet": trained(lenet, lambda model: sgd(model, 0.01, 0.9), strokes, 10),
    "convnet-cifar": trained(convnet, adam, cifar, 4),
    "lstm": recurrent,
    "transformer-block": trained(
        Block,
        lambda model: torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01),
        lambda: [(uniform(130 + n, TOKENS), uniform(140 + n, TOKENS)) for n in range(2)],
        6,
        F.mse_loss,
    ),
    **{f"conv3x3-{way}": (lambda tuned, way=way: convolution(tuned, way)) for way in ("fwd", "bwd-data", "bwd-weight")},
    **{name: (lambda tuned, f=f, x=x, dy=dy: gradient(tuned, f, x(), dy())) for name, (f, x, dy) in FUNCTIONS.items()},
    **{name: (lambda tuned, model=model, inputs=inputs: forward(tuned, model(), *inputs())) for name, (model, inputs) in FORWARD.items()},
}


def prepare(name, tuned=False):
    """(run, outcome) of a workload; None where PyTorch has none of that name."""
    if re.fullmatch(r"gemm-\d+(x\d+x\d+)?", name):
        return product(tuned, name)
    return WORKLOADS[name](tuned) if name in WORKLOADS else None
