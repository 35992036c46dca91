"""Structured pruning: channels by l1 against torch-pruning, and memory on TinyLlama's shape."""

import tempfile
import time
import warnings
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from benchmarks import workload
from benchmarks.job import peak
from benchmarks.measure import fresh, in_turn
from benchmarks.table import Row, megabytes, seconds
from labsupport import comparison, models
from labsupport.errors import LabError
from labsupport.linears import pruned_linears

WAYS = ("theirs", "ours")
RATIO = 0.3  # of the course model's three KV groups none goes, so channels are all that goes


def run(rounds: int = 3, shape: str = workload.LARGE) -> tuple[list[Row], list[str]]:
    """CPU seconds and peak memory of both, which must leave the same weights; then memory over its floor."""
    with tempfile.TemporaryDirectory() as folder:
        layers = comparison.setting(workload.name()).layers
        job = partial(fresh, "structured:measure", layers=layers, folder=folder)
        jobs = {way: partial(job, way=way) for way in WAYS}
        found = in_turn(jobs, rounds)
        if wrong := fresh("structured:differing", folder=folder)["wrong"]:
            raise LabError(f"{wrong[0]} is not what torch-pruning leaves.")
    times, peaks = ([found[way][key] for way in WAYS] for key in ("seconds", "peak"))
    what = f"{workload.name()}, channels by l1, against torch-pruning"
    rows = [
        Row(f"{what}: CPU time", *map(seconds, times), ratio=times[0] / times[1], goal=">= 2"),
        Row(f"{what}: peak memory", *map(megabytes, peaks), ratio=peaks[1] / peaks[0], goal="<= 1"),
    ]
    for criterion in ("l1", "taylor"):
        layers = comparison.setting(shape).layers  # of TinyLlama the report's
        large = fresh("structured:large", shape=shape, layers=layers, criterion=criterion)
        what, sizes = f"{shape}'s shape, blocks by {criterion}: peak memory", (large["floor"], large["peak"])
        rows.append(Row(what, *map(megabytes, sizes), ratio=sizes[1] / sizes[0], goal="<= 1.15"))
    return rows, [
        f"The floor of {shape}'s shape is its weights in float32, and by taylor the gradients of the pruned "
        "layers; the peak is that of the whole process, which holds torch and transformers, too."
    ]


# Each in a process of its own


def measure(way: str, layers: tuple[int, int], folder: str) -> dict:
    """The course model pruned one way, CPU seconds and peak memory; its MLPs are left in the folder."""
    torch.set_num_threads(1)
    model = workload.model()
    with torch.no_grad():
        model(torch.zeros(1, 16, dtype=torch.long))  # code is loaded on the first call
    started = time.process_time()
    (_ours if way == "ours" else _theirs)(model, range(*layers))
    taken, most = time.process_time() - started, peak()
    left = {
        name: linear.weight.contiguous() for name, linear in pruned_linears(model).items() if "mlp" in name
    }
    save_file(left, Path(folder, f"{way}.safetensors"))
    return {"seconds": taken, "peak": most}


def _ours(model, layers: range) -> None:
    prune(model, layers, "l1")


def _theirs(model, layers: range) -> None:
    import torch_pruning as tool

    model.requires_grad_(True)  # it follows the coupling through the graph of gradients
    with warnings.catch_warnings(action="ignore"):  # norms are no modules that it knows
        traced = tool.DependencyGraph().build_dependency(
            model, example_inputs=torch.zeros(1, 4, dtype=torch.long),
            forward_fn=lambda model, x: model(x, use_cache=False).logits,
        )  # fmt: skip
    score = tool.importance.GroupMagnitudeImportance(
        p=1, group_reduction="sum", normalizer=None,  # pyright: ignore[reportArgumentType]  its own code says None
    )  # fmt: skip
    for index in layers:
        gate = model.model.layers[index].mlp.gate_proj
        channels = list(range(gate.out_features))
        scores = score(traced.get_pruning_group(gate, tool.prune_linear_out_channels, channels))
        assert scores is not None
        gone = scores.argsort()[: len(channels) - int(len(channels) * (1 - RATIO))].tolist()
        traced.get_pruning_group(gate, tool.prune_linear_out_channels, gone).prune()


def differing(folder: str) -> dict:
    """The MLP weights that the two ways do not share, by name."""
    theirs, ours = (load_file(Path(folder, f"{way}.safetensors")) for way in WAYS)
    return {"wrong": [name for name, weight in ours.items() if not torch.equal(weight, theirs[name])]}


def large(shape: str, layers: tuple[int, int], criterion: str) -> dict:
    """A shape with random weights, pruned in some layers: the floor and the peak in bytes."""
    torch.manual_seed(0)
    config = models.config(shape)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval().requires_grad_(False)
    there = {name: linear.weight.numel() for name, linear in pruned_linears(model).items()}
    pruned = sum(count for name, count in there.items() if int(name.split(".")[2]) in range(*layers))
    weights = sum(weight.numel() for weight in model.parameters())
    batches = list(torch.randint(config.vocab_size, (10, 1, 64)))
    prune(model, range(*layers), criterion, batches)
    return {"floor": 4 * (weights + (pruned if criterion == "taylor" else 0)), "peak": peak()}


def prune(model, layers: range, criterion: str, batches: list[torch.Tensor] | None = None) -> None:
    """Our way, in silence where no KV group goes."""
    from labsupport.given.blocks import prune_blocks

    with warnings.catch_warnings(action="ignore"):
        prune_blocks(model, RATIO, layers, criterion, batches)
