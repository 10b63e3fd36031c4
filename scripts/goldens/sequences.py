# Writes test/goldens/sequences.json: recurrent and attention layers, their outputs, states and gradients, from PyTorch.
# Run with a Python that has torch: python3 scripts/goldens/sequences.py
import re

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from common import numbers, write, written

torch.manual_seed(11)
cases = []


def fill(module, bound=1.0):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(numbers(*parameter.shape, low=-bound, high=bound))


def add(name, kind, arguments, parameters, inputs, results, train=True, options=None, call="run"):
    """Every result is multiplied by an upstream of its own; the gradients are those of the sum. `parameters`: kasane's names."""
    upstream = {key: numbers(*value.shape) for key, value in results.items()}
    leaves = {**parameters, **{key: value for key, value in inputs.items() if value.requires_grad}}
    total = sum((results[key] * upstream[key]).sum() for key in results)
    gradients = torch.autograd.grad(total, list(leaves.values()))
    cases.append({
        "name": name,
        "layer": kind,
        "arguments": arguments,
        "call": call,
        "train": train,
        "options": options or {},
        "parameters": {key: written(value) for key, value in parameters.items()},
        "inputs": {key: written(value) for key, value in inputs.items()},
        "results": {key: written(value) for key, value in results.items()},
        "upstream": {key: written(value) for key, value in upstream.items()},
        "gradients": {key: written(value) for key, value in zip(leaves, gradients)},
    })


WORDS = {"weight_ih": "inputWeight", "weight_hh": "hiddenWeight", "bias_ih": "inputBias", "bias_hh": "hiddenBias"}


def recurrent_name(name):
    what, level, reverse = re.fullmatch(r"([a-z]+_[ih]h)(?:_l(\d+))?(_reverse)?", name).groups()
    return WORDS[what] + (level or "") + ("Reverse" if reverse else "")


def renamed(module):
    return {recurrent_name(name): value for name, value in module.named_parameters()}


def cell(name, kind, arguments, module, state):
    fill(module)
    inputs = {"x": numbers(2, 3).requires_grad_()}
    if state:
        inputs["hidden"] = numbers(2, 4, low=-1, high=1).requires_grad_()
        if kind == "lstmCell":
            inputs["cell"] = numbers(2, 4, low=-1, high=1).requires_grad_()
    given = None if not state else (inputs["hidden"], inputs["cell"]) if kind == "lstmCell" else inputs["hidden"]
    made = module(inputs["x"], given)
    results = {"hidden": made[0], "cell": made[1]} if kind == "lstmCell" else {"hidden": made}
    parameters = renamed(module)
    add(name, kind, arguments, parameters, inputs, results, call="cell")


def sequence(name, kind, options, module, *, state=False, lengths=None, train=True, time=5, returns=None):
    fill(module, 0.75)
    module.train(train)
    batch, both = 3, module.bidirectional
    count = module.num_layers * (2 if both else 1)
    inputs = {"x": numbers(batch, time, 3).requires_grad_()}
    if state:
        inputs["hidden"] = numbers(count, batch, 4, low=-1, high=1).requires_grad_()
        if kind == "lstm":
            inputs["cell"] = numbers(count, batch, 4, low=-1, high=1).requires_grad_()
    given = None if not state else (inputs["hidden"], inputs["cell"]) if kind == "lstm" else inputs["hidden"]
    x = inputs["x"]
    if lengths is not None:
        x = pack_padded_sequence(x, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    output, last = module(x, given)
    if lengths is not None:
        output, _ = pad_packed_sequence(output, batch_first=True, total_length=time)
    hidden = last[0] if kind == "lstm" else last
    results = {"output": output, "hidden": hidden}
    if kind == "lstm":
        results["cell"] = last[1]
    if returns == "last":
        results = {"output": torch.cat([hidden[-2], hidden[-1]], -1) if both else hidden[-1]}
    if returns == "sequence":
        results = {"output": output}
    more = {} if returns is None else {"returns": returns}
    extra = {"lengths": lengths} if lengths is not None else {}
    add(name, kind, [3, 4, {**options, **more}], renamed(module), inputs, results, train, extra, "run" if returns is None else "call")


for state in (False, True):
    having = "from a state" if state else "from zeros"
    cell(f"rnnCell {having}", "rnnCell", [3, 4], nn.RNNCell(3, 4), state)
    cell(f"lstmCell {having}", "lstmCell", [3, 4], nn.LSTMCell(3, 4), state)
    cell(f"gruCell {having}", "gruCell", [3, 4], nn.GRUCell(3, 4), state)
cell("rnnCell with relu, without bias", "rnnCell", [3, 4, {"activation": "relu", "bias": False}], nn.RNNCell(3, 4, nonlinearity="relu", bias=False), True)
cell("gruCell without bias", "gruCell", [3, 4, {"bias": False}], nn.GRUCell(3, 4, bias=False), True)

for kind, module in (("rnn", nn.RNN), ("lstm", nn.LSTM), ("gru", nn.GRU)):
    sequence(kind, kind, {}, module(3, 4, batch_first=True))
    sequence(f"{kind} from a state", kind, {}, module(3, 4, batch_first=True), state=True)
    sequence(f"{kind} without bias", kind, {"bias": False}, module(3, 4, bias=False, batch_first=True))
    sequence(f"{kind} of one step", kind, {}, module(3, 4, batch_first=True), state=True, time=1)
    sequence(f"{kind} of two layers", kind, {"layers": 2}, module(3, 4, 2, batch_first=True), state=True)
    sequence(f"{kind} in both directions", kind, {"bidirectional": True}, module(3, 4, bidirectional=True, batch_first=True), state=True)
    sequence(f"{kind} of two layers in both directions", kind, {"layers": 2, "bidirectional": True}, module(3, 4, 2, bidirectional=True, batch_first=True), state=True)
    sequence(f"{kind} of variable lengths", kind, {}, module(3, 4, batch_first=True), lengths=[2, 5, 3])
    sequence(f"{kind} of variable lengths from a state", kind, {}, module(3, 4, batch_first=True), lengths=[1, 4, 3], state=True)
    sequence(f"{kind} of variable lengths, two layers in both directions", kind, {"layers": 2, "bidirectional": True}, module(3, 4, 2, bidirectional=True, batch_first=True), lengths=[5, 1, 3], state=True)
    sequence(f"{kind} with dropout, eval mode", kind, {"layers": 2, "dropout": 0.5}, module(3, 4, 2, dropout=0.5, batch_first=True), train=False)
    sequence(f"{kind} called", kind, {}, module(3, 4, batch_first=True), returns="sequence")
    sequence(f"{kind} that returns the last, variable lengths", kind, {"bidirectional": True}, module(3, 4, bidirectional=True, batch_first=True), returns="last", lengths=[2, 5, 4])
sequence("rnn with relu", "rnn", {"activation": "relu"}, nn.RNN(3, 4, nonlinearity="relu", batch_first=True))

write("sequences", cases)
