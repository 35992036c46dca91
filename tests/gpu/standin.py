"""A CUDA device that computes on the CPU, so that tests walk the ways that only a GPU takes.

Tensors are those of the CPU with a mark: they say cuda:0, and what CUDA refuses is refused (mixed devices,
`.numpy()`, a generator of the CPU). Numbers, gradients and hooks are the CPU's own. Not imitated: speed,
memory, last bits, errors that come late. A mark is an attribute of the Python object, so what C++ hands back
inside another function (a tensor that backward saved) says cpu.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils import _device

from labsupport import settings

_FOREVER = contextlib.ExitStack()
CARDS = 2
TENSOR = torch.Tensor
CPU_INDICES = (TENSOR.__getitem__, TENSOR.__setitem__)  # of a card's tensor, these may lie on the CPU
MOVES: tuple[Any, ...] = (TENSOR.copy_, TENSOR.data.__set__, TENSOR.to, torch.as_tensor, torch.asarray)
DRAWS = {torch.rand, torch.randn, torch.randint, torch.randperm, TENSOR.uniform_, TENSOR.normal_,
         TENSOR.random_, TENSOR.bernoulli_, torch.multinomial, torch.bernoulli, torch.normal}  # fmt: skip
ANYWHERE = (torch._has_compatible_shallow_copy_type,)  # these take tensors of any devices
MIXED = "Expected all tensors to be on the same device, but found at least two devices, {} and {}!"


def placed(tensor: torch.Tensor) -> torch.device | None:
    """The card of a marked tensor, None for one of the CPU."""
    return vars(tensor).get("_card")


def put(value, device: torch.device | None):
    """The value, every tensor in it marked for a card, or without a mark."""
    for tensor in tensors_in(value):
        if device is not None and device.type == "cuda":
            vars(tensor)["_card"] = device
        else:
            vars(tensor).pop("_card", None)
    return value


def tensors_in(value) -> list[torch.Tensor]:
    """The tensors in a value, in nested lists, tuples and dicts too."""
    if isinstance(value, TENSOR):
        return [value]
    if type(value) is dict:
        value = list(value.values())
    if isinstance(value, list | tuple) and type(value) is not torch.Size:
        return [tensor for item in value for tensor in tensors_in(item)]
    return []


def full(device) -> torch.device:
    """A device, a card with its index."""
    device = torch.device("cuda", device) if isinstance(device, int) else torch.device(device)
    return torch.device("cuda", device.index or 0) if device.type == "cuda" else device


class Standin(TorchFunctionMode):
    """Looks at every call of a function of torch: refuses what CUDA refuses, and marks what comes out."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func in SPECIAL:
            return SPECIAL[func](*args, **kwargs)
        if func in ANYWHERE:
            return func(*args, **kwargs)
        tensors = tensors_in([args, kwargs])
        cards = {card for tensor in tensors if (card := placed(tensor)) is not None}
        goal = named(func, args, kwargs) or (common(func, args, tensors, cards) if cards else None)
        if goal is None:
            return func(*args, **kwargs)
        on_card, generator = goal.type == "cuda", kwargs.get("generator")
        if on_card and func in DRAWS and generator is not None and generator.device.type == "cpu":
            raise RuntimeError("Expected a 'cuda' device type for generator but found 'cpu'")
        if on_card and ("device" in kwargs or func in _device._device_constructors()):
            kwargs["device"] = torch.device("cpu")
        if func is TENSOR.to:
            args = tuple(torch.device("cpu") if is_card(arg) else arg for arg in args)
        found = func(*args, **kwargs)
        if func == TENSOR.data.__set__:
            put(args[0], placed(args[1]))
        moved = bool(tensors) and found is tensors[0] and func in MOVES
        if moved and func is not TENSOR.copy_ and placed(found) != (goal if on_card else None):
            found = found.clone()
        return put(found, goal)


def named(func, args, kwargs) -> torch.device | None:
    """The device that a call names, None where it names none."""
    if kwargs.get("device") is not None:
        return full(kwargs["device"])
    if func is TENSOR.to:
        given = [arg for arg in args[1:] if isinstance(arg, str | torch.device | TENSOR)]
        found = [placed(arg) or arg.device if isinstance(arg, TENSOR) else arg for arg in given]
        return full(found[0]) if found else placed(args[0])
    if func in _device._device_constructors() and _device.CURRENT_DEVICE is not None:
        return full(_device.CURRENT_DEVICE)
    return None


def is_card(value) -> bool:
    """Whether an argument names a card."""
    return isinstance(value, str | torch.device) and str(value).startswith("cuda")


def common(func, args, tensors: list, cards: set) -> torch.device | None:
    """The device of what comes out of a call with tensors of a card. Raises RuntimeError for mixed ones."""
    first = args[0] if args and isinstance(args[0], TENSOR) else None
    if func in MOVES and first is not None:
        return placed(first) or torch.device("cpu")
    if func in CPU_INDICES and first is not None:
        if placed(first) is None:
            raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor")
        return placed(first)
    alone = [tensor for tensor in tensors if placed(tensor) is None and tensor.dim() > 0]
    if alone or len(cards) > 1:
        raise RuntimeError(MIXED.format(*sorted(map(str, cards)), "cpu"))
    return next(iter(cards))


def _device_of(tensor) -> torch.device:
    return placed(tensor) or TENSOR.device.__get__(tensor)


def _no_numpy(tensor, *args, **kwargs):
    if card := placed(tensor):
        raise TypeError(
            f"can't convert {card} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host "
            "memory first."
        )
    return TENSOR.numpy(tensor, *args, **kwargs)


def _array(tensor, *args, **kwargs):
    return TENSOR.__array__(tensor, *args, **kwargs) if placed(tensor) is None else _no_numpy(tensor)


def _cpu(tensor, *args, **kwargs):
    return put(tensor.clone(), None) if placed(tensor) else TENSOR.cpu(tensor, *args, **kwargs)


def _cuda(tensor, device=0, *args, **kwargs):
    return tensor if placed(tensor) else put(tensor.clone(), full(device))


SPECIAL = {
    TENSOR.device.__get__: _device_of,
    TENSOR.is_cuda.__get__: lambda tensor: placed(tensor) is not None,
    TENSOR.is_cpu.__get__: lambda tensor: placed(tensor) is None,
    TENSOR.get_device: lambda tensor: card.index if (card := placed(tensor)) else -1,
    TENSOR.numpy: _no_numpy,
    TENSOR.__array__: _array,
    TENSOR.cpu: _cpu,
    TENSOR.cuda: _cuda,
    TENSOR.pin_memory: lambda tensor, *_: tensor,
}

CALLS = {
    "is_available": lambda: True,
    "is_initialized": lambda: True,
    "_lazy_init": lambda: None,
    "device_count": lambda: CARDS,
    "current_device": lambda: 0,
    "synchronize": lambda *_: None,
    "empty_cache": lambda: None,
    "memory_allocated": lambda *_: 10**6,
    "max_memory_allocated": lambda *_: 2 * 10**6,
    "reset_peak_memory_stats": lambda *_: None,
    "mem_get_info": lambda *_: (70 * 2**30, 80 * 2**30),
    "get_device_name": lambda *_: "Stand-in",
    "get_device_capability": lambda *_: (9, 0),
    "get_rng_state": lambda *_: torch.zeros(16, dtype=torch.uint8),
    "set_rng_state": lambda *_: None,
    "manual_seed": lambda *_: None,
    "manual_seed_all": lambda *_: None,
    "is_bf16_supported": lambda *_: True,
    "_is_in_bad_fork": lambda: False,
}


def for_good() -> None:
    """Arm this process until it ends."""
    _FOREVER.enter_context(armed())


@contextlib.contextmanager
def armed(cards: int = CARDS) -> Iterator[None]:
    """A context in which this process has a CUDA device, in its threads as well."""
    before = {name: getattr(torch.cuda, name) for name in CALLS}
    run, parameter = threading.Thread.run, torch.nn.Parameter.__new__

    def run_armed(thread: threading.Thread) -> None:
        with Standin():
            run(thread)

    def marked(cls, data=None, requires_grad=True):
        made = parameter(cls, data, requires_grad)
        return put(made, placed(data)) if isinstance(data, TENSOR) else made

    settings._tried.cache_clear()
    for name, call in CALLS.items():
        setattr(torch.cuda, name, call)
    torch.cuda.device_count = lambda: cards
    threading.Thread.run = run_armed
    torch.nn.Parameter.__new__ = marked
    try:
        with Standin():
            yield
    finally:
        settings._tried.cache_clear()
        threading.Thread.run = run
        torch.nn.Parameter.__new__ = parameter
        for name, call in before.items():
            setattr(torch.cuda, name, call)
