# Writes test/goldens/optimizers.json: parameters and state after 1 and 10 steps of every optimizer variant, from PyTorch.
# Run with a Python that has torch: python3 scripts/goldens/optimizers.py
import torch
from torch import optim

from common import numbers, write, written

torch.manual_seed(13)
starts = [numbers(3, 2), numbers(3)]
gradients = [[numbers(3, 2), numbers(3)] for _ in range(10)]
wide = {"start": [numbers(2, 4)], "gradients": [[numbers(2, 4)] for _ in range(10)]}
state_names = {
    "momentum_buffer": "velocity",
    "exp_avg": "firstMoment",
    "exp_avg_sq": "secondMoment",
    "max_exp_avg_sq": "largestSecondMoment",
    "exp_inf": "largestGradient",
    "square_avg": "secondMoment",
    "grad_avg": "firstMoment",
    "sum": "squaresSum",
    "acc_delta": "squaredSteps",
}
cases = [{"name": "start and gradients", "start": [written(value) for value in starts], "gradients": [[written(value) for value in step] for step in gradients]}]


def case(name, kind, options, make, count=2, given=None):
    """`given`: a start and gradients other than those of all cases."""
    parameters = [value.clone().requires_grad_() for value in (given["start"] if given else starts[:count])]
    optimizer = make(parameters)
    after = {}
    for number, step in enumerate(given["gradients"] if given else gradients, 1):
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
    if given:
        cases[-1]["start"] = [written(value) for value in given["start"]]
        cases[-1]["gradients"] = [[written(value) for value in step] for step in given["gradients"]]


def in_groups(name, kind, make, options, groups, torch_options, torch_groups):
    """Each parameter in a group of its own."""
    case(name, kind, options, lambda p: make([{"params": [q], **g} for q, g in zip(p, torch_groups)], **torch_options))
    cases[-1]["groups"] = groups


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



def named(name, kind, make, **options):
    """An optimizer of torch.optim whose options have the same names but for these."""
    torch_names = {
        "learningRate": "lr",
        "weightDecay": "weight_decay",
        "epsilon": "eps",
        "learningRateDecay": "lr_decay",
        "momentumDecay": "momentum_decay",
    }
    given = {torch_names.get(key, key): value for key, value in options.items() if not key.startswith("beta")}
    if "beta1" in options:
        given["betas"] = (options["beta1"], options["beta2"])
    case(name, kind, options, lambda p: make(p, **given))


named("rmsProp", "rmsProp", optim.RMSprop)
named("rmsProp, centered, with momentum and weight decay", "rmsProp", optim.RMSprop, learningRate=0.02, alpha=0.9, epsilon=1e-6, weightDecay=0.1, momentum=0.8, centered=True)
named("rmsProp with momentum", "rmsProp", optim.RMSprop, learningRate=0.02, momentum=0.5)
named("adaGrad", "adaGrad", optim.Adagrad)
named("adaGrad with other numbers", "adaGrad", optim.Adagrad, learningRate=0.1, learningRateDecay=0.3, epsilon=1e-4, weightDecay=0.1)
named("adaDelta", "adaDelta", optim.Adadelta)
named("adaDelta with other numbers", "adaDelta", optim.Adadelta, learningRate=0.5, rho=0.7, epsilon=1e-4, weightDecay=0.1)
named("amsGrad", "amsGrad", lambda p, **options: optim.Adam(p, amsgrad=True, **options), learningRate=0.05, beta1=0.8, beta2=0.7, weightDecay=0.1)
named("adamax", "adamax", optim.Adamax)
named("adamax with other numbers", "adamax", optim.Adamax, learningRate=0.05, beta1=0.8, beta2=0.9, epsilon=1e-6, weightDecay=0.1)
named("rAdam", "rAdam", optim.RAdam)
named("rAdam with other numbers", "rAdam", optim.RAdam, learningRate=0.05, beta1=0.8, beta2=0.95, epsilon=1e-6, weightDecay=0.1)


class Rule(optim.Optimizer):
    """Optimizers torch does not have, from their papers."""

    def __init__(self, parameters, rule, **options):
        super().__init__(parameters, options)
        self.rule = rule

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for w in group["params"]:
                self.rule(w, w.grad, self.state[w], group)


def remembered(state, name, w):
    if name not in state:
        state[name] = torch.zeros_like(w)
    return state[name]


def lion(w, g, state, o):  # Chen et al. 2023, algorithm 2
    m = remembered(state, "exp_avg", w)
    direction = torch.sign(o["beta1"] * m + (1 - o["beta1"]) * g)
    w -= o["learningRate"] * (direction + o["weightDecay"] * w)
    m.copy_(o["beta2"] * m + (1 - o["beta2"]) * g)


def lars(w, g, state, o):  # You et al. 2017, algorithm 1
    v = remembered(state, "momentum_buffer", w)
    local = o["trust"] * w.norm() / (g.norm() + o["weightDecay"] * w.norm()) if w.norm() > 0 and g.norm() > 0 else 1
    v.copy_(o["momentum"] * v + o["learningRate"] * local * (g + o["weightDecay"] * w))
    w -= v


def lamb(w, g, state, o):  # You et al. 2020, algorithm 2, with the identity as scaling function
    m, s = remembered(state, "exp_avg", w), remembered(state, "exp_avg_sq", w)
    state["count"] = state.get("count", 0) + 1
    m.copy_(o["beta1"] * m + (1 - o["beta1"]) * g)
    s.copy_(o["beta2"] * s + (1 - o["beta2"]) * g * g)
    r = m / (1 - o["beta1"] ** state["count"]) / ((s / (1 - o["beta2"] ** state["count"])).sqrt() + o["epsilon"]) + o["weightDecay"] * w
    w -= o["learningRate"] * (w.norm() / r.norm() if w.norm() > 0 and r.norm() > 0 else 1) * r


def nadam(w, g, state, o):  # Dozat 2016, as PyTorch 2 defines it: PyTorch 1.13 multiplies the next product by one momentum too many
    m, s = remembered(state, "exp_avg", w), remembered(state, "exp_avg_sq", w)
    state["count"] = t = state.get("count", 0) + 1
    g = g + o["weightDecay"] * w
    m.copy_(o["beta1"] * m + (1 - o["beta1"]) * g)
    s.copy_(o["beta2"] * s + (1 - o["beta2"]) * g * g)
    mu, after = (o["beta1"] * (1 - 0.5 * 0.96 ** (k * o["momentumDecay"])) for k in (t, t + 1))
    state["product"] = product = state.get("product", 1) * mu
    root = (s / (1 - o["beta2"] ** t)).sqrt() + o["epsilon"]
    w -= o["learningRate"] * ((1 - mu) / (1 - product) * g + after / (1 - product * after) * m) / root


def muon(w, g, state, o):  # Jordan 2024, as torch.optim.Muon defines it
    m = remembered(state, "exp_avg", w)
    m.lerp_(g, 1 - o["momentum"])
    x = g.lerp(m, o["momentum"]) if o["nesterov"] else m.clone()
    x = x.T if x.shape[0] > x.shape[1] else x
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(o["iterations"]):
        a = x @ x.T
        x = 3.4445 * x + (-4.775 * a + 2.0315 * a @ a) @ x
    x = x.T if w.shape[0] > w.shape[1] else x
    w.mul_(1 - o["learningRate"] * o["weightDecay"])
    w -= o["learningRate"] * max(1, w.shape[0] / w.shape[1]) ** 0.5 * x


def own(name, kind, rule, count=2, given=None, **options):
    case(name, kind, options, lambda p: Rule(p, rule, **options), count, given)


own("lion", "lion", lion, learningRate=0.01, beta1=0.9, beta2=0.99, weightDecay=0.1)
own("lars", "lars", lars, learningRate=0.5, momentum=0.9, weightDecay=0.05, trust=0.02)
own("lamb", "lamb", lamb, learningRate=0.02, beta1=0.9, beta2=0.99, epsilon=1e-6, weightDecay=0.1)
own("nAdam", "nAdam", nadam, learningRate=0.002, beta1=0.9, beta2=0.999, epsilon=1e-8, weightDecay=0, momentumDecay=0.004)
own("nAdam with other numbers", "nAdam", nadam, learningRate=0.05, beta1=0.8, beta2=0.95, epsilon=1e-6, weightDecay=0.1, momentumDecay=0.02)
own("muon", "muon", muon, 1, learningRate=0.02, momentum=0.95, nesterov=True, weightDecay=0.1, iterations=5)
own("muon without look ahead", "muon", muon, 1, learningRate=0.02, momentum=0.8, nesterov=False, weightDecay=0, iterations=3)
own("muon of a wide matrix", "muon", muon, given=wide, learningRate=0.02, momentum=0.95, nesterov=True, weightDecay=0.1, iterations=5)
zero = {"start": [torch.zeros(2, 4)], "gradients": [[torch.zeros(2, 4)]] + wide["gradients"][1:]}
own("lars from zero", "lars", lars, given=zero, learningRate=0.05, momentum=0.9, weightDecay=0.05, trust=0.02)
own("lamb from zero", "lamb", lamb, given=zero, learningRate=0.02, beta1=0.9, beta2=0.99, epsilon=1e-6, weightDecay=0.1)
own("lion without weight decay", "lion", lion, learningRate=1e-4, beta1=0.9, beta2=0.99, weightDecay=0)
named("amsGrad as it comes", "amsGrad", lambda p, **options: optim.Adam(p, amsgrad=True, **options))
named("rmsProp, centered", "rmsProp", optim.RMSprop, centered=True)
in_groups(
    "sgd in groups", "sgd", optim.SGD, {"learningRate": 0.1, "momentum": 0.9}, [{"weightDecay": 0.1}, {"learningRate": 0.01, "momentum": 0.5}],
    {"lr": 0.1, "momentum": 0.9}, [{"weight_decay": 0.1}, {"lr": 0.01, "momentum": 0.5}],
)
in_groups(
    "adamW in groups", "adamW", optim.AdamW, {"weightDecay": 0.2}, [{}, {"weightDecay": 0, "learningRate": 0.02}],
    {"weight_decay": 0.2}, [{}, {"weight_decay": 0, "lr": 0.02}],
)

write("optimizers", cases)
