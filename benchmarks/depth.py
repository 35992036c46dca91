"""The influence of each block: ours against optipfair's, on the same windows, one thread each."""

import time
from functools import partial

import torch

from benchmarks import workload
from benchmarks.job import peak
from benchmarks.measure import fresh, in_turn
from benchmarks.pruning import calibration
from benchmarks.table import Row, megabytes, seconds
from labsupport.errors import LabError

WAYS = ("theirs", "ours")
SAME = 1e-4  # influences are from 0 to 2


def run(rounds: int = 3) -> tuple[list[Row], list[str]]:
    """CPU seconds and peak memory of both; LabError if one influence differs."""
    found = in_turn({way: partial(fresh, "depth:measure", way=way) for way in WAYS}, rounds)
    pairs = zip(*(found[way]["influences"] for way in WAYS), strict=True)
    if wrong := [place for place, (one, other) in enumerate(pairs) if abs(one - other) > SAME]:
        raise LabError(f"The influence of block {wrong[0]} is not that of optipfair.")
    times, peaks = ([found[way][key] for way in WAYS] for key in ("seconds", "peak"))
    what = f"{workload.name()}, influence of its blocks, against optipfair"
    return [
        Row(f"{what}: CPU time", *map(seconds, times), ratio=times[0] / times[1]),
        Row(f"{what}: peak memory", *map(megabytes, peaks), ratio=peaks[1] / peaks[0]),
    ], []


# Each in a process of its own


def measure(way: str) -> dict:
    """The influences of the course model's blocks, CPU seconds and peak memory."""
    from optipfair.pruning.depth import analyze_layer_importance

    from labsupport.given.depth import block_influence
    from labsupport.residual import stream

    torch.set_num_threads(1)
    model, batches = workload.model(), calibration()
    with torch.no_grad():
        model(batches[0][:, :16].to(model.device))  # code is loaded on the first call
    started = time.process_time()
    if way == "ours":
        found = block_influence(stream(model, torch.cat(batches))).tolist()
    else:
        found = list(analyze_layer_importance(model, batches, show_progress=False).values())
    return {"seconds": time.process_time() - started, "peak": peak(), "influences": found}
