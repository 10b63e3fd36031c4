# Shared by the golden scripts: numbers both float32 and float64 hold exactly, and how tensors are written.
import json
import pathlib

import torch

torch.set_default_dtype(torch.float64)
GOLDENS = pathlib.Path(__file__).resolve().parents[2] / "test" / "goldens"


def numbers(*shape, low=-2.0, high=2.0):
    """Random multiples of 1/64, so that no reader rounds them."""
    return torch.round(torch.empty(shape).uniform_(low, high) * 64) / 64


def written(tensor):
    values = tensor.detach().reshape(-1).tolist()
    return {"shape": list(tensor.shape), "data": [float(f"{value:.12g}") for value in values]}


def write(name, cases):
    GOLDENS.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(case) for case in cases)
    text = f'{{"source": "PyTorch {torch.__version__}, float64", "cases": [\n{lines}\n]}}\n'
    (GOLDENS / f"{name}.json").write_text(text)
    print(f"{name}: {len(cases)} cases, {len(text)} bytes")
