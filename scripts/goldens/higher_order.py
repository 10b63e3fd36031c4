# Writes test/goldens/higher-order.json: Jacobians, Hessians, their products with vectors, and gradients per example, from PyTorch.
# Run with a Python that has torch: python3 scripts/goldens/higher_order.py
import torch
from torch.autograd import functional
from torch.nn import functional as F

from common import numbers, write, written

torch.manual_seed(23)
x, w, v, u = numbers(3, 4), numbers(5, 4), numbers(3, 4), numbers(3, 5)


def scores(a):
    return torch.log_softmax(torch.tanh(a) @ w.T, 1)


def energy(a):
    return (scores(a) * u).sum() + (a**3).mean()


case = {
    "x": written(x),
    "w": written(w),
    "v": written(v),
    "u": written(u),
    "jacobian": written(functional.jacobian(scores, x)),
    "vectorJacobianProduct": written(functional.vjp(scores, x, u)[1]),
    "jacobianVectorProduct": written(functional.jvp(scores, x, v)[1]),
    "hessian": written(functional.hessian(energy, x)),
    "hessianVectorProduct": written(functional.hvp(energy, x, v)[1]),
}

images, kernel, readout, labels = numbers(4, 2, 5, 5), numbers(3, 2, 3, 3), numbers(3, 3), torch.tensor([2, 0, 1, 2])
each = []
for image, label in zip(images, labels):
    k, r = kernel.clone().requires_grad_(), readout.clone().requires_grad_()
    features = F.max_pool2d(torch.tanh(F.conv2d(image[None], k, padding=1)), 2).mean((2, 3))
    F.cross_entropy(features @ r.T, label[None]).backward()
    each.append((k.grad, r.grad))
case["examples"] = {
    "images": written(images),
    "kernel": written(kernel),
    "readout": written(readout),
    "labels": labels.tolist(),
    "byKernel": written(torch.stack([pair[0] for pair in each])),
    "byReadout": written(torch.stack([pair[1] for pair in each])),
}
write("higher-order", [case])
