"""What the tests of the ways on a GPU share: a real one where there is one, else its stand-in."""

import contextlib

import pytest
import torch

from labsupport import settings
from tests.gpu import standin

REAL = torch.cuda.is_available()


@pytest.fixture
def card(monkeypatch):
    """This process computes on a card: the machine's own, or the stand-in."""
    monkeypatch.setenv("PRUNING_LABS_DEVICE", "cuda")
    with contextlib.nullcontext() if REAL else standin.armed():
        assert settings.device() == torch.device("cuda", 0)
        yield
