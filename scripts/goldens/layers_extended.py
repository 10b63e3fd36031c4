# Writes test/goldens/layers-extended.json (further normalisations, gates, resampling and shapes) and layers-composed.json (layers of layers,
# built by name in test/nn/layers-composed.test.ts), from PyTorch.
# Run with a Python that has torch: python3 scripts/goldens/layers_extended.py
import torch
from torch import nn
from torch.nn import functional

from common import write
from layer_case import case, cases

torch.manual_seed(11)


class Apply(nn.Module):
    """A function as a module, for what PyTorch has only as a function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class RMSNorm(nn.Module):
    """Zhang & Sennrich 2019, equation 4; this PyTorch has none."""

    def __init__(self, shape, epsilon):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape))
        self.epsilon = epsilon

    def forward(self, x):
        axes = tuple(range(-self.weight.dim(), 0))
        return x / torch.sqrt((x * x).mean(axes, keepdim=True) + self.epsilon) * self.weight


class Maxout(nn.Module):
    """Goodfellow et al. 2013, section 3."""

    def __init__(self, inputs, outputs, pieces):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs * pieces, inputs))
        self.bias = nn.Parameter(torch.empty(outputs * pieces))
        self.pieces = pieces

    def forward(self, x):
        y = functional.linear(x, self.weight, self.bias)
        return y.unflatten(-1, (-1, self.pieces)).max(-1).values


class SwiGLU(nn.Module):
    """Shazeer 2020, equation 6."""

    def __init__(self, inputs, hidden, outputs):
        super().__init__()
        self.gate = nn.Linear(inputs, hidden, bias=False)
        self.up = nn.Linear(inputs, hidden, bias=False)
        self.down = nn.Linear(hidden, outputs, bias=False)

    def forward(self, x):
        return self.down(functional.silu(self.gate(x)) * self.up(x))


class Separable(nn.Module):
    def __init__(self, inputs, outputs, kernel, multiplier=1, **options):
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs * multiplier, kernel, groups=inputs, bias=False, **options)
        self.pointwise = nn.Conv2d(inputs * multiplier, outputs, 1)

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


for train in (True, False):
    mode = "training" if train else "eval mode"
    case(f"groupNorm of images, {mode}", "groupNorm", [2, 4], nn.GroupNorm(2, 4), 2, 4, 3, 2, train=train)
    case(f"instanceNorm of images, {mode}", "instanceNorm", [2], nn.InstanceNorm2d(2), 2, 2, 3, 2, train=train)
    case(f"instanceNorm with weights and running statistics, {mode}", "instanceNorm", [2, {"affine": True, "trackRunningStatistics": True, "momentum": 0.25}], nn.InstanceNorm2d(2, affine=True, track_running_stats=True, momentum=0.25), 3, 2, 3, 2, train=train)
    case(f"instanceNorm of signals with running statistics, {mode}", "instanceNorm", [3, {"trackRunningStatistics": True}], nn.InstanceNorm1d(3, track_running_stats=True), 2, 3, 5, train=train)
case("groupNorm of [N, C]", "groupNorm", [2, 10], nn.GroupNorm(2, 10), 2, 10)
case("groupNorm of volumes, one group", "groupNorm", [1, 4, {"epsilon": 0.01}], nn.GroupNorm(1, 4, eps=0.01), 2, 4, 2, 1, 3)
case("groupNorm, as many groups as channels, without weights", "groupNorm", [3, 3, {"affine": False}], nn.GroupNorm(3, 3, affine=False), 2, 3, 4)
case("instanceNorm of volumes", "instanceNorm", [2, {"affine": True}], nn.InstanceNorm3d(2, affine=True), 1, 2, 2, 3, 2)
case("rmsNorm", "rmsNorm", [4], RMSNorm(4, 1e-6), 2, 3, 4)
case("rmsNorm over two dimensions", "rmsNorm", [[2, 3], {"epsilon": 0.01}], RMSNorm((2, 3), 0.01), 2, 2, 3)
case("localResponseNorm", "localResponseNorm", [3, {"alpha": 0.5, "bias": 2}], nn.LocalResponseNorm(3, alpha=0.5, k=2), 2, 5, 3, 2)
case("localResponseNorm of an even number of channels", "localResponseNorm", [4, {"alpha": 0.1, "beta": 0.5}], nn.LocalResponseNorm(4, alpha=0.1, beta=0.5), 1, 6, 4)

case("prelu, one slope", "prelu", [], nn.PReLU(), 2, 5)
case("prelu per channel", "prelu", [3], nn.PReLU(3), 2, 3, 4)
case("prelu per channel of images", "prelu", [2], nn.PReLU(2), 2, 2, 2, 3)
case("maxout", "maxout", [3, 2, 4], Maxout(3, 2, 4), 5, 3)
case("maxout, three dimensions", "maxout", [3, 4], Maxout(3, 4, 2), 2, 2, 3)
case("glu", "glu", [], nn.GLU(), 2, 6)
case("glu over channels", "glu", [1], nn.GLU(1), 2, 4, 3)
case("swiGlu", "swiGlu", [4, 6], SwiGLU(4, 6, 4), 2, 3, 4)
case("swiGlu to another size", "swiGlu", [3, 5, 2], SwiGLU(3, 5, 2), 4, 3)

for name, module in (
    ("dropout1d", nn.Dropout(0.5)),
    ("dropout2d", nn.Dropout2d(0.5)),
    ("dropout3d", nn.Dropout3d(0.5)),
    ("alphaDropout", nn.AlphaDropout(0.5)),
):
    shape = {"dropout1d": (2, 3, 4), "dropout3d": (1, 2, 2, 2, 2)}.get(name, (1, 2, 2, 3))
    case(f"{name}, eval mode", name, [0.5], module, *shape, train=False)

sizes = {1: (2, 2, 5), 2: (2, 2, 4, 5), 3: (1, 2, 3, 4, 2)}
modes = {1: "linear", 2: "bilinear", 3: "trilinear"}
for dims, shape in sizes.items():
    case(f"upsample nearest, {dims}-D", "upsample", [{"scale": 2}], nn.Upsample(scale_factor=2), *shape)
    case(f"upsample {modes[dims]}", "upsample", [{"scale": 2, "mode": "linear"}], nn.Upsample(scale_factor=2, mode=modes[dims]), *shape)
case("upsample nearest to a size", "upsample", [{"size": [7, 3]}], nn.Upsample(size=(7, 3)), 1, 2, 4, 5)
case("upsample nearest by a fraction", "upsample", [{"scale": 1.5}], nn.Upsample(scale_factor=1.5), 1, 1, 5, 4)
case("upsample bilinear to a size", "upsample", [{"size": [7, 9], "mode": "linear"}], nn.Upsample(size=(7, 9), mode="bilinear"), 1, 2, 4, 5)
case("upsample bilinear by a fraction per dimension", "upsample", [{"scale": [2.5, 0.6], "mode": "linear"}], nn.Upsample(scale_factor=(2.5, 0.6), mode="bilinear"), 1, 1, 3, 5)
case("upsample bilinear, corners aligned", "upsample", [{"size": [6, 9], "mode": "linear", "alignCorners": True}], nn.Upsample(size=(6, 9), mode="bilinear", align_corners=True), 1, 2, 4, 5)
case("upsample bicubic", "upsample", [{"scale": 2, "mode": "cubic"}], nn.Upsample(scale_factor=2, mode="bicubic"), 1, 2, 4, 5)
case("upsample bicubic to a size, corners aligned", "upsample", [{"size": [5, 7], "mode": "cubic", "alignCorners": True}], nn.Upsample(size=(5, 7), mode="bicubic", align_corners=True), 1, 1, 4, 3)

case("pixelShuffle", "pixelShuffle", [2], nn.PixelShuffle(2), 2, 8, 2, 3)
case("pixelUnshuffle", "pixelUnshuffle", [2], nn.PixelUnshuffle(2), 2, 2, 4, 6)

for dims, shape, size in ((1, (2, 2, 7), 3), (2, (2, 2, 7, 5), (3, 4)), (3, (1, 2, 3, 5, 4), (2, 3, 3))):
    size_here = list(size) if isinstance(size, tuple) else size
    case(f"adaptiveAveragePool{dims}d", f"adaptiveAveragePool{dims}d", [size_here], getattr(nn, f"AdaptiveAvgPool{dims}d")(size), *shape)
    case(f"adaptiveMaxPool{dims}d", f"adaptiveMaxPool{dims}d", [size_here], getattr(nn, f"AdaptiveMaxPool{dims}d")(size), *shape)
case("adaptiveAveragePool2d that divides", "adaptiveAveragePool2d", [2], nn.AdaptiveAvgPool2d(2), 1, 2, 4, 6)
case("adaptiveMaxPool2d to more than there is", "adaptiveMaxPool2d", [5], nn.AdaptiveMaxPool2d(5), 1, 2, 3, 4)

case("padding by zeros", "padding", [[[1, 2], 0]], nn.ZeroPad2d((0, 0, 1, 2)), 1, 2, 3, 4)
case("padding by a constant", "padding", [1, {"value": 1.5}], nn.ConstantPad2d(1, 1.5), 1, 2, 3, 2)
case("padding by reflection, 1-D", "padding", [[[2, 3]], {"mode": "reflect"}], nn.ReflectionPad1d((2, 3)), 2, 2, 4)
case("padding by reflection, 2-D", "padding", [[[1, 2], [3, 0]], {"mode": "reflect"}], nn.ReflectionPad2d((3, 0, 1, 2)), 1, 2, 3, 4)
case("padding by reflection, 3-D", "padding", [1, {"mode": "reflect"}], nn.ReflectionPad3d(1), 1, 1, 2, 3, 2)
case("padding by replication, 2-D", "padding", [[[1, 4], [2, 0]], {"mode": "replicate"}], nn.ReplicationPad2d((2, 0, 1, 4)), 1, 2, 3, 2)
case("padding by replication, 3-D", "padding", [2, {"mode": "replicate"}], nn.ReplicationPad3d(2), 1, 1, 1, 2, 2)
case("padding circularly", "padding", [[[1, 2], [3, 1]], {"mode": "circular"}], Apply(lambda x: functional.pad(x, (3, 1, 1, 2), mode="circular")), 1, 2, 3, 4)

case("depthwiseConv2d", "depthwiseConv2d", [3, 3, {"padding": 1, "multiplier": 2}], nn.Conv2d(3, 6, 3, padding=1, groups=3), 1, 3, 4, 3)
case("separableConv2d", "separableConv2d", [3, 4, 3, {"padding": 1}], Separable(3, 4, 3, padding=1), 2, 3, 4, 3)
case("separableConv2d strided, with a multiplier", "separableConv2d", [2, 3, [3, 2], {"stride": 2, "multiplier": 2}], Separable(2, 3, (3, 2), multiplier=2, stride=2), 1, 2, 5, 4)

case("reshape", "reshape", [[3, 2]], nn.Unflatten(1, (3, 2)), 2, 6)
case("reshape with what is left", "reshape", [[2, -1]], Apply(lambda x: x.reshape(x.shape[0], 2, -1)), 2, 3, 4)
case("unflatten", "unflatten", [1, [2, -1]], nn.Unflatten(1, (2, -1)), 2, 6, 3)

for kind, module in (
    ("mish", nn.Mish()),
    ("hardSigmoid", nn.Hardsigmoid()),
    ("hardSwish", nn.Hardswish()),
    ("logSigmoid", nn.LogSigmoid()),
):
    case(kind, kind, None, module, 2, 5)

case("adaptiveMaxPool2d that divides", "adaptiveMaxPool2d", [[2, 3]], nn.AdaptiveMaxPool2d((2, 3)), 2, 2, 4, 6)
case("adaptiveAveragePool3d that divides", "adaptiveAveragePool3d", [[1, 2, 2]], nn.AdaptiveAvgPool3d((1, 2, 2)), 1, 2, 3, 4, 2)

write("layers-extended", cases)
cases.clear()


class Residual(nn.Module):
    def __init__(self, body, shortcut=None):
        super().__init__()
        self.body = body
        if shortcut is not None:
            self.shortcut = shortcut

    def forward(self, x):
        return self.body(x) + (self.shortcut(x) if hasattr(self, "shortcut") else x)


class Parallel(nn.ModuleList):
    def __init__(self, branches, join):
        super().__init__(branches)
        self.join = join

    def forward(self, x):
        return self.join([branch(x) for branch in self])


class Pairs(nn.Module):
    """The two inputs of nn.Bilinear beside each other in one."""

    def __init__(self, left, right, outputs):
        super().__init__()
        self.pair = nn.Bilinear(left, right, outputs)
        self.left = left

    def forward(self, x):
        return self.pair(x[..., : self.left].contiguous(), x[..., self.left :].contiguous())


class Shared(nn.Module):
    """One layer at two places, and its weight once more by itself."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3)

    def forward(self, x):
        return functional.linear(torch.tanh(self.first(torch.tanh(self.first(x)))), self.first.weight)


def block(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.Tanh(), nn.Conv2d(outputs, outputs, 3, padding=1))


case("residual", "residual", [], Residual(block(2, 2)), 1, 2, 3, 4)
case("residual with a shortcut", "residual with a shortcut", [], Residual(block(2, 3), nn.Conv2d(2, 3, 1)), 1, 2, 3, 4)
case("parallel, joined along the channels", "parallel concat", [], Parallel([nn.Conv2d(2, 3, 1), nn.Conv2d(2, 1, 3, padding=1)], lambda made: torch.cat(made, 1)), 2, 2, 3, 3)
case("parallel, added", "parallel add", [], Parallel([nn.Linear(3, 2), nn.Linear(3, 2)], sum), 4, 3)
case("parallel, multiplied", "parallel function", [], Parallel([nn.Linear(3, 2), nn.Linear(3, 2)], lambda made: made[0] * made[1]), 4, 3)
case("bilinear", "bilinear", [], Pairs(3, 2, 4), 5, 5)
case("a layer and a weight at several places", "shared", [], Shared(), 4, 3)

write("layers-composed", cases)
