# PyTorch as a peer of the benchmark: answers every request line with one line of JSON (bench/peers/process.ts has the protocol).
#
#   python3 torch_peer.py --threads N [--tuned]   tuned: channels last, inference traced and frozen
#   python3 torch_peer.py --export FOLDER NAME…   writes forward passes as ONNX files and ends
import gc
import json
import os
import sys
import time

sys.dont_write_bytecode = True
import torch  # noqa: E402
from torch_workloads import FORWARD, Convolution, Function, prepare, uniform  # noqa: E402

SAMPLE = 0.02


def seconds(run, count):
    start = time.perf_counter()
    for _ in range(count):
        run()
    return (time.perf_counter() - start) / count


def warm(run, budget):
    """Calls per sample."""
    end, best, count = time.perf_counter() + budget, float("inf"), 0
    while count < 2 or (time.perf_counter() < end and count < 20_000):
        best, count = min(best, seconds(run, 1)), count + 1
    return max(1, int(SAMPLE / best) + 1)


def lasting():
    """Bytes of weights, gradients, buffers and optimizer state; training data is not counted."""
    kept = {}
    for owner in gc.get_objects():
        if isinstance(owner, torch.nn.Module):
            own = [*owner.parameters(), *owner.buffers(), *(p.grad for p in owner.parameters() if p.grad is not None)]
        elif isinstance(owner, torch.optim.Optimizer):
            own = [value for state in owner.state.values() for value in state.values() if isinstance(value, torch.Tensor)]
        else:
            continue
        kept.update((tensor.data_ptr(), tensor.numel() * tensor.element_size()) for tensor in own)
    return sum(kept.values())


def allocated(run):
    """Most bytes of tensors at once during a run: what lasts, and the events of PyTorch's allocator added up (oneDNN's own memory is not in them)."""
    before = lasting()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        run()
    taken = most = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            taken += event.nbytes()
            most = max(most, taken)
    return {"bytes": before + most, "lasting": before}


def serve(threads, tuned):
    torch.set_num_threads(threads)
    run, calls = None, 1
    for line in sys.stdin:
        request = json.loads(line)
        answer = {}
        try:
            if "prepare" in request:
                run = None
                found = prepare(request["prepare"], tuned)
                if found is None:
                    answer = {"skip": "not written for it"}
                else:
                    run, outcome = found
                    calls = warm(run, request["warmMs"] / 1000)
                    answer = {"outcome": outcome}
            elif "sample" in request:
                end, samples = time.perf_counter() + request["sample"] / 1000, []
                while not samples or time.perf_counter() < end:
                    samples.append(seconds(run, calls) * 1000)
                answer = {"samples": samples}
            elif "memory" in request:
                answer = allocated(run)
            else:
                answer = {"name": "PyTorch", "version": torch.__version__.split("a")[0]}
        except Exception as error:
            answer = {"skip": str(error).split("\n")[0]}
        print(json.dumps(answer), flush=True)


def export(folder, names):
    makers = dict(FORWARD)
    makers["conv3x3-fwd"] = (Convolution, lambda: [uniform(95, (8, 64, 56, 56))])
    for name in names:
        if name in makers:
            model, inputs = makers[name][0](), makers[name][1]()
        elif name.startswith("gemm-") and name[5:].isdigit():
            size = (int(name[5:]),) * 2
            model, inputs = Function(torch.matmul), [uniform(1, size), uniform(2, size)]
        else:
            continue
        torch.onnx.export(
            model.eval(), tuple(inputs), os.path.join(folder, f"{name}.onnx"), opset_version=16, input_names=["a", "b"][: len(inputs)]
        )


if sys.argv[1] == "--export":
    export(sys.argv[2], sys.argv[3:])
else:
    serve(int(sys.argv[sys.argv.index("--threads") + 1]), "--tuned" in sys.argv)
