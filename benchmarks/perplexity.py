"""(c) Perplexity: the deck's plain loop against the given one, same model and windows."""

from functools import partial

import torch
from torch import nn
from transformers import PreTrainedModel

from benchmarks import workload
from benchmarks.job import clocked, peak
from benchmarks.measure import fresh, in_turn
from benchmarks.table import Row, megabytes
from labsupport import settings
from labsupport.check.judge.kit.compare import is_close
from labsupport.errors import LabError
from labsupport.given.perplexity import perplexity

LENGTH = 2048


def run(length: int = LENGTH, rounds: int = 3) -> tuple[list[Row], list[str]]:
    """Tokens per second and peak memory of both loops."""
    jobs = {way: partial(fresh, "perplexity:measure", way=way, length=length) for way in WAYS}
    found = in_turn(jobs, rounds)
    deck, ours = found["deck"], found["given"]
    if not is_close(ours["perplexity"], deck["perplexity"]):
        raise LabError(f"The perplexities differ: {deck['perplexity']} and {ours['perplexity']}.")
    on_cuda = settings.device().type == "cuda"
    rates = [f"{each['rate']:,.0f} tokens/s" for each in (deck, ours)]
    peaks = [megabytes(each["peak"]) for each in (deck, ours)]
    what = f"perplexity of {workload.name()}, windows of {length}"
    faster, smaller = (">= 1.3", "") if on_cuda else (">= 1", "<= 0.5")
    return [
        Row(f"{what}: speed", *rates, ratio=ours["rate"] / deck["rate"], goal=faster),
        Row(f"{what}: peak memory", *peaks, ratio=ours["peak"] / deck["peak"], goal=smaller),
    ], []


def measure(way: str, length: int) -> dict:
    """One loop in this process; the code is loaded on a short window first."""
    model = workload.model()
    windows = workload.windows("evaluation", length, 8 if settings.device().type == "cuda" else 2)
    WAYS[way](model, windows[:, :16])
    value, seconds = clocked(lambda: WAYS[way](model, windows))
    return {"perplexity": value, "rate": windows.numel() / seconds, "peak": peak()}


def deck(model: PreTrainedModel, windows: torch.Tensor) -> float:
    """The deck's evaluation slide, word for word but for the length of a window."""
    testenc, (nsamples, length) = windows.reshape(1, -1), windows.shape
    nlls = []
    for i in range(nsamples):
        batch = testenc[:, (i * length) : (i + 1) * length].to(model.device)
        with torch.no_grad():
            lm_logits = model(batch).logits
        shift_logits = lm_logits[:, :-1, :].contiguous().float()
        shift_labels = testenc[:, (i * length) : (i + 1) * length][:, 1:].to(model.device)
        loss_fct = nn.CrossEntropyLoss()
        loss = loss_fct(shift_logits.view(-1, shift_logits.size(-1)), shift_labels.reshape(-1))
        neg_log_likelihood = loss.float() * length
        nlls.append(neg_log_likelihood)
    return torch.exp(torch.stack(nlls).sum() / (nsamples * length)).item()


WAYS = {"deck": deck, "given": perplexity}
