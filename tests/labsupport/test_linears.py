"""Linears: are exactly the right weights pruned, and is everything else as it was?"""

import pytest
import torch

from grader import course
from grader.author.reference import functions
from labsupport import check, linears, models
from labsupport.errors import LabError
from labsupport.given.perplexity import perplexity
from labsupport.graded import SOCKET
from labsupport.linears import (
    Interrupted,
    apply_masks,
    layer_kind,
    masked,
    model_sparsity,
    must_be_dense,
    pruned_linears,
    weights,
)

KINDS = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


@pytest.fixture
def model():
    return models.tiny(1)


def half_masks(model) -> dict[str, torch.Tensor]:
    """Masks that drop every second input."""
    masks = {}
    for name, linear in pruned_linears(model).items():
        masks[name] = torch.ones_like(linear.weight, dtype=torch.bool)
        masks[name][:, ::2] = False
    return masks


def test_which_linears(model):
    """Seven Linears a decoder layer by their full names; the tied head and the embedding stay out."""
    found = pruned_linears(model)
    assert len(found) == 7 * model.config.num_hidden_layers
    assert {layer_kind(name) for name in found} == KINDS
    assert all(model.get_submodule(name) is linear for name, linear in found.items())


@pytest.mark.parametrize("name", ["smollm2-135m", "tinyllama-1.1b-chat"])
def test_which_linears_in_the_real_ones(name):
    """The same seven a layer, and no head, tied or not."""
    shape = models.shape(name)
    assert len(pruned_linears(shape)) == 7 * shape.config.num_hidden_layers
    assert "lm_head" not in pruned_linears(shape)


def test_apply(model):
    """Dropped weights are zero, kept ones bit-identical, all others untouched."""
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    masks = half_masks(model)
    apply_masks(model, masks)
    for name, weight in model.named_parameters():
        mask = masks.get(name.removesuffix(".weight"))
        expected = before[name] if mask is None else torch.where(mask, before[name], 0)
        assert torch.equal(weight, expected), name
    assert model_sparsity(model) == 0.5


def assert_dense(model) -> None:
    fresh = models.tiny(1)
    for (name, weight), other in zip(model.named_parameters(), fresh.parameters(), strict=True):
        assert torch.equal(weight, other), name


def test_masked(model):
    """In the block the model is pruned; after it, it is dense to the last bit, whatever the block did."""
    dense, masks = weights(model), half_masks(model)
    with masked(model, masks):
        assert model_sparsity(model) == 0.5
        assert all(torch.equal(linear.weight != 0, masks[n]) for n, linear in pruned_linears(model).items())
        with torch.no_grad():
            pruned_linears(model)["model.layers.0.mlp.up_proj"].weight.zero_()
        assert all(weight.all() for weight in dense.values())
    assert_dense(model)
    with (
        pytest.raises(ValueError),
        masked(model, masks | {"model.layers.1.mlp.up_proj": torch.ones(2, 2) > 0}),
    ):
        pass
    assert_dense(model)


def test_an_interrupt_leaves_the_model_dense(model):
    """And it is told in one line."""
    with pytest.raises(Interrupted) as caught, masked(model, half_masks(model)):
        raise KeyboardInterrupt
    assert caught.value._render_traceback_() == ["Interrupted. The model has its weights back."]
    assert_dense(model)


def test_an_interrupt_leaves_no_hook_that_prunes(model):
    """Lab 09's function prunes by hooks. Without a `finally` they would prune the model in each later pass;
    hooks from before the block stay, and a handle that is removed afterwards raises nothing."""
    dense = perplexity(model, WINDOWS)
    linear, seen, handles = pruned_linears(model)["model.layers.0.mlp.up_proj"], [], []
    linear.register_forward_hook(lambda *_: seen.append(1))
    with pytest.raises(Interrupted), masked(model, half_masks(model)):
        handles.append(linear.register_forward_pre_hook(lambda layer, _: layer.weight.zero_() and None))
        handles.append(linear.register_forward_hook(lambda *_: None))
        raise KeyboardInterrupt
    assert perplexity(model, WINDOWS) == dense and seen
    assert_dense(model)
    for handle in handles:
        handle.remove()


def test_a_model_that_must_be_dense(model):
    """One that was pruned in place is refused, with its share of zeros."""
    must_be_dense(model)
    apply_masks(model, half_masks(model))
    with pytest.raises(LabError, match="50% of the model's weights are zero"):
        must_be_dense(model)


SPARSE = "with 50% of the model's weights at zero"
WINDOWS = torch.arange(16)[None]


@pytest.fixture
def in_a_notebook(monkeypatch):
    """As in a kernel, where a person reads what is printed."""
    monkeypatch.setattr(linears, "in_a_notebook", lambda: True)


def test_a_measured_model_says_that_it_is_sparse(model, in_a_notebook, capsys):
    """Once, on standard output; in a `masked` block, which is sparse on purpose, nothing is said."""
    perplexity(model, WINDOWS)
    with masked(model, half_masks(model)):
        with masked(model, half_masks(model)):
            pass
        perplexity(model, WINDOWS)
    assert capsys.readouterr() == ("", "")
    apply_masks(model, half_masks(model))
    perplexity(model, WINDOWS)
    said, err = capsys.readouterr()
    assert SPARSE in said and said.count("\n") == 1 and not err


def test_a_model_that_is_sparse_on_purpose_says_nothing(model, in_a_notebook, capsys):
    """Lab 06 trains one; it stays silent after a `masked` block as well. Another one still speaks."""
    linears.sparse_on_purpose(model)
    apply_masks(model, half_masks(model))
    perplexity(model, WINDOWS)
    with masked(model, half_masks(model)):
        pass
    perplexity(model, WINDOWS)
    assert capsys.readouterr().out == ""
    other = models.tiny(2)
    apply_masks(other, half_masks(other))
    perplexity(other, WINDOWS)
    assert SPARSE in capsys.readouterr().out


@pytest.mark.parametrize("place", ["under grading", "in a command"])
def test_no_word_on_zeros_where_nobody_asked(place, model, monkeypatch, capsys):
    """A graded notebook and a command on a pruned folder print what they printed before."""
    monkeypatch.setattr(linears, "in_a_notebook", lambda: place == "under grading")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    if place == "under grading":
        monkeypatch.setenv(SOCKET, "somewhere")
    apply_masks(model, half_masks(model))
    linears.tell_if_sparse(model)
    assert capsys.readouterr().out == ""


def test_a_check_prunes_on_purpose(in_a_notebook, monkeypatch, capsys):
    """Its own measurements come before its headline: a word on zeros there would be read as the verdict."""
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")
    check.prune_magnitude(functions(course.lab("02"))["prune_magnitude"])
    said = capsys.readouterr().out
    assert "all" in said and "at zero" not in said


def test_wrong_masks(model):
    """A name that is no pruned Linear, or a transposed mask, is refused."""
    with pytest.raises(KeyError):
        apply_masks(model, {"lm_head": torch.ones(256, 48, dtype=torch.bool)})
    with pytest.raises(
        ValueError, match=r"mask of model.layers.0.mlp.up_proj is \(48, 80\), its weight \(80, 48\)"
    ):
        apply_masks(model, {"model.layers.0.mlp.up_proj": torch.ones(48, 80, dtype=torch.bool)})
