# Writes bench/agreement.json: the first losses and outputs PyTorch (float32) computes for the benchmark's workloads.
#
#   python3 scripts/goldens/bench.py
import json
import pathlib
import sys

import torch

root = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(root / "bench" / "peers"))
sys.dont_write_bytecode = True
from torch_workloads import WORKLOADS, prepare  # noqa: E402

torch.set_num_threads(1)
FILE = root / "bench" / "agreement.json"


def rounded(value):
    if isinstance(value, float):
        return float(f"{value:.8g}")
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return {name: rounded(item) for name, item in value.items()}


names = [f"gemm-{size}" for size in (256, 511, 512, 513, 1024, 2048, "128x785x257", "1x1024x1024")] + list(WORKLOADS)
lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(rounded(prepare(name)[1]))}" for name in names)
FILE.write_text(f'{{"source": "PyTorch {torch.__version__.split("a")[0]}", "workloads": {{\n{lines}\n}}}}\n')
print(f"{FILE.name}: {FILE.stat().st_size} bytes")
