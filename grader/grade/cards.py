"""The GPUs of this machine: which one each grading process gets, and how many have room on it."""

import itertools
import os

import torch

from grader.grade import memory
from labsupport import settings

CONTEXT = 2**29  # bytes that CUDA takes for a process; judge and sandbox are two
ACTIVATIONS = 2**30
COPIES = 3  # of the weights: those of the notebook, of an answer, and of the judge


def named() -> list[str]:
    """The cards to grade on: the one that PRUNING_LABS_DEVICE numbers, else all; none on a CPU."""
    device = settings.device()
    if device.type == "cpu":
        return []
    if ":" in os.environ.get("PRUNING_LABS_DEVICE", ""):
        return [str(device)]
    return [f"cuda:{index}" for index in range(torch.cuda.device_count())]


def need() -> int:
    """An upper estimate of the bytes that one grading takes of a card."""
    return 2 * CONTEXT + ACTIVATIONS + COPIES * memory.weight_bytes()


def free(card: str) -> int:
    """The free bytes of a card."""
    return torch.cuda.mem_get_info(torch.device(card))[0]


def dealt(workers: int) -> list[str]:
    """A card for each grading process, in turns, as long as one has room; none on a CPU.

    One process at least: where no card has room, it gets the one with most.
    """
    cards = named()
    if not cards:
        return []
    each = need()
    left = {card: free(card) for card in cards}
    room = {card: left[card] // each for card in cards}
    if not any(room.values()):
        return [max(cards, key=lambda card: left[card])]
    given: list[str] = []
    for card in itertools.cycle(cards):
        if len(given) == workers or not any(room.values()):
            return given
        if room[card]:
            room[card] -= 1
            given.append(card)
    return given
