# One golden case of a layer: its output, its gradients by input and weights, and its running statistics afterwards.
import torch

from common import numbers, written

cases = []


def case(name, kind, arguments, module, *shape, train=True, rename=None, make_input=None):
    """`arguments` are those of kasane's function; `rename` maps PyTorch's parameter and buffer names to kasane's."""
    rename = rename or {}
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(numbers(*parameter.shape, low=-1, high=1))
        for key, buffer in module.named_buffers():
            if key == "running_mean":
                buffer.copy_(numbers(*buffer.shape))
            if key == "running_var":
                buffer.copy_(numbers(*buffer.shape, low=0.5, high=2))
    named = {rename.get(key, key): value for key, value in module.named_parameters()}
    statistics = {"running_mean": "runningMean", "running_var": "runningVariance"}
    buffers = {statistics[key]: value for key, value in module.named_buffers() if key in statistics}
    module.train(train)
    x = make_input() if make_input else numbers(*shape).requires_grad_()
    made = {
        "name": name,
        "layer": kind,
        "arguments": arguments,
        "train": train,
        "parameters": {key: written(value) for key, value in named.items()},
        "buffers": {key: written(value) for key, value in buffers.items()},
        "input": written(x),
    }
    y = module(x)
    upstream = numbers(*y.shape)
    y.backward(upstream)
    made["output"] = written(y)
    made["upstream"] = written(upstream)
    made["gradients"] = {key: written(value.grad) for key, value in named.items()}
    if x.grad is not None:
        made["inputGradient"] = written(x.grad)
    made["buffersAfter"] = {key: written(value) for key, value in buffers.items()}
    cases.append(made)
