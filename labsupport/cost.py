"""The cost of a model: multiply-accumulates, bytes on disk, peak memory and latency.

The first two follow from shapes and zeros and are exact. Memory and latency are measured on the device of
settings.py and hold for that machine only.
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
    """MACs of all Linear layers of a model or a config for `tokens` tokens, lm_head included."""
    model = what if isinstance(what, nn.Module) else skeleton(what, widths.of_config(what))
    return linear_macs(model, tokens)


def attention_macs(what: LlamaForCausalLM | LlamaConfig, tokens: int) -> int:
    """MACs of the two matrix products of attention (queries by keys, weights by values) for one text.

    Each query head multiplies [L, D] by [D, L], then [L, L] by [L, D]. Causal attention could skip the
    upper triangle; like torch's counter, this function counts the whole square.
    """
    model = isinstance(what, nn.Module)
    layers = widths.of_model(what) if model else widths.of_config(what)
    head_dim = widths.head_size(what.config if model else what)
    return sum(2 * layer.heads * tokens**2 * head_dim for layer in layers)


@torch.no_grad()
def counted_macs(model: PreTrainedModel, tokens: int) -> int:
    """MACs of one forward pass by torch's FLOP counter: Linear layers and the products of attention.

    Also works on the meta device, where nothing is computed. The counter reports FLOPs, two per MAC. It does
    not count the CPU's fused attention kernel, so attention runs as plain products during the pass; no
    setting of the model changes. The angles of the rotary embedding, which some versions of transformers
    compute by a matrix product, are not counted. The attention mask is passed in, because transformers
    would read values of meta tensors to make one.
    """
    ids = torch.zeros(1, tokens, dtype=torch.long, device=model.device)
    mask = torch.zeros(1, 1, tokens, tokens, dtype=model.dtype, device=model.device)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(ids, attention_mask=mask, use_cache=False)
    angles = {name: ops for name, ops in counter.get_flop_counts().items() if name.endswith(".rotary_emb")}
    return (counter.get_total_flops() - sum(sum(ops.values()) for ops in angles.values())) // 2


# Bytes on a disk


def weight_bytes(model: nn.Module) -> int:
    """Bytes of all parameters, zeros included; a weight shared by two layers counts once."""
    return sum(weight.numel() * weight.element_size() for weight in model.parameters())


def packed(weight: torch.Tensor, form: str) -> list[torch.Tensor]:
    """A weight [out, in] packed for storage without its zeros: the tensors to save.

    form: "dense", the weight itself; "bitmask", values and one bit per weight, eight to a byte; "csr",
    values, int32 column indices and int32 row pointers; "2:4", values and a 2-bit index for each of the two
    kept weights in every group of four. Raises ValueError for another form, and for a group with more than
    2 nonzero weights.
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
    """The weight as a sparse CSR tensor with int32 indices."""
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
    """Pack zeros and ones eight to a byte."""
    return torch.from_numpy(np.packbits(flags.cpu().numpy().astype(bool).reshape(-1)))


def bytes_of(tensors: list[torch.Tensor]) -> int:
    """Total bytes of these tensors."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


# Peak memory


def allocated() -> int:
    """Bytes allocated now: on CUDA those of tensors; on a CPU the resident memory of this process."""
    if settings.device().type == "cuda":
        return torch.cuda.memory_allocated()
    _tidy()
    return _resident()


def peak_memory(action: Callable) -> tuple[object, int]:
    """The value of action(), and its peak memory in bytes above the memory allocated before.

    On CUDA: the memory of tensors, by torch.cuda.max_memory_allocated, without the allocator's reserve. On
    a CPU: the growth of this process's resident memory, for any reason (tensors, the scratch space of
    kernels, code loaded on the first call: call the action once before). Linux keeps the high-water mark;
    on other systems a thread samples every millisecond and may miss a shorter peak. Free memory is returned
    to the system first, so that it counts again when it is used again. The kernel counts pages of 4 KiB
    in batches, so differences below a megabyte are noise.
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
        Path("/proc/self/clear_refs").write_text("5")  # resets the mark to the resident memory
    except OSError:
        return _sampled_peak(action)
    before = _high_water()
    value = action()
    return value, max(0, _high_water() - before)


def _high_water() -> int:
    """VmHWM: the peak resident memory since the mark was reset."""
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
    """Collect garbage, and return the allocator's free memory to the system (glibc)."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


# Time

Seconds = tuple[float, tuple[float, float]]  # the median; the first quartile and the third


def latency(action: Callable, repeats: int) -> Seconds:
    """Median seconds of action(), and the first and third quartiles; one warm-up call comes before."""
    return latencies({"": action}, repeats)[""]


def latencies(actions: dict[str, Callable], repeats: int) -> dict[str, Seconds]:
    """As `latency`, for several actions in turns, so that a busy minute of the machine affects all alike."""
    times = {name: [] for name in actions}
    for turn in range(repeats + 1):
        for name, action in actions.items():
            _finish()
            start = time.perf_counter()
            action()
            _finish()
            if turn:  # the first turn is the warm-up: it loads code and fills caches
                times[name].append(time.perf_counter() - start)
    quartiles = {name: np.quantile(seconds, (0.25, 0.5, 0.75)).tolist() for name, seconds in times.items()}
    return {name: (median, (low, high)) for name, (low, median, high) in quartiles.items()}


def _finish() -> None:
    """Wait for the GPU: a call returns as soon as its work is queued."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def semi_structured(weight: torch.Tensor) -> torch.Tensor:
    """A 2:4 weight in half precision, in the format of PyTorch's kernels; LabError without such hardware."""
    if not weight.is_cuda:
        raise LabError("PyTorch's 2:4 kernels need a CUDA device of compute capability 8.0 or more.")
    try:
        return torch.sparse.to_sparse_semi_structured(weight.half())
    except Exception as problem:
        why = f"PyTorch has no 2:4 kernel for this weight on this device: {reason(problem)}"
        raise LabError(why) from problem
