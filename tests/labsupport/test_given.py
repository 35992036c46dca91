"""The given evaluation and calibration: do they equal a computation that shares nothing with them?"""

import math

import pytest
import torch

from labsupport import models
from labsupport.check.judge.kit.open_columns import damped, inverses, replayed
from labsupport.errors import LabError
from labsupport.given import sparsegpt
from labsupport.given.input_norms import input_norms
from labsupport.given.perplexity import perplexity
from labsupport.linears import pruned_linears


def drawn(count: int, length: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(256, (count, length), generator=torch.Generator().manual_seed(seed))


def hooks(model) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


@pytest.fixture(params=[False, True], ids=["eval", "training"])
def model(request):
    """The tiny model, once in each mode: the mode must be as found afterwards."""
    model = models.tiny(2).train(request.param)
    yield model
    assert model.training is request.param
    assert hooks(model) == 0
    assert torch.is_grad_enabled()


def test_perplexity(model):
    """The logits of whole windows in double precision, the losses counted one by one."""
    windows = drawn(2, 280)  # longer than one chunk of logits
    losses = []
    same = models.tiny(2)
    for window in windows:
        with torch.no_grad():
            logits = same(window[None]).logits[0].double()
        odds = logits[:-1].softmax(dim=-1)  # [targets, vocabulary]
        losses += (-odds[range(len(window) - 1), window[1:]].log()).tolist()
    assert len(losses) == 2 * 279
    assert perplexity(model, windows) == pytest.approx(math.exp(sum(losses) / len(losses)), rel=2e-6)


def test_perplexity_is_no_average_of_perplexities(model):
    """The loss is averaged before the exponential: unequal windows tell the two apart."""
    windows = torch.stack([drawn(1, 64)[0], torch.full((64,), 7)])
    each = [perplexity(model, window[None]) for window in windows]
    assert perplexity(model, windows) == pytest.approx(math.sqrt(each[0] * each[1]), rel=1e-12)
    assert perplexity(model, windows) != pytest.approx(sum(each) / 2, rel=1e-2)


@pytest.mark.parametrize("shape", [(5,), (2, 1)])
def test_perplexity_of_no_windows(model, shape):
    """A flat text or windows of one token hold nothing to predict."""
    with pytest.raises(ValueError, match=r"expected \[n, length\]"):
        perplexity(model, torch.zeros(shape, dtype=torch.long))


def test_input_norms(model):
    """Every input seen is kept and its norm taken at the end, in double precision."""
    batches = drawn(6, 40).split(2)
    seen = {name: [] for name in pruned_linears(model)}
    handles = []
    for name, linear in pruned_linears(model).items():

        def keep(_module, inputs, _output, name=name):
            seen[name].append(inputs[0].double())

        handles.append(linear.register_forward_hook(keep))
    with torch.no_grad():
        for batch in batches:
            model(batch)
    for handle in handles:
        handle.remove()
    found = input_norms(model, batches)
    assert found.keys() == seen.keys()
    for name, inputs in seen.items():
        tokens = torch.cat([x.reshape(-1, x.shape[-1]) for x in inputs])
        assert len(tokens) == 6 * 40
        assert found[name].dtype == torch.float32
        torch.testing.assert_close(found[name], tokens.norm(dim=0).float(), rtol=5e-6, atol=0)


def test_input_norms_do_not_depend_on_the_batching(model):
    """Sums of squares: one batch of six windows or six of one give the same norms."""
    tokens = drawn(6, 40)
    one, six = input_norms(model, [tokens]), input_norms(model, tokens.split(1))
    for name, norm in one.items():
        torch.testing.assert_close(norm, six[name], rtol=5e-6, atol=0)


def test_input_norms_clean_up_after_an_error(model):
    """A bad batch raises, and the fixture sees that hooks and mode are as before."""
    with pytest.raises(IndexError):
        input_norms(model, [drawn(1, 8), torch.full((1, 8), 999)])


def test_windows_longer_than_the_context(tiny_model):
    """A window that the model cannot read gets one sentence, before anything is computed."""
    too_long = torch.zeros(1, tiny_model.config.max_position_embeddings + 1, dtype=torch.int64)
    with pytest.raises(LabError, match="longer than the model's context"):
        perplexity(tiny_model, too_long)
    with pytest.raises(LabError, match="longer than the model's context"):
        input_norms(tiny_model, [too_long])


@pytest.mark.parametrize("pattern", [None, (2, 4), (1, 8)])
def test_sparsegpt_of_a_layer(pattern):
    """The survivors are where an inverse for every column puts them, beyond the first block as well."""
    generator = torch.Generator().manual_seed(3)
    weight, x = torch.randn(12, 152, generator=generator), torch.randn(60, 152, generator=generator)
    h = sparsegpt.hessian(x @ torch.randn(152, 152, generator=generator))
    new, mask = sparsegpt.sparsegpt_layer(weight, sparsegpt.factor(h), 0.4, pattern)
    right, _ = replayed(weight, mask, inverses(damped(h, 0.01)), 128)
    torch.testing.assert_close(new.double(), right, rtol=1e-3, atol=1e-3)
    assert bool((new[~mask] == 0).all()) and not torch.equal(new[mask], weight[mask])
    if pattern:
        assert set(mask.view(-1, pattern[1]).sum(dim=1).tolist()) == {pattern[0]}
    else:
        assert [int((~part).sum()) for part in mask.split(128, dim=1)] == [614, 115]  # 0.4 * 12 * (128, 24)


def test_sparsegpt_needs_groups_that_fit():
    with pytest.raises(ValueError, match="groups of 4"):
        sparsegpt.sparsegpt_layer(torch.ones(2, 6), torch.eye(6), 0.5, (2, 4))


def test_sparsegpt_of_a_model(model):
    """Half of every layer goes, in place; the fixture sees that hooks and mode are as before."""
    before = {name: linear.weight.clone() for name, linear in pruned_linears(model).items()}
    masks = sparsegpt.prune_sparsegpt(model, drawn(6, 40).split(2), 0.5)
    assert masks.keys() == before.keys()
    for name, linear in pruned_linears(model).items():
        assert int((~masks[name]).sum()) == masks[name].numel() // 2
        assert bool((linear.weight[~masks[name]] == 0).all())
        assert not torch.equal(linear.weight, before[name] * masks[name])
