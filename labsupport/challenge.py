"""The rules of lab 12's challenge: the limit, the points by bytes, and how a file is measured."""

import torch
from transformers import LlamaForCausalLM

from labsupport import container, linears, models, settings
from labsupport.memory import give_back
from labsupport.table import columns

RATIO = 1.3  # perplexity of a file over that of the dense model, at most: 31 where dense has 24
SECONDS = 180  # for one call of the function on the course model
MOST_BYTES = 96_000_000  # of a file that is read; the course model in 4 bits, as it arrives, has 84 million

# Model -> bytes of a file at most, and the points of 10 that it then has. The first two are just above
# files of FILES in labsupport/expected.py; the last is just above that of the lab's own solution.
RUNGS: dict[str, tuple[tuple[int, int], ...]] = {
    models.EMBEDDED: ((84_200_000, 3), (82_000_000, 6), (79_200_000, 8), (74_300_000, 10)),
    models.TINY: ((80_000, 3), (60_000, 6), (50_000, 8), (45_000, 10)),
}


def model_name() -> str:
    """The model of the challenge: the course model if it has rungs, else the embedded one."""
    name = settings.current().model
    return name if name in RUNGS else models.EMBEDDED


def rungs() -> tuple[tuple[int, int], ...]:
    """The rungs of the challenge's model: bytes at most, and points."""
    return RUNGS[model_name()]


def rules() -> str:
    """The rungs as a table."""
    rows = [[f"{most / 1e6:,.2f} MB", f"{points}"] for most, points in rungs()]
    return columns(["a file of at most", "points of 10"], rows)


def loaded(file: bytes | memoryview) -> LlamaForCausalLM:
    """The model that is in a file. Raises container.Refused for what is no file."""
    model = models.load(model_name())
    container.restore(model, container.read(file, model.config))
    linears.sparse_on_purpose(model)
    give_back()  # what decoding took
    return model


def perplexity(file: bytes | memoryview, token_windows: torch.Tensor) -> float:
    """Perplexity of a file's model on windows [n, L]. Raises container.Refused for what is no file."""
    from labsupport.given.perplexity import perplexity

    return perplexity(loaded(file), token_windows)
