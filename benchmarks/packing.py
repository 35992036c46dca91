"""Four bits a weight: ours against gguf's own code, on the matrices of one decoder layer, one thread each."""

import time
from functools import partial

import numpy as np
import torch
from torch import nn

from benchmarks.job import peak
from benchmarks.measure import fresh, in_turn, middle
from benchmarks.table import Row, megabytes, seconds
from labsupport import models
from labsupport.errors import LabError

WAYS: tuple[str, ...] = ("theirs", "ours")
SAME = 1e-4  # of all bytes may differ: halfway between two codes one goes up, the other to the even one


def run(name: str = models.EMBEDDED, rounds: int = 3) -> tuple[list[Row], list[str]]:
    """Seconds and peak memory of both; LabError if their bytes are others, or their errors."""
    found = in_turn({way: partial(fresh, "packing:measure", way=way, name=name) for way in WAYS}, rounds)
    differ = fresh("packing:differing", name=name)
    if differ["bytes"] > SAME or abs(differ["error"] - 1) > SAME:
        raise LabError("The blocks are not those of gguf: {bytes:.2%} of the bytes differ.".format(**differ))
    times, peaks = ([found[way][key] for way in WAYS] for key in ("seconds", "peak"))
    what = f"a layer of {name} in 4 bits, against gguf"
    return [
        Row(f"{what}: CPU time", *map(seconds, times), ratio=times[0] / times[1]),
        Row(f"{what}: peak memory", *map(megabytes, peaks), ratio=peaks[1] / peaks[0]),
    ], [
        f"gguf writes the same blocks of Q4_1: {differ['bytes']:.4%} of the bytes differ, and its error is "
        f"{differ['error']:.6f} times ours."
    ]


def weights(name: str) -> list[torch.Tensor]:
    """Random matrices of the shapes of one decoder layer, [out_features, in_features] each."""
    generator = torch.Generator().manual_seed(0)
    linears = [each for each in models.shape(name).model.layers[0].modules() if isinstance(each, nn.Linear)]
    return [torch.randn(each.weight.shape, generator=generator) / 50 for each in linears]


# Each in a process of its own


def measure(way: str, name: str, repeats: int = 3) -> dict:
    """CPU seconds of all matrices of the layer, the median of some tries, and peak memory."""
    torch.set_num_threads(1)
    drawn, times = weights(name), []
    packed(way, drawn[0][:1])  # code is loaded on the first call
    for _ in range(repeats):
        started = time.process_time()
        for weight in drawn:
            packed(way, weight)
        times.append(time.process_time() - started)
    return {"seconds": middle(times), "peak": peak()}


def packed(way: str, weight: torch.Tensor) -> np.ndarray:
    """Blocks of Q4_1, uint8 [out, in / 32 * 20]."""
    import gguf

    from labsupport import gguf_file, given

    if way == "theirs":
        return gguf.quantize(weight.numpy(), gguf.GGMLQuantizationType.Q4_1)
    return gguf_file.q4_1(*given.quantise(weight, 4, 32))


def differing(name: str) -> dict:
    """The share of bytes that differ, and their mean squared error as a multiple of ours."""
    import gguf

    unlike = total = 0
    errors: dict[str, float] = dict.fromkeys(WAYS, 0.0)
    for weight in weights(name):
        found = {way: packed(way, weight) for way in WAYS}
        unlike += int((found["theirs"] != found["ours"]).sum())
        total += found["ours"].size
        for way, blocks in found.items():
            back = gguf.dequantize(blocks, gguf.GGMLQuantizationType.Q4_1)
            errors[way] += float(((back - weight.numpy()) ** 2).sum())
    return {"bytes": unlike / total, "error": errors["theirs"] / errors["ours"]}
