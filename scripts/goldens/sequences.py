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


def flags(tensor):
    return {"shape": list(tensor.shape), "flags": tensor.reshape(-1).int().tolist()}


ATTENTION = {"in_proj_weight": "inputWeight", "in_proj_bias": "inputBias", "q_proj_weight": "queryWeight", "k_proj_weight": "keyWeight", "v_proj_weight": "valueWeight", "out_proj": "output", "self_attn": "selfAttention", "multihead_attn": "crossAttention", "layers.": ""}


def attention_name(name):
    for theirs, ours in ATTENTION.items():
        name = name.replace(theirs, ours)
    return name


def attention_parameters(module):
    return {attention_name(name): value for name, value in module.named_parameters()}


def attention(name, arguments, module, *, tokens=4, keys=None, values=None, mask=None, key_mask=None, causal=False):
    """Masks are true where attention is allowed, here and in kasane; PyTorch's layer wants the opposite."""
    fill(module, 0.5)
    x = numbers(2, tokens, 8).requires_grad_()
    inputs = {"x": x}
    key = value = x
    if keys is not None:
        key = value = inputs["key"] = numbers(2, *keys).requires_grad_()
    if values is not None:
        value = inputs["value"] = numbers(2, *values).requires_grad_()
    allowed = torch.ones(tokens, tokens).tril().bool() if causal else mask
    heads = module.num_heads
    hidden = None if allowed is None else ~(allowed if allowed.dim() == 2 else allowed.expand(2, heads, *allowed.shape[-2:]).reshape(2 * heads, *allowed.shape[-2:]))
    output, weights = module(x, key, value, attn_mask=hidden, key_padding_mask=None if key_mask is None else ~key_mask, average_attn_weights=False)
    options = {key: flags(value) for key, value in (("mask", mask), ("keyMask", key_mask)) if value is not None}
    add(name, "multiHeadAttention", arguments, attention_parameters(module), inputs, {"output": output, "weights": weights}, options=options, call="attention")


def product(name, shapes, options, mask=None):
    """By its definition, with the causal mask as PyTorch's scaled_dot_product_attention makes it."""
    inputs = {key: numbers(*shape).requires_grad_() for key, shape in zip(("query", "key", "value"), shapes)}
    query, key, value = inputs.values()
    scores = query @ key.transpose(-2, -1) * options.get("scale", query.shape[-1] ** -0.5)
    allowed = torch.ones(scores.shape[-2:]).tril().bool() if options.get("causal") else mask
    y = (scores if allowed is None else scores.masked_fill(~allowed, -torch.inf)).softmax(-1) @ value
    add(name, "scaledDotProductAttention", [], {}, inputs, {"output": y}, options={**options, **({} if mask is None else {"mask": flags(mask)})}, call="product")


def transformer(name, kind, options, module, *, memory=False, train=True, call_options=None, **given):
    fill(module, 0.5)
    module.train(train)
    inputs = {"x": numbers(2, 4, 8).requires_grad_()}
    if memory:
        inputs["memory"] = numbers(2, 5, 8).requires_grad_()
    y = module(*inputs.values(), **given)
    add(name, kind, [8, 2, options], attention_parameters(module), inputs, {"output": y}, train, call_options, call="transformer")


some = torch.tensor([[1, 1, 0, 1], [0, 1, 1, 0], [1, 0, 1, 1], [1, 1, 1, 0]]).bool()
some5 = torch.tensor([[1, 0, 0, 1, 1], [0, 1, 1, 0, 1], [1, 0, 1, 1, 1], [1, 1, 0, 0, 0]]).bool()
by_head = torch.stack([some, some.T, ~some | torch.eye(4).bool(), some | some.T]).reshape(2, 2, 4, 4)
real = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]]).bool()
real5 = torch.tensor([[1, 1, 1, 0, 1], [1, 1, 0, 0, 0]]).bool()
product("scaledDotProductAttention", [(2, 3, 4), (2, 5, 4), (2, 5, 6)], {})
product("scaledDotProductAttention, causal", [(2, 2, 4, 4)] * 3, {"causal": True})
product("scaledDotProductAttention, mask and scale", [(2, 2, 4, 4)] * 3, {"scale": 0.3}, mask=some)
attention("multiHeadAttention", [8, 2], nn.MultiheadAttention(8, 2, batch_first=True))
attention("multiHeadAttention without bias, causal", [8, 4, {"bias": False, "causal": True}], nn.MultiheadAttention(8, 4, bias=False, batch_first=True), causal=True)
attention("multiHeadAttention with a mask", [8, 2], nn.MultiheadAttention(8, 2, batch_first=True), mask=some)
attention("multiHeadAttention with masks by head and of keys", [8, 2], nn.MultiheadAttention(8, 2, batch_first=True), mask=by_head | torch.eye(4).bool() | (torch.arange(4) == 0), key_mask=real)
attention("multiHeadAttention with a mask of keys", [8, 2], nn.MultiheadAttention(8, 2, batch_first=True), key_mask=real)
attention("multiHeadAttention across", [8, 2], nn.MultiheadAttention(8, 2, batch_first=True), keys=(5, 8), mask=some5 | (torch.arange(5) == 0), key_mask=real5)
attention("multiHeadAttention across, keys and values apart", [8, 2], nn.MultiheadAttention(8, 2, batch_first=True), keys=(5, 8), values=(5, 8))
attention("multiHeadAttention across, of other sizes", [8, 2, {"keySize": 3, "valueSize": 6}], nn.MultiheadAttention(8, 2, kdim=3, vdim=6, batch_first=True), keys=(5, 3), values=(5, 6))

ahead = torch.ones(4, 4).triu(1).bool()
for pre in (False, True):
    norm = {"norm": "pre"} if pre else {}
    name = "pre-norm" if pre else "post-norm"
    transformer(f"transformerEncoderLayer, {name}", "transformerEncoderLayer", {"dropout": 0, "feedForward": 12, **norm}, nn.TransformerEncoderLayer(8, 2, 12, 0.0, batch_first=True, norm_first=pre))
    transformer(f"transformerDecoderLayer, {name}", "transformerDecoderLayer", {"dropout": 0, "feedForward": 12, **norm}, nn.TransformerDecoderLayer(8, 2, 12, 0.0, batch_first=True, norm_first=pre), memory=True, tgt_mask=ahead)
transformer("transformerEncoderLayer, causal, padded keys", "transformerEncoderLayer", {"dropout": 0, "feedForward": 12, "causal": True}, nn.TransformerEncoderLayer(8, 2, 12, 0.0, batch_first=True), src_mask=ahead, src_key_padding_mask=~real, call_options={"keyMask": flags(real)})
transformer("transformerDecoderLayer, padded memory", "transformerDecoderLayer", {"dropout": 0, "feedForward": 12, "causal": False}, nn.TransformerDecoderLayer(8, 2, 12, 0.0, batch_first=True), memory=True, memory_key_padding_mask=~real5, call_options={"memoryKeyMask": flags(real5)})
transformer("transformerEncoder", "transformerEncoder", {"dropout": 0, "feedForward": 12, "layers": 2}, nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12, 0.0, batch_first=True), 2))
transformer("transformerEncoder, pre-norm", "transformerEncoder", {"dropout": 0, "feedForward": 12, "layers": 2, "norm": "pre"}, nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12, 0.0, batch_first=True, norm_first=True), 2, nn.LayerNorm(8)))
transformer("transformerDecoder", "transformerDecoder", {"dropout": 0, "feedForward": 12, "layers": 2}, nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 12, 0.0, batch_first=True), 2), memory=True, tgt_mask=ahead)
transformer("transformerEncoderLayer with dropout, eval mode", "transformerEncoderLayer", {"dropout": 0.5, "feedForward": 12}, nn.TransformerEncoderLayer(8, 2, 12, 0.5, batch_first=True), train=False)

write("sequences", cases)
