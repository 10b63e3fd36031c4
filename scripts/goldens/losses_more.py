# Writes test/goldens/losses-more.json: losses of several arguments and options, with gradients, from PyTorch or their papers' formulas.
# Run with a Python that has torch: python3 scripts/goldens/losses_more.py
import torch
from torch.nn import functional as F

from common import numbers, write, written

torch.manual_seed(17)
cases = []


def tensor(value):
    return {**written(value), "dtype": "float32" if value.is_floating_point() else "int32"}


def case(name, loss, function, *arguments, options=None, tensors=None, lengths=None, reductions=("mean", "sum", "none"), fixed=()):
    """The arguments that are floats are differentiated, but for those at the fixed places."""
    for reduction in reductions:
        given = [a.clone().requires_grad_() if a.is_floating_point() and n not in fixed else a for n, a in enumerate(arguments)]
        y = function(*given, reduction) if reduction else function(*given)
        upstream = numbers(*y.shape)
        y.backward(upstream)
        made = {
            "name": f"{name}, {reduction}" if reduction else name,
            "loss": loss,
            "arguments": [tensor(a) for a in given],
            "options": {**(options or {}), **({"reduction": reduction} if reduction else {})},
            "tensors": {key: tensor(value) for key, value in (tensors or {}).items()},
            "output": written(y),
            "upstream": written(upstream),
            "gradients": [written(a.grad) if a.requires_grad else None for a in given],
        }
        if lengths:
            made["lengths"] = lengths
        cases.append(made)


labels = torch.tensor([2, 0, 1, 1, 2])
some = torch.tensor([2, -7, 1, -7, 0])
weights = torch.tensor([0.5, 2.0, 1.25])
x = numbers(5, 3, low=-4, high=4)
soft = torch.tensor([[0.25, 0.5, 0.25], [0.125, 0.125, 0.75], [0, 0.5, 0.5], [1, 0, 0], [0.5, 0.25, 0.25]])
ce = F.cross_entropy
case("crossEntropy with label smoothing", "crossEntropy", lambda a, t, r: ce(a, t, label_smoothing=0.25, reduction=r), x, labels, options={"labelSmoothing": 0.25})
case("crossEntropy with weights", "crossEntropy", lambda a, t, r: ce(a, t, weight=weights, reduction=r), x, labels, tensors={"weights": weights})
case("crossEntropy with an ignored class", "crossEntropy", lambda a, t, r: ce(a, t, ignore_index=-7, reduction=r), x, some, options={"ignoreIndex": -7})
case(
    "crossEntropy with everything",
    "crossEntropy",
    lambda a, t, r: ce(a, t, weight=weights, ignore_index=-7, label_smoothing=0.125, reduction=r),
    x,
    some,
    options={"ignoreIndex": -7, "labelSmoothing": 0.125},
    tensors={"weights": weights},
)
places = torch.tensor([[[0, 1], [2, -1]], [[1, -1], [0, 2]]])
case(
    "crossEntropy with everything per pixel",
    "crossEntropy",
    lambda a, t, r: ce(a, t, weight=weights, ignore_index=-1, label_smoothing=0.125, reduction=r),
    numbers(2, 3, 2, 2),
    places,
    options={"ignoreIndex": -1, "labelSmoothing": 0.125},
    tensors={"weights": weights},
)
case(
    "crossEntropy of probabilities with weights and label smoothing",
    "crossEntropy",
    lambda a, t, r: ce(a, t, weight=weights, label_smoothing=0.125, reduction=r),
    x,
    soft,
    options={"labelSmoothing": 0.125},
    tensors={"weights": weights},
)
case(
    "crossEntropy of probabilities per pixel",
    "crossEntropy",
    lambda a, t, r: ce(a, t, weight=weights, reduction=r),
    numbers(2, 3, 2, 2),
    numbers(2, 3, 2, 2, low=0, high=1),
    tensors={"weights": weights},
)
case(
    "negativeLogLikelihood with weights and an ignored class",
    "negativeLogLikelihood",
    lambda a, t, r: F.nll_loss(a, t, weight=weights, ignore_index=-7, reduction=r),
    numbers(5, 3, low=-4, high=-0.5),
    some,
    options={"ignoreIndex": -7},
    tensors={"weights": weights},
)
case(
    "binaryCrossEntropyLogits with a positive weight",
    "binaryCrossEntropyLogits",
    lambda a, t, r: F.binary_cross_entropy_with_logits(a, t, pos_weight=torch.tensor([3.0]), reduction=r),
    numbers(3, 2, low=-20, high=20),
    numbers(3, 2, low=0, high=1),
    options={"positiveWeight": 3},
)
case(
    "binaryCrossEntropyLogits with a weight per class",
    "binaryCrossEntropyLogits",
    lambda a, t, r: F.binary_cross_entropy_with_logits(a, t, pos_weight=torch.tensor([3.0, 0.5]), reduction=r),
    numbers(3, 2, low=-5, high=5),
    numbers(3, 2, low=0, high=1),
    tensors={"positiveWeight": torch.tensor([3.0, 0.5])},
)


def reduced(values, reduction):
    return {"mean": values.mean, "sum": values.sum, "none": lambda: values}[reduction]()


def focal(a, t, r, gamma=2, alpha=0.25):  # Lin et al. 2017, equation 5, as torchvision writes it
    p = torch.sigmoid(a)
    right = p * t + (1 - p) * (1 - t)
    values = F.binary_cross_entropy_with_logits(a, t, reduction="none") * (1 - right) ** gamma
    return reduced(values * (alpha * t + (1 - alpha) * (1 - t)), r)


binary = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
case("focalLoss", "focalLoss", focal, numbers(3, 2), binary, fixed=(1,))
case("focalLoss with other numbers", "focalLoss", lambda a, t, r: focal(a, t, r, 3, 0.5), numbers(3, 2), binary, options={"gamma": 3, "alpha": 0.5}, fixed=(1,))
signs = torch.tensor([1.0, -1.0, 1.0, -1.0])
case("focalLoss without alpha or gamma", "focalLoss", lambda a, t, r: F.binary_cross_entropy_with_logits(a, t, reduction=r), numbers(3, 2), numbers(3, 2, low=0, high=1), options={"gamma": 0, "alpha": None})
case("focalLoss of soft targets", "focalLoss", lambda a, t, r: focal(a, t, r, 0.5, 0.75), numbers(3, 2), numbers(3, 2, low=0, high=1), options={"gamma": 0.5, "alpha": 0.75})
case("smoothL1", "smoothL1", lambda a, t, r: F.smooth_l1_loss(a, t, reduction=r), numbers(3, 2), numbers(3, 2))
case("smoothL1 with beta 0.25", "smoothL1", lambda a, t, r: F.smooth_l1_loss(a, t, beta=0.25, reduction=r), numbers(3, 2), numbers(3, 2), options={"beta": 0.25})
case("smoothL1 with beta 0", "smoothL1", lambda a, t, r: F.smooth_l1_loss(a, t, beta=0, reduction=r), numbers(3, 2), numbers(3, 2), options={"beta": 0})
case("hingeLoss", "hingeLoss", lambda a, t, r: reduced((1 - t * a).clamp(min=0), r), numbers(4), signs, fixed=(1,))
case("multiClassHingeLoss", "multiClassHingeLoss", lambda a, t, r: F.multi_margin_loss(a, t, reduction=r), x, labels)
case("multiClassHingeLoss with margin 0.5", "multiClassHingeLoss", lambda a, t, r: F.multi_margin_loss(a, t, margin=0.5, reduction=r), x, labels, options={"margin": 0.5})
a, b, c = numbers(4, 3), numbers(4, 3), numbers(4, 3)
case("cosineEmbeddingLoss", "cosineEmbeddingLoss", lambda u, v, t, r: F.cosine_embedding_loss(u, v, t, reduction=r), a, b, signs, fixed=(2,))
case("cosineEmbeddingLoss with margin 0.25", "cosineEmbeddingLoss", lambda u, v, t, r: F.cosine_embedding_loss(u, v, t, margin=0.25, reduction=r), a, c, signs, options={"margin": 0.25}, fixed=(2,))
case("cosineSimilarity", "cosineSimilarity", lambda u, v: F.cosine_similarity(u, v, dim=-1), a, b, reductions=(None,))
case("tripletLoss", "tripletLoss", lambda u, v, w, r: F.triplet_margin_loss(u, v, w, reduction=r), a, b, c)
case("tripletLoss of order 3", "tripletLoss", lambda u, v, w, r: F.triplet_margin_loss(u, v, w, margin=2, p=3, reduction=r), a, b, c, options={"margin": 2, "order": 3})
case("tripletLoss with swap", "tripletLoss", lambda u, v, w, r: F.triplet_margin_loss(u, v, w, margin=4, swap=True, reduction=r), a, b, c, options={"margin": 4, "swap": True})


def contrastive(u, v, t, r):  # Hadsell et al. 2006, equation 4 without the halves
    d = F.pairwise_distance(u, v)
    return reduced(t * d**2 + (1 - t) * (2 - d).clamp(min=0) ** 2, r)


case("contrastiveLoss", "contrastiveLoss", contrastive, a, b, (signs + 1) / 2, options={"margin": 2}, fixed=(2,))
logs = torch.round(F.log_softmax(x, -1) * 64) / 64
case("klDivergence", "klDivergence", lambda u, t, r: F.kl_div(u, t, reduction={"batchMean": "batchmean"}.get(r, r)), logs, soft, reductions=("batchMean", "mean", "sum", "none"), fixed=(1,))
case("klDivergence by both arguments", "klDivergence", lambda u, t, r: F.kl_div(u, t, reduction="batchmean"), logs, numbers(5, 3, low=0.125, high=1), reductions=("batchMean",))
case("klDivergence of logarithms", "klDivergence", lambda u, t, r: F.kl_div(u, t, log_target=True, reduction={"batchMean": "batchmean"}[r]), logs, numbers(5, 3), options={"logTarget": True}, reductions=("batchMean",))
case("poissonNegativeLogLikelihood", "poissonNegativeLogLikelihood", lambda u, t, r: F.poisson_nll_loss(u, t, reduction=r), numbers(4), torch.tensor([0.0, 3.0, 1.0, 7.0]))
case("poissonNegativeLogLikelihood of rates", "poissonNegativeLogLikelihood", lambda u, t, r: F.poisson_nll_loss(u, t, log_input=False, reduction=r), numbers(4, low=0.25, high=6), torch.tensor([0.0, 3.0, 1.0, 7.0]), options={"logInput": False})
case("gaussianNegativeLogLikelihood", "gaussianNegativeLogLikelihood", lambda u, t, v, r: F.gaussian_nll_loss(u, t, v, reduction=r), numbers(4, 2), numbers(4, 2), numbers(4, 2, low=0.25, high=2))

w = numbers(3, 2)
case("l1", "l1", lambda u: 0.25 * u.abs().sum(), w, options={"strength": 0.25}, reductions=(None,))
case("l2", "l2", lambda u: 0.25 * (u * u).sum(), w, options={"strength": 0.25}, reductions=(None,))
case("elasticNet", "elasticNet", lambda u: 0.25 * (0.125 * u.abs() + 0.875 * u * u).sum(), w, options={"strength": 0.25, "share": 0.125}, reductions=(None,))

logits = numbers(3, 7, 4)
aims = torch.tensor([[1, 2, 2], [3, 1, 0], [2, 0, 0]])
for name, times, counts, extra in [
    ("ctcLoss", [7, 7, 7], [3, 2, 1], {}),
    ("ctcLoss of uneven times", [7, 4, 1], [3, 2, 1], {}),
    ("ctcLoss without labels", [7, 5, 2], [3, 0, 1], {}),
    ("ctcLoss of what does not fit", [3, 4, 2], [3, 2, 1], {"zeroInfinity": True}),
]:
    case(
        name,
        "ctcLoss",
        lambda z, t, r: F.ctc_loss(F.log_softmax(z, -1).transpose(0, 1), t, times, counts, zero_infinity=bool(extra), reduction=r),
        logits,
        aims,
        options=extra,
        lengths={"time": times, "labels": counts},
    )

write("losses-more", cases)
