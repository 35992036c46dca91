"""Memory that is not needed is not held: a machine of 8 GB runs several labs."""

import contextlib
import sys
import weakref
from pathlib import Path

import psutil
import pytest
import torch

from labsupport import linears, models, structured
from labsupport.check.ask import recipes
from labsupport.check.ask.bits import packed
from labsupport.check.ask.own import prune_blocks
from labsupport.check.judge.kit import memo, pruned
from labsupport.check.judge.kit.masked import masked
from labsupport.given import blocks
from labsupport.memory import checkpointed, give_back

BATCHES = [torch.arange(40).view(2, 20)]  # [B, L]


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_free_memory_goes_back():
    """Blocks below a block in use stay with the process until somebody asks it to give them back."""
    held = [torch.ones(25_000) for _ in range(2000)]  # 100 kB each
    last = held.pop()
    del held
    before = psutil.Process().memory_info().rss
    give_back()
    assert before - psutil.Process().memory_info().rss > 100_000_000
    assert last.sum() == 25_000


def test_layers_run_again_and_give_the_same_gradients():
    """A backward pass under `checkpointed` keeps little; the layers are afterwards as they were."""

    def kept_and_gradients(context) -> tuple[int, list[torch.Tensor]]:
        sizes: list[int] = []
        model = models.tiny().requires_grad_(True)
        first, second = model.model.layers
        first.forward = own = first.forward  # replaced, as a submission might
        count = torch.autograd.graph.saved_tensors_hooks(lambda x: sizes.append(x.nbytes) or x, lambda x: x)
        with count, context(model.model.layers):
            model(BATCHES[0]).logits.square().mean().backward()
        assert first.forward is own
        assert "forward" not in vars(second)
        return sum(sizes), [weight.grad for weight in model.parameters()]

    most, plain = kept_and_gradients(contextlib.nullcontext)
    least, again = kept_and_gradients(checkpointed)
    assert least < most / 2
    assert all(torch.equal(one, other) for one, other in zip(plain, again, strict=True))


def test_gradients_never_hold_the_logits_of_a_window(tiny_model, monkeypatch):
    monkeypatch.setattr(structured, "CHUNK", 8)
    rows: list[int] = []
    handle = tiny_model.lm_head.register_forward_hook(lambda _head, _inputs, logits: rows.append(len(logits)))
    try:
        structured.gradients(tiny_model, BATCHES, range(2))
    finally:
        handle.remove()
    assert rows == [8, 8, 8, 8, 6]  # of 2 * (20 - 1) targets


def test_a_check_masks_the_only_model_that_it_loads(monkeypatch):
    """A second one, dense, would take as much again."""
    monkeypatch.setattr(memo, "folder", None)  # as at home
    made = []
    real = recipes.model
    monkeypatch.setattr(recipes, "model", lambda recipe: made.append(recipe) or real(recipe))
    inputs = pruned.tiny_case(3)
    masks = {name: weight > 0 for name, weight in linears.weights(real({"tiny": 3})).items()}
    with masked(inputs["model"], packed(masks)) as model:
        seen, dense = {}, {name: weight.clone() for name, weight in linears.weights(model).items()}
        for name, linear in linears.pruned_linears(model).items():

            def keep(module, *_, name=name):
                seen[name] = module.weight.clone()

            linear.register_forward_hook(keep)
        model(torch.arange(8)[None])
    assert all(torch.equal(seen[name], dense[name] * mask) for name, mask in masks.items())
    assert all(torch.equal(weight, dense[name]) for name, weight in linears.weights(model).items())
    assert len(made) == 1


def test_the_weights_are_back_after_an_error():
    """A mask of another size stops the pass, and the model that is kept for the next class-mate is dense."""
    inputs = pruned.tiny_case(3)
    masks = {name: weight > 0 for name, weight in linears.weights(recipes.model(inputs["model"])).items()}
    bits = packed(masks)
    bits[list(bits)[-1]] = bits[list(bits)[-1]][:-1]
    with masked(inputs["model"], bits) as model, pytest.raises(ValueError, match="are no mask of"):
        model(torch.arange(8)[None])
    right = linears.weights(recipes.model(inputs["model"]))
    assert all(torch.equal(weight, right[name]) for name, weight in linears.weights(model).items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_pruned_model_is_gone_before_it_is_loaded_again(monkeypatch):
    loads, alive = models.load, []

    def prune(model, *arguments) -> None:
        alive.append(weakref.ref(model))
        blocks.prune_blocks(model, *arguments)

    def load(folder, *more):
        alive.append(alive[0]())
        return loads(folder, *more)

    monkeypatch.setattr(models, "load", load)
    tiny = {"model": {"tiny": 1}, "ratio": 0.5, "layers": [0, 2], "criterion": "l1"}
    answer = prune_blocks.ask(prune, tiny | {"evaluation": {"random": 2, "count": 2, "length": 16}})
    assert answer.reloaded.error is None
    assert alive[1:] == [None]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_sliced_model_lets_go_of_its_file(tmp_path):
    """Its mapping holds the weights that were cut away, as long as one weight of the model lies in it."""

    def mapped() -> bool:
        return str(tmp_path) in Path("/proc/self/maps").read_text()

    models.tiny(seed=0).save_pretrained(tmp_path)
    model = models.load(tmp_path)
    assert mapped()
    before = model.model.embed_tokens.weight.tolist()
    blocks.prune_blocks(model, 0.5, range(2), "l1")
    assert not mapped()
    assert model.model.embed_tokens.weight.tolist() == before
    assert model.lm_head.weight is model.model.embed_tokens.weight
