# Writes test/goldens/layers.json: every layer's output and gradients by input and weights, from PyTorch.
# Run with a Python that has torch: python3 scripts/goldens/layers.py
import torch
from torch import nn

from common import write
from layer_case import case, cases

torch.manual_seed(7)
case("linear", "linear", [3, 4], nn.Linear(3, 4), 2, 3)
case("linear without bias, three dimensions", "linear", [3, 2, {"bias": False}], nn.Linear(3, 2, bias=False), 2, 2, 3)

case("conv1d", "conv1d", [2, 3, 3], nn.Conv1d(2, 3, 3), 2, 2, 6)
case("conv1d strided, padded, dilated, without bias", "conv1d", [2, 2, 3, {"stride": 2, "padding": 2, "dilation": 2, "bias": False}], nn.Conv1d(2, 2, 3, stride=2, padding=2, dilation=2, bias=False), 1, 2, 8)
case("conv2d", "conv2d", [2, 3, 3], nn.Conv2d(2, 3, 3), 2, 2, 5, 4)
case("conv2d with different numbers per dimension", "conv2d", [2, 2, [3, 2], {"stride": [2, 1], "padding": [1, 0]}], nn.Conv2d(2, 2, (3, 2), stride=(2, 1), padding=(1, 0)), 1, 2, 5, 5)
case("conv2d with padding same", "conv2d", [1, 2, 4, {"padding": "same"}], nn.Conv2d(1, 2, 4, padding="same"), 1, 1, 5, 6)
case("conv2d in groups", "conv2d", [4, 6, 3, {"groups": 2, "padding": 1}], nn.Conv2d(4, 6, 3, groups=2, padding=1), 1, 4, 4, 4)
case("conv2d depthwise, dilated", "conv2d", [3, 3, 2, {"groups": 3, "dilation": 2}], nn.Conv2d(3, 3, 2, groups=3, dilation=2), 1, 3, 4, 4)
case("conv3d", "conv3d", [1, 2, 2, {"stride": 2, "padding": 1}], nn.Conv3d(1, 2, 2, stride=2, padding=1), 1, 1, 3, 3, 3)

case("convTranspose1d", "convTranspose1d", [2, 3, 3, {"stride": 2}], nn.ConvTranspose1d(2, 3, 3, stride=2), 1, 2, 4)
case("convTranspose2d", "convTranspose2d", [2, 3, 3], nn.ConvTranspose2d(2, 3, 3), 1, 2, 3, 4)
case("convTranspose2d strided, padded, with output padding", "convTranspose2d", [2, 2, 3, {"stride": 2, "padding": 1, "outputPadding": 1}], nn.ConvTranspose2d(2, 2, 3, stride=2, padding=1, output_padding=1), 1, 2, 3, 3)
case("convTranspose2d in groups, dilated, without bias", "convTranspose2d", [4, 2, 2, {"groups": 2, "dilation": 2, "bias": False}], nn.ConvTranspose2d(4, 2, 2, groups=2, dilation=2, bias=False), 1, 4, 3, 3)
case("convTranspose3d", "convTranspose3d", [2, 1, 2, {"stride": 2}], nn.ConvTranspose3d(2, 1, 2, stride=2), 1, 2, 2, 2, 2)

case("maxPool1d", "maxPool1d", [2], nn.MaxPool1d(2), 2, 2, 6)
case("maxPool2d", "maxPool2d", [2], nn.MaxPool2d(2), 1, 2, 4, 6)
case("maxPool2d strided, padded, dilated", "maxPool2d", [3, {"stride": 2, "padding": 1, "dilation": 2}], nn.MaxPool2d(3, stride=2, padding=1, dilation=2), 1, 2, 7, 6)
case("maxPool2d in ceil mode", "maxPool2d", [2, {"ceilMode": True}], nn.MaxPool2d(2, ceil_mode=True), 1, 1, 5, 5)
case("maxPool3d", "maxPool3d", [2], nn.MaxPool3d(2), 1, 1, 4, 4, 4)
case("averagePool1d", "averagePool1d", [3, {"stride": 2}], nn.AvgPool1d(3, stride=2), 1, 2, 7)
case("averagePool2d", "averagePool2d", [2], nn.AvgPool2d(2), 1, 2, 4, 4)
case("averagePool2d, padding counted", "averagePool2d", [3, {"stride": 2, "padding": 1}], nn.AvgPool2d(3, stride=2, padding=1), 1, 1, 5, 5)
case("averagePool2d, padding not counted", "averagePool2d", [3, {"stride": 2, "padding": 1, "countPadding": False}], nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False), 1, 1, 5, 5)
case("averagePool3d", "averagePool3d", [2], nn.AvgPool3d(2), 1, 1, 2, 4, 4)
case("globalAveragePool", "globalAveragePool", [], nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), 2, 3, 3, 4)
case("globalMaxPool", "globalMaxPool", [], nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()), 2, 3, 3, 4)

for train in (True, False):
    mode = "training" if train else "eval mode"
    case(f"batchNorm of [N, C], {mode}", "batchNorm", [3], nn.BatchNorm1d(3), 4, 3, train=train)
    case(f"batchNorm of [N, C, L], {mode}", "batchNorm", [2], nn.BatchNorm1d(2), 2, 2, 3, train=train)
    case(f"batchNorm of images, {mode}", "batchNorm", [2, {"momentum": 0.25, "epsilon": 0.001}], nn.BatchNorm2d(2, momentum=0.25, eps=0.001), 2, 2, 3, 2, train=train)
    case(f"batchNorm of volumes, {mode}", "batchNorm", [2], nn.BatchNorm3d(2), 2, 2, 2, 1, 2, train=train)
    case(f"batchNorm without weights, {mode}", "batchNorm", [3, {"affine": False}], nn.BatchNorm1d(3, affine=False), 4, 3, train=train)
    case(f"batchNorm without running statistics, {mode}", "batchNorm", [3, {"trackRunningStatistics": False}], nn.BatchNorm1d(3, track_running_stats=False), 4, 3, train=train)
    case(f"layerNorm, {mode}", "layerNorm", [4], nn.LayerNorm(4), 2, 3, 4, train=train)
case("layerNorm over two dimensions", "layerNorm", [[2, 3], {"epsilon": 0.01}], nn.LayerNorm((2, 3), eps=0.01), 2, 2, 3)
case("layerNorm without weights", "layerNorm", [4, {"affine": False}], nn.LayerNorm(4, elementwise_affine=False), 2, 4)

case("dropout, eval mode", "dropout", [0.5], nn.Dropout(0.5), 2, 3, train=False)
case("embedding, an id twice", "embedding", [5, 3], nn.Embedding(5, 3), make_input=lambda: torch.tensor([[0, 4, 1], [4, 4, 2]]))
case("flatten", "flatten", [], nn.Flatten(), 2, 2, 3)
case("flatten some axes", "flatten", [{"startAxis": 0, "endAxis": 1}], nn.Flatten(0, 1), 2, 2, 3)
case("identity", "identity", [], nn.Identity(), 2, 3)
case("leakyRelu", "leakyRelu", [0.1], nn.LeakyReLU(0.1), 2, 5)
case("elu", "elu", [0.5], nn.ELU(0.5), 2, 5)
case("gelu", "gelu", [], nn.GELU(), 2, 5)
case("gelu by tanh", "gelu", ["tanh"], nn.GELU(approximate="tanh"), 2, 5)
case("hardtanh", "hardtanh", [-0.5, 1.5], nn.Hardtanh(-0.5, 1.5), 2, 5)
case("softmax", "softmax", [], nn.Softmax(-1), 2, 5)
case("softmax over channels", "softmax", [1], nn.Softmax(1), 2, 3, 2)
case("logSoftmax", "logSoftmax", [], nn.LogSoftmax(-1), 2, 5)

for kind, module in (
    ("relu", nn.ReLU()),
    ("relu6", nn.ReLU6()),
    ("selu", nn.SELU()),
    ("sigmoid", nn.Sigmoid()),
    ("silu", nn.SiLU()),
    ("softplus", nn.Softplus()),
    ("softsign", nn.Softsign()),
    ("tanh", nn.Tanh()),
):
    case(kind, kind, None, module, 2, 5)

write("layers", cases)
