# Writes bench/agreement.json: the first losses and outputs PyTorch (float32) computes for the benchmark's workloads.
#
# Weights and inputs are the integer hash of bench/data.ts; the seeds are those of bench/workloads/.
#   python3 scripts/goldens/bench.py
import json
import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(1)
FILE = pathlib.Path(__file__).resolve().parents[2] / "bench" / "agreement.json"


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


def lstm():
    model = nn.LSTM(256, 256)
    for n, weight in enumerate([model.weight_ih_l0, model.weight_hh_l0, model.bias_ih_l0, model.bias_hh_l0]):
        fill(weight, 500 + n, 1 / 16)
    return model


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


def train(model, optimizer, data, count, loss_of=F.cross_entropy):
    model.train()
    losses = []
    for n in range(count):
        x, target = data[n % len(data)]
        optimizer.zero_grad()
        loss = loss_of(model(x), target)
        loss.backward()
        optimizer.step()
        losses.append(float(f"{loss.item():.8g}"))
    return {"losses": losses}


def excerpts(*results):
    flat = [result.detach().double().contiguous().flatten() for result in results]
    return {
        "results": [
            {"first": [float(f"{v:.8g}") for v in f[:4].tolist()], "meanMagnitude": float(f"{f.abs().mean().item():.8g}")} for f in flat
        ]
    }


def forward(model, x):
    model.eval()
    with torch.no_grad():
        return excerpts(model(x))


def gradient(f, x, upstream, with_output=True):
    x.requires_grad_(True)
    y = f(x)
    y.backward(upstream)
    return excerpts(y, x.grad) if with_output else excerpts(x.grad)


def adam(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)


def sgd(model, rate, momentum=0.0):
    return torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum)


def workloads():
    for size in (256, 512, 1024, 2048):
        yield f"gemm-{size}", excerpts(uniform(1, (size, size)) @ uniform(2, (size, size)))
    x, w, dy = uniform(95, (8, 64, 56, 56)), uniform(96, (64, 64, 3, 3), 1 / 24), uniform(97, (8, 64, 56, 56))
    yield "conv3x3-fwd", excerpts(F.conv2d(x, w, padding=1))
    yield "conv3x3-bwd-data", gradient(lambda v: F.conv2d(v, w, padding=1), x.clone(), dy, False)
    yield "conv3x3-bwd-weight", gradient(lambda v: F.conv2d(x, v, padding=1), w.clone(), dy, False)
    functions = {"sigmoid": torch.sigmoid, "gelu": F.gelu, "softmax": lambda v: torch.softmax(v, -1)}
    cases = {"maxpool": (lambda v: F.max_pool2d(v, 2), uniform(98, (8, 64, 224, 224)), uniform(99, (8, 64, 112, 112)))}
    for name, f in functions.items():
        cases[f"eltwise-{name}"] = (f, uniform(110, (1024, 4096), 4.0), uniform(111, (1024, 4096)))
    for name, (f, v, upstream) in cases.items():
        yield name, gradient(f, v.clone(), upstream)
        yield f"{name}-fwd", excerpts(f(v))
    sizes = [784, 512, 512, 10]
    model = mlp([4, 8, 2])
    yield "mlp-small", train(model, sgd(model, 0.1), small(), 20)
    model = mlp(sizes)
    yield "mlp-mnist-sgd", train(model, sgd(model, 0.01), mnist(), 10)
    model = mlp(sizes)
    yield "mlp-mnist-adam", train(model, adam(model), mnist(), 10)
    model = lenet()
    yield "lenet", train(model, sgd(model, 0.01, 0.9), strokes(), 10)
    model = convnet()
    yield "convnet-cifar", train(model, adam(model), cifar(), 4)
    yield "mlp-mnist-fwd", forward(mlp(sizes), mnist()[0][0])
    yield "lenet-fwd", forward(lenet(), strokes()[0][0])
    yield "convnet-cifar-fwd", forward(convnet(), cifar()[0][0])
    model, x, upstream = lstm(), uniform(120, (64, 32, 256)), uniform(121, (64, 32, 256))
    loss = (model(x)[0] * upstream).mean()
    loss.backward()
    yield "lstm", excerpts(loss, *(weight.grad for weight in model.parameters()))
    yield "lstm-fwd", excerpts(lstm()(x)[0])
    model, size = Block(), (8, 128, 256)
    pairs = [(uniform(130 + n, size), uniform(140 + n, size)) for n in range(2)]
    yield "transformer-block", train(model, torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01), pairs, 6, F.mse_loss)
    yield "transformer-block-fwd", forward(Block(), pairs[0][0])
    for batch in (1, 8):
        yield f"resnet18-fwd-b{batch}", forward(resnet18(), uniform(90, (batch, 3, 224, 224)))


lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in workloads())
FILE.write_text(f'{{"source": "PyTorch {torch.__version__.split("a")[0]}", "workloads": {{\n{lines}\n}}}}\n')
print(f"{FILE.name}: {FILE.stat().st_size} bytes")
