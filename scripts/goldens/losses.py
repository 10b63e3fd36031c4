# Writes test/goldens/losses.json: every loss in every form of target and reduction, with gradients, from PyTorch.
# Run with a Python that has torch: python3 scripts/goldens/losses.py
import torch
from torch.nn import functional as F

from common import numbers, write, written

torch.manual_seed(11)
cases = []


def case(name, loss, function, x, target, options=None, differentiate_target=False):
    for reduction in ("mean", "sum", "none"):
        given = x.clone().requires_grad_()
        aim = target.clone().requires_grad_() if differentiate_target else target
        y = function(given, aim, reduction)
        upstream = numbers(*y.shape)
        y.backward(upstream)
        made = {
            "name": f"{name}, {reduction}",
            "loss": loss,
            "options": {**(options or {}), "reduction": reduction},
            "prediction": written(given),
            "target": {**written(target), "dtype": "float32" if target.is_floating_point() else "int32"},
            "output": written(y),
            "upstream": written(upstream),
            "gradient": written(given.grad),
        }
        if differentiate_target:
            made["targetGradient"] = written(aim.grad)
        cases.append(made)


def pair(name, loss, function, x, target, options=None, differentiate_target=True):
    case(name, loss, lambda a, b, reduction: function(a, b, reduction=reduction), x, target, options, differentiate_target)


pair("meanSquaredError", "meanSquaredError", F.mse_loss, numbers(3, 2), numbers(3, 2))
pair("absoluteError", "absoluteError", F.l1_loss, numbers(3, 2), numbers(3, 2))
pair("huber", "huber", F.huber_loss, numbers(4, 3), numbers(4, 3))
case("huber with delta 0.5", "huber", lambda a, b, r: F.huber_loss(a, b, delta=0.5, reduction=r), numbers(4, 3), numbers(4, 3), {"delta": 0.5}, True)
# PyTorch differentiates no target of binary_cross_entropy.
pair("binaryCrossEntropy", "binaryCrossEntropy", F.binary_cross_entropy, numbers(3, 2, low=0.1, high=0.9), numbers(3, 2, low=0, high=1), None, False)
pair("binaryCrossEntropy at the ends", "binaryCrossEntropy", F.binary_cross_entropy, torch.tensor([0.0, 1.0, 0.0, 1.0]), torch.tensor([0.0, 1.0, 1.0, 0.0]), None, False)
pair("binaryCrossEntropyLogits", "binaryCrossEntropyLogits", F.binary_cross_entropy_with_logits, numbers(3, 2, low=-20, high=20), numbers(3, 2, low=0, high=1), None, False)

labels = torch.tensor([2, 0, 1, 1])
pair("crossEntropy of class numbers", "crossEntropy", F.cross_entropy, numbers(4, 3, low=-6, high=6), labels, None, False)
pair("crossEntropy of one-hot", "crossEntropy", F.cross_entropy, numbers(4, 3), F.one_hot(labels, 3).double(), None, True)
soft = torch.tensor([[0.25, 0.5, 0.25], [0.125, 0.125, 0.75], [0, 0.5, 0.5], [1, 0, 0]])
pair("crossEntropy of probabilities", "crossEntropy", F.cross_entropy, numbers(4, 3), soft, None, True)
places = torch.tensor([[[0, 1], [2, 2]], [[1, 0], [0, 2]]])
pair("crossEntropy of class numbers per pixel", "crossEntropy", F.cross_entropy, numbers(2, 3, 2, 2), places, None, False)
negative = F.log_softmax(numbers(4, 3), -1)
pair("negativeLogLikelihood", "negativeLogLikelihood", F.nll_loss, torch.round(negative * 64) / 64, labels, None, False)
pair("negativeLogLikelihood per pixel", "negativeLogLikelihood", F.nll_loss, numbers(2, 3, 2, 2, low=-4, high=-0.5), places, None, False)

positions = torch.stack([soft.t()[:, :2], soft.t()[:, 2:]])
pair("crossEntropy of probabilities per position", "crossEntropy", F.cross_entropy, numbers(2, 3, 2), positions, None, True)

write("losses", cases)
