"""What a GPU alone can show, on TinyLlama's shape: how near to its peak, structured pruning, 2:4 kernels.

Where there is none, there are no rows. Wanda and the deck's perplexity loop are measured by `pruning` and
`perplexity`, which take the same shape on a GPU.
"""

from functools import partial

import torch
from torch.nn.functional import linear

from benchmarks import workload
from benchmarks.job import clocked, peak
from benchmarks.measure import fresh, in_turn
from benchmarks.table import Row, megabytes, seconds
from labsupport import cost, settings
from labsupport.errors import LabError
from labsupport.given import macs
from labsupport.given.perplexity import perplexity
from labsupport.linears import pruned_linears
from labsupport.steps.prune import slice_blocks

SIDE = 8192  # of the square matrices whose product gives the card's peak
RATIO, WINDOW, WINDOWS = 0.3, 64, 10  # structured pruning as in the report
CRITERIA = ("l1", "taylor")
TOKENS = 4096  # of a product with a 2:4 weight


def run(length: int = 2048, side: int = SIDE, rounds: int = 3) -> tuple[list[Row], list[str]]:
    """Rows for each, in the dtype of settings.py; none without a GPU."""
    if settings.device().type != "cuda":
        return [], []
    what = f"{workload.name()}, {str(settings.current().dtype).removeprefix('torch.')}"
    kernels, reasons = two_of_four_row()
    rows = [share_row(what, length, side, rounds), *sliced_rows(what, rounds), *kernels]
    return rows, reasons


def share_row(what: str, length: int, side: int, rounds: int) -> Row:
    """The rate of perplexity as a share of that of one large product."""
    jobs = {
        "peak": partial(fresh, "card:product", side=side),
        "perplexity": partial(fresh, "card:read", length=length),
    }
    most, reached = (each["rate"] for each in in_turn(jobs, rounds).values())
    rates = [f"{rate / 1e12:,.1f} TFLOP/s" for rate in (most, reached)]
    return Row(f"{what}: perplexity, against a matrix product", *rates, ratio=reached / most)


def sliced_rows(what: str, rounds: int) -> list[Row]:
    """Peak memory of structured pruning over that of weights and gradients; taylor's time over l1's."""
    found = in_turn({name: partial(fresh, "card:slice_", criterion=name) for name in CRITERIA}, rounds)
    rows = [
        Row(f"{what}: blocks removed by {name}, peak memory", megabytes(each["bound"]),
            megabytes(each["peak"]), ratio=each["peak"] / each["bound"], goal="<= 1.15")
        for name, each in found.items()
    ]  # fmt: skip
    times = [found[name]["seconds"] for name in CRITERIA]
    what = f"{what}: blocks removed, l1 and taylor"
    return [*rows, Row(what, *map(seconds, times), ratio=times[1] / times[0])]


def two_of_four_row() -> tuple[list[Row], list[str]]:
    """A row on the time of a product with a 2:4 weight; or none, and the reason."""
    found = fresh("card:two_of_four")
    if "why" in found:
        return [], [found["why"]]
    dense, sparse = found["dense"], found["2:4"]
    return [Row("a product in float16, 2:4: time", seconds(dense), seconds(sparse), dense / sparse)], []


# Each in a process of its own


def product(side: int) -> dict:
    """Operations per second of a square matrix product."""
    matrix = torch.ones(side, side, device=settings.device(), dtype=settings.current().dtype)
    times = [clocked(lambda: matrix @ matrix)[1] for _ in range(6)]  # the first one loads code
    return {"rate": 2 * side**3 / min(times)}


def read(length: int, count: int = 4) -> dict:
    """Operations per second of the perplexity of some windows; attention is counted causally."""
    model, windows = workload.model(), workload.windows("evaluation", length, count)
    perplexity(model, windows[:, :16])  # the first one loads code
    _, taken = clocked(lambda: perplexity(model, windows))
    each = macs.linear_macs(model, length) + macs.attention_macs(model, length) // 2
    return {"rate": 2 * count * each / taken}


def slice_(criterion: str) -> dict:
    """Seconds and peak memory of structured pruning; bound: the weights, and pruned layers' gradients."""
    model = workload.model()
    depth = len(model.model.layers)
    layers = range(4, depth - 4) if depth > 12 else range(depth)
    bound = cost.weight_bytes(model)
    if criterion == "taylor":
        linears = pruned_linears(model).items()
        bound += sum(each.weight.nbytes for name, each in linears if int(name.split(".")[2]) in layers)
    batches = [workload.windows("calibration", WINDOW, WINDOWS)]
    _, taken = clocked(lambda: slice_blocks(model, criterion, RATIO, layers, batches))
    return {"seconds": taken, "peak": peak(), "bound": bound}


def two_of_four() -> dict:
    """Seconds of a product with a dense weight and with a 2:4 weight, in half precision; or why not."""
    weight = next(iter(pruned_linears(workload.model()).values())).weight
    larger = weight.abs().view(-1, 2).diff(dim=1) > 0  # [pairs, 1]: is the second one larger?
    masked = weight * torch.cat([~larger, larger], dim=1).view_as(weight)
    try:
        packed = cost.semi_structured(masked)
    except LabError as problem:
        return {"why": str(problem)}
    inputs, dense = torch.randn(TOKENS, weight.shape[1], device=weight.device).half(), masked.half()
    actions = {"dense": lambda: linear(inputs, dense), "2:4": lambda: linear(inputs, packed)}
    return {name: median for name, (median, _) in cost.latencies(actions, 50).items()}
