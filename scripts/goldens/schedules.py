# Writes test/goldens/schedules.json: 40 learning rates of every schedule, from torch.optim.lr_scheduler, and the weights of optimizers
# whose momentum goes with the rate (one cycle).
# Run with a Python that has torch: python3 scripts/goldens/schedules.py
import math

import torch
from torch.optim import lr_scheduler

from common import write

COUNT = 40


def rates(make, rate=0.5, values=None, key="lr"):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate, momentum=0.9)
    scheduler = make(optimizer)
    found = []
    for step in range(COUNT):
        found.append(optimizer.param_groups[0][key])
        optimizer.step()
        scheduler.step(*([] if values is None else [values[step]]))
    return [float(f"{value:.9g}") for value in found]


def walk(make):
    weight = torch.tensor([1.0, -2.0], requires_grad=True)
    optimizer = make([weight])
    scheduler = lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=COUNT + 1)
    found = []
    for step in range(COUNT):
        weight.grad = torch.tensor([math.cos(step), 0.5 + math.sin(2 * step)])
        optimizer.step()
        scheduler.step()
        found += weight.detach().tolist()
    return [float(f"{value:.9g}") for value in found]


values = [1 / (1 + 0.3 * min(step, 8)) + 0.01 * (step % 3) for step in range(COUNT)]
cases = [
    {"name": "stepDecay", "rates": rates(lambda o: lr_scheduler.StepLR(o, 7, 0.3))},
    {"name": "multiStepDecay", "rates": rates(lambda o: lr_scheduler.MultiStepLR(o, [5, 6, 20], 0.5))},
    {"name": "exponentialDecay", "rates": rates(lambda o: lr_scheduler.ExponentialLR(o, 0.9))},
    {"name": "cosineDecay", "rates": rates(lambda o: lr_scheduler.CosineAnnealingLR(o, COUNT - 1, 0.01))},
    {"name": "cosineRestarts", "rates": rates(lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4, 2, 0.01))},
    {"name": "linearDecay", "rates": rates(lambda o: lr_scheduler.LinearLR(o, 1, 0.2, 30))},
    {"name": "polynomialDecay", "rates": rates(lambda o: lr_scheduler.PolynomialLR(o, 25, 2))},
    {"name": "oneCycle", "rates": rates(lambda o: lr_scheduler.OneCycleLR(o, 0.5, total_steps=COUNT + 1))},
    {"name": "oneCycleMomentum", "rates": rates(lambda o: lr_scheduler.OneCycleLR(o, 0.5, total_steps=COUNT + 1), key="momentum")},
    {"name": "reduceOnPlateau", "values": values, "rates": rates(lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=3, cooldown=2, min_lr=0.02), values=values)},
]
write("schedules", cases)
write("one-cycle", [
    {"name": "sgd", "weights": walk(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9))},
    {"name": "nesterov", "weights": walk(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True))},
    {"name": "adam", "weights": walk(lambda p: torch.optim.Adam(p, lr=0.1))},
    {"name": "adamW", "weights": walk(lambda p: torch.optim.AdamW(p, lr=0.1))},
    {"name": "amsGrad", "weights": walk(lambda p: torch.optim.Adam(p, lr=0.1, amsgrad=True))},
])
