# Writes test/goldens/optimizers.json: parameters and state after 1 and 10 steps of every optimizer variant, from PyTorch.
# Run with a Python that has torch: python3 scripts/goldens/optimizers.py
import torch
from torch import optim

from common import numbers, write, written

torch.manual_seed(13)
starts = [numbers(3, 2), numbers(3)]
gradients = [[numbers(3, 2), numbers(3)] for _ in range(10)]
state_names = {"momentum_buffer": "velocity", "exp_avg": "firstMoment", "exp_avg_sq": "secondMoment"}
cases = [{"name": "start and gradients", "start": [written(value) for value in starts], "gradients": [[written(value) for value in step] for step in gradients]}]


def case(name, kind, options, make):
    parameters = [value.clone().requires_grad_() for value in starts]
    optimizer = make(parameters)
    after = {}
    for number, step in enumerate(gradients, 1):
        for parameter, gradient in zip(parameters, step):
            parameter.grad = gradient.clone()
        optimizer.step()
        if number in (1, 10):
            state = {}
            for index, parameter in enumerate(parameters):
                for key, value in optimizer.state.get(parameter, {}).items():
                    if key in state_names and value is not None:
                        state[f"{index}.{state_names[key]}"] = written(value)
            after[number] = {"parameters": [written(value) for value in parameters], "state": state}
    cases.append({"name": name, "optimizer": kind, "options": options, "after": after})


def sgd(name, **options):
    torch_names = {"learningRate": "lr", "weightDecay": "weight_decay"}
    case(name, "sgd", options, lambda p: optim.SGD(p, **{torch_names.get(key, key): value for key, value in options.items()}))


def adam(name, kind, make, **options):
    def build(parameters):
        torch_names = {"learningRate": "lr", "weightDecay": "weight_decay", "epsilon": "eps"}
        given = {torch_names[key]: value for key, value in options.items() if key in torch_names}
        return make(parameters, betas=(options.get("beta1", 0.9), options.get("beta2", 0.999)), **given)

    case(name, kind, options, build)


sgd("sgd", learningRate=0.1)
sgd("sgd with weight decay", learningRate=0.1, weightDecay=0.05)
sgd("sgd with momentum", learningRate=0.1, momentum=0.9)
sgd("sgd with momentum and dampening", learningRate=0.1, momentum=0.9, dampening=0.3)
sgd("sgd with momentum and weight decay", learningRate=0.1, momentum=0.8, weightDecay=0.05)
sgd("sgd with Nesterov momentum", learningRate=0.1, momentum=0.9, nesterov=True)
sgd("sgd with Nesterov momentum and weight decay", learningRate=0.1, momentum=0.9, nesterov=True, weightDecay=0.05)
adam("adam", "adam", optim.Adam)
adam("adam with other numbers", "adam", optim.Adam, learningRate=0.05, beta1=0.8, beta2=0.95, epsilon=1e-6)
adam("adam with weight decay", "adam", optim.Adam, learningRate=0.05, weightDecay=0.1)
adam("adamW", "adamW", optim.AdamW)
adam("adamW with other numbers", "adamW", optim.AdamW, learningRate=0.05, beta1=0.8, beta2=0.95, epsilon=1e-6, weightDecay=0.2)

write("optimizers", cases)
