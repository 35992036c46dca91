"""The stand-in says and refuses what CUDA does, so that tests on it mean something."""

import copy
import threading

import pytest
import torch

from labsupport import models

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("card")]
CARD = torch.device("cuda", 0)
REFUSED = {
    "mixed devices": lambda x: x + torch.ones(3),
    "numpy": lambda x: x.numpy(),
    "a generator of the CPU": lambda x: torch.rand(3, device="cuda", generator=torch.Generator()),
    "indices of the card": lambda x: torch.ones(3)[x.long()],
    "a list of both": lambda x: torch.cat([x, torch.ones(3)]),
    "in place": lambda x: torch.ones(3).add_(x),
}


@pytest.mark.parametrize("how", REFUSED)
def test_refused(how):
    """What fails on CUDA fails here."""
    with pytest.raises((RuntimeError, TypeError)):
        REFUSED[how](torch.ones(3, device="cuda"))


def test_tensors_stay_on_the_card():
    """What comes out of a call, of a copy, of a thread and of a backward pass."""
    x = torch.ones(3, device="cuda", requires_grad=True)
    (2 * x).sum().backward()
    found = [
        x + 1,
        x[:2],
        x.grad,
        torch.zeros_like(x),
        copy.deepcopy(x),
        *x.detach().split(1),
    ]
    thread = threading.Thread(target=lambda: found.append(torch.zeros(2, device="cuda")))
    thread.start()
    thread.join()
    assert {tensor.device for tensor in found} == {CARD}
    assert (x + torch.tensor(1.0)).device == CARD  # a number may be on the CPU
    assert x[torch.tensor([0])].device == CARD
    assert x.detach().cpu().numpy().tolist() == [1, 1, 1]
    with torch.device("cuda"):
        assert torch.zeros(2).device == CARD


def test_a_model_moves():
    """Weights tied before are tied afterwards; token windows must be moved as well."""
    model = models.load("tiny", device="cuda")
    assert model.device == CARD
    assert model.lm_head.weight is model.model.embed_tokens.weight
    ids = torch.tensor([[5, 9, 70]])
    assert model(ids.to("cuda")).logits.device == CARD
    with pytest.raises(RuntimeError, match="same device"):
        model(ids)
