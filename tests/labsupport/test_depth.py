"""What lab 10 is given: the residual stream, models that share weights, and distillation in little memory."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from labsupport import models, plots, residual
from labsupport.check.ask.pruned import digests
from labsupport.given import depth, distillation

DEEPER = models.tiny().config.__class__(**models.tiny().config.to_dict() | {"num_hidden_layers": 5})


@pytest.fixture
def windows():
    return torch.randint(256, (3, 40), generator=torch.Generator().manual_seed(1))


def test_the_stream_is_what_goes_through_the_blocks(windows):
    """As transformers reports it, but the last one: that is before the final norm."""
    model = models.tiny()
    found = residual.stream(model, windows)
    with torch.no_grad():
        theirs = model(windows, output_hidden_states=True).hidden_states
    assert len(found) == len(theirs) == len(model.model.layers) + 1
    for one, other in zip(found[:-1], theirs[:-1], strict=True):
        assert torch.allclose(one, other, atol=1e-4)
    assert torch.allclose(model.model.norm(found[-1]), theirs[-1], atol=1e-4)
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_blocks_as_optipfair_measures_and_drops_them(windows):
    """The same influences, and without the same blocks the same logits."""
    tool = pytest.importorskip("optipfair.pruning.depth")
    theirs = AutoModelForCausalLM.from_config(DEEPER)
    ours = residual.twin(theirs)
    found = depth.block_influence(residual.stream(ours, windows))
    wanted = tool.analyze_layer_importance(theirs, list(windows[:, None]), show_progress=False)
    assert found.tolist() == pytest.approx(list(wanted.values()), rel=1e-3, abs=1e-6)
    gone = found.argsort()[:2].tolist()
    tool.prune_model_depth(theirs, layer_indices=gone, layer_selection_method="custom", show_progress=False)
    depth.drop_blocks(ours, [place for place in range(5) if place not in gone])
    with torch.no_grad():
        assert torch.equal(ours(windows).logits, theirs(windows).logits)
    assert len(ours.model.layers) == len(theirs.model.layers) == 3


def test_a_twin_costs_no_memory_and_loses_blocks_alone(windows):
    """Thirty models with one block less each would not fit into a laptop."""
    model = models.tiny()
    before = digests(model)
    twin = residual.twin(model)
    assert all(a is b for a, b in zip(model.parameters(), twin.parameters(), strict=True))
    depth.drop_blocks(twin, [1])
    assert (len(twin.model.layers), twin.config.num_hidden_layers) == (1, 1)
    assert (len(model.model.layers), model.config.num_hidden_layers) == (2, 2)
    assert model.model.layers[1].self_attn.layer_idx == 1
    assert digests(model) == before


def test_distillation_in_pieces_is_the_whole_loss(windows, monkeypatch):
    """Logits of a few positions at a time, and blocks that run again on the way back: the same gradient."""
    student, teacher = models.tiny(1).requires_grad_(True), models.tiny(2)
    loss = distillation.distill_loss(student(windows).logits, teacher(windows).logits, windows, 2.0)
    loss.backward()
    names = [name for name, weight in student.named_parameters() if "layers" in name]
    wanted = {name: student.get_parameter(name).grad.clone() for name in names}
    student.zero_grad()
    student.lm_head.requires_grad_(False)  # and the embedding, to which it is tied: as under LoRA
    monkeypatch.setattr(distillation, "CHUNK", 16)
    found = distillation.backward(student, windows, teacher, 2.0)
    assert found == pytest.approx(loss.item(), rel=1e-4)
    for name in names:
        assert torch.allclose(student.get_parameter(name).grad, wanted[name], rtol=1e-3, atol=1e-5), name


def test_the_teacher_stays_as_it_is(windows):
    student, teacher = models.tiny(1), models.tiny(2)
    before = digests(teacher)
    losses = distillation.distill(student, teacher, list(windows[:, None]), 6, 1e-3)
    assert len(losses) == 6 and losses[-1] < losses[0]
    assert digests(teacher) == before


def test_figures_of_the_lab_take_a_guess(monkeypatch):
    """The star stands in the figure, and the words tell every number."""
    from labsupport.figure_text import describe

    told = []
    monkeypatch.setattr(plots, "show", lambda: (told.append(describe(plots.plt.gcf())), plots.plt.close()))
    plots.by_depth({"influence": {0: 0.5, 1: 0.02}}, "By depth", "influence", guess=(1, 0.1))
    points = {"whole blocks": {"1 gone": (0.97, 26.4)}, "slices": {"20%": (0.95, 29.8)}}
    plots.perplexity_against_time(points, 24.0, "Time", guess=(0.9, 40))
    assert "influence: 0.5 at 0, 0.02 at 1" in told[0] and "your guess 0.1" in told[0]
    assert "26.4 at 0.97" in told[1] and "29.8 at 0.95" in told[1] and "your guess 40" in told[1]
