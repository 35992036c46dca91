"""What a model costs: multiplications, bytes, memory while it runs, and time.

The first two follow from shapes and zeros and are exact. Memory and time are measured, on the device of
settings.py, and belong to the machine that measured them.
"""

import contextlib
import ctypes
import gc
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from labsupport import settings, widths
from labsupport.errors import LabError, reason
from labsupport.planning import linear_macs, skeleton

# Multiply-accumulates


def model_macs(what: nn.Module | LlamaConfig, tokens: int) -> int:
    """MACs of all Linear layers for `tokens` tokens, lm_head included: of a model, or of a config."""
    model = what if isinstance(what, nn.Module) else skeleton(what, widths.of_config(what))
    return linear_macs(model, tokens)


def attention_macs(what: LlamaForCausalLM | LlamaConfig, tokens: int) -> int:
    """MACs of attention's own two products, queries by keys and weights by values, for one text.

    Each query head multiplies [tokens, head_dim] by [head_dim, tokens] and back again. Causal attention
    could leave out the upper triangle; like torch's counter, this counts the whole square.
    """
    model = isinstance(what, nn.Module)
    layers = widths.of_model(what) if model else widths.of_config(what)
    head_dim = widths.head_size(what.config if model else what)
    return sum(2 * layer.heads * tokens**2 * head_dim for layer in layers)


@torch.no_grad()
def counted_macs(model: PreTrainedModel, tokens: int) -> int:
    """MACs that torch's own counter sees in one pass over a text: Linear layers and attention's products.

    Works on the meta device too, where nothing is computed. The counter reports FLOPs, two a MAC. It does not
    know the CPU's fused attention kernel, so attention runs as plain products meanwhile; no setting of the
    model changes. The angles of the positions, which some versions of transformers make by a product, are
    left out. The mask comes ready-made, because making one reads values that meta tensors lack.
    """
    ids = torch.zeros(1, tokens, dtype=torch.long, device=model.device)
    mask = torch.zeros(1, 1, tokens, tokens, dtype=model.dtype, device=model.device)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(ids, attention_mask=mask, use_cache=False)
    angles = {name: ops for name, ops in counter.get_flop_counts().items() if name.endswith(".rotary_emb")}
    return (counter.get_total_flops() - sum(sum(ops.values()) for ops in angles.values())) // 2


# Bytes on a disk


def weight_bytes(model: nn.Module) -> int:
    """Bytes of all parameters as they are held, zeros included; a weight shared by two layers counts once."""
    return sum(weight.numel() * weight.element_size() for weight in model.parameters())


def packed(weight: torch.Tensor, form: str) -> list[torch.Tensor]:
    """A weight [out_features, in_features] packed for storage, zeros left out: the tensors one would save.

    form: "dense" the weight itself; "bitmask" values and a bit a weight, eight to a byte; "csr" values,
    int32 column indices and int32 row pointers; "2:4" values and a place of 2 bits for each of the two that
    every four neighbours keep. Raises ValueError for another form, and for more than 2 of 4 weights.
    """
    if form == "dense":
        return [weight]
    if form == "bitmask":
        return [weight[weight != 0], _bits(weight != 0)]
    if form == "csr":
        sparse = csr(weight)
        return [sparse.values(), sparse.col_indices(), sparse.crow_indices()]
    if form != "2:4":
        raise ValueError(f"there is no form called {form!r}")
    groups = weight.reshape(-1, 4)
    if weight.shape[1] % 4 or bool(((groups != 0).sum(dim=1) > 2).any()):
        raise ValueError("the weight does not keep at most 2 of every 4 neighbours")
    places = (groups != 0).int().sort(dim=1, descending=True, stable=True).indices[:, :2].sort().values
    return [groups.gather(1, places), _bits(torch.stack([places >> 1, places & 1], dim=-1))]


def csr(weight: torch.Tensor) -> torch.Tensor:
    """The weight as a sparse tensor of compressed rows, its indices int32."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
        sparse = weight.to_sparse_csr()
        return torch.sparse_csr_tensor(
            sparse.crow_indices().int(),
            sparse.col_indices().int(),
            sparse.values(),
            weight.shape,
            check_invariants=False,
        )


def _bits(flags: torch.Tensor) -> torch.Tensor:
    """Zeros and ones, eight to a byte."""
    return torch.from_numpy(np.packbits(flags.cpu().numpy().astype(bool).reshape(-1)))


def bytes_of(tensors: list[torch.Tensor]) -> int:
    """The bytes that these tensors hold."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


# Memory while it runs


def allocated() -> int:
    """Bytes held now: by tensors on CUDA; on a CPU by this process, its resident memory."""
    if settings.device().type == "cuda":
        return torch.cuda.memory_allocated()
    _tidy()
    return _resident()


def peak_memory(action: Callable) -> tuple[object, int]:
    """The value of action(), and how many bytes above those held before were held at the worst moment.

    On CUDA: tensors, by torch.cuda.max_memory_allocated; not what its allocator keeps in reserve. On a
    CPU: growth of this process's resident memory, whatever made it grow (tensors, the scratch space of
    kernels, code loaded on a first call: call the action once before). Linux keeps the high-water mark
    itself; elsewhere a thread samples every millisecond and may miss a shorter peak. Free memory goes back
    to the system first, so that it counts again when it is used again. The kernel counts pages of 4 KiB
    in batches: a megabyte more or less means nothing.
    """
    if settings.device().type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        value = action()
        torch.cuda.synchronize()
        return value, torch.cuda.max_memory_allocated() - before
    _tidy()
    try:
        Path("/proc/self/clear_refs").write_text("5")  # sets the mark to what is resident now
    except OSError:
        return _sampled_peak(action)
    before = _high_water()
    value = action()
    return value, max(0, _high_water() - before)


def _high_water() -> int:
    """VmHWM: the most that was resident since the mark was set."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _resident() -> int:
    return psutil.Process().memory_info().rss


def _sampled_peak(action: Callable) -> tuple[object, int]:
    done = threading.Event()
    before = peak = _resident()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.001):
            peak = max(peak, _resident())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        value = action()
    finally:
        done.set()
        watcher.join()
    return value, max(peak, _resident()) - before


def _tidy() -> None:
    """Free what nobody refers to, and give the allocator's free memory back to the system (glibc)."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


# Time

Seconds = tuple[float, tuple[float, float]]  # the median; the first quartile and the third


def latency(action: Callable, repeats: int) -> Seconds:
    """Median seconds of action() and the range of the middle half of the repeats; warmed up once before."""
    return latencies({"": action}, repeats)[""]


def latencies(actions: dict[str, Callable], repeats: int) -> dict[str, Seconds]:
    """As `latency`, for several actions in turns, so that a busy minute of the machine is shared by all."""
    times = {name: [] for name in actions}
    for turn in range(repeats + 1):
        for name, action in actions.items():
            _finish()
            start = time.perf_counter()
            action()
            _finish()
            if turn:  # the first one warms up: it loads code and fills caches
                times[name].append(time.perf_counter() - start)
    quartiles = {name: np.quantile(seconds, (0.25, 0.5, 0.75)).tolist() for name, seconds in times.items()}
    return {name: (median, (low, high)) for name, (low, median, high) in quartiles.items()}


def _finish() -> None:
    """Wait for the GPU: a call returns as soon as its work is queued."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def semi_structured(weight: torch.Tensor) -> torch.Tensor:
    """A 2:4 weight in half precision, in the format of PyTorch's kernels; LabError where there are none."""
    if not weight.is_cuda:
        raise LabError("PyTorch's 2:4 kernels need a CUDA device of compute capability 8.0 or more.")
    try:
        return torch.sparse.to_sparse_semi_structured(weight.half())
    except Exception as problem:
        raise LabError(f"PyTorch has no 2:4 kernel for this weight on this device: {reason(problem)}") from problem
