"""How much is removed: are the methods really compared at equal shares, and is nothing measured twice?"""

import json

import pytest

from labsupport import amounts, comparison, expected, linears, models, settings
from labsupport.comparison import setting
from labsupport.given.blocks import prune_blocks
from labsupport.given.masks import magnitude_masks
from labsupport.given.perplexity import perplexity


@pytest.fixture
def asked(monkeypatch) -> list[tuple]:
    """What was really measured, with made-up numbers."""
    found = []

    def measured(_bench, method, ratio, share):
        found.append((method, ratio, share))
        return 10.0 + len(found)

    monkeypatch.setattr(amounts, "_perplexity", measured)
    return found


@pytest.mark.filterwarnings("ignore")
def test_a_share_is_what_a_model_loses(tiny):
    """What the plan says is what is missing in a model that was sliced by that ratio."""
    dense = sum(linear.weight.numel() for linear in linears.pruned_linears(models.load()).values())
    for ratio, share in amounts.shares(tiny).items():
        model = models.load()
        prune_blocks(model, ratio, range(*tiny.layers), "l1")
        left = sum(linear.weight.numel() for linear in linears.pruned_linears(model).values())
        assert share == pytest.approx(1 - left / dense, rel=1e-12)


def test_a_sixth_a_third_and_a_half():
    """For the course model the ratios come to round shares, which its text names."""
    shares = amounts.shares(setting("smollm2-135m"))
    assert [round(share, 3) for share in shares.values()] == [0.165, 0.336, 0.502]


@pytest.mark.lengthy
def test_every_method_at_every_share(tiny):
    """The numbers are perplexities of models that lost that share; all curves have the same shares."""
    curves = amounts.measure(tiny)
    shares = list(amounts.shares(tiny).values())
    assert list(curves) == list(amounts.CURVES)
    assert all(list(points) == shares for points in curves.values())
    model, bench = models.load(), comparison.Bench(tiny)
    linears.apply_masks(model, magnitude_masks(model, shares[0]))
    assert curves["magnitude"][shares[0]] == pytest.approx(perplexity(model, bench.evaluation), rel=1e-6)
    assert len({value for points in curves.values() for value in points.values()}) == 9


@pytest.mark.lengthy
def test_an_interrupt_keeps_what_was_measured(tiny, asked, tmp_path, monkeypatch):
    """The file is whole after every point, and the next run measures the others alone."""
    place = tmp_path / "amounts.json"
    measured = amounts._perplexity

    def interrupted(bench, method, ratio, share):
        if len(asked) == 4:
            raise KeyboardInterrupt
        return measured(bench, method, ratio, share)

    monkeypatch.setattr(amounts, "_perplexity", interrupted)
    with pytest.raises(KeyboardInterrupt):
        amounts.measure(tiny, place)
    assert len(json.loads(place.read_text())["rows"]) == 4
    monkeypatch.setattr(amounts, "_perplexity", measured)
    curves = amounts.measure(tiny, place)
    assert len(asked) == len(set(asked)) == 9
    assert amounts.measure(tiny, place) == curves and len(asked) == 9


def test_nothing_is_measured_under_grading(tiny, asked, monkeypatch):
    """Submissions do not spend minutes on curves that give no points."""
    monkeypatch.setenv("PRUNING_LABS_SOCKET", "somewhere")
    assert amounts.measure(tiny) == {name: {} for name in amounts.CURVES}
    assert asked == []


def test_the_reference_is_that_of_the_shares(monkeypatch):
    """The lab's table finds a reference for each share of the course model, and none for another."""
    monkeypatch.delenv("PRUNING_LABS_MODEL", raising=False)
    monkeypatch.setattr(settings, "current", lambda: settings.CPU)
    for share in amounts.shares(setting("smollm2-135m")).values():
        assert len(expected.by_share(share)) == len(amounts.CURVES)
    assert expected.by_share(0.4) == ()
    percents = [round(100 * share, 1) for share in amounts.shares(setting("smollm2-135m")).values()]
    curves = expected.other_curves()
    assert set(curves) == set(amounts.OTHERS)
    assert all([round(100 * share, 1) for share in points] == percents for points in curves.values())
    drawn = [method for method, points in curves.items() if all(len(draws) == 3 for draws in points.values())]
    assert drawn == [method for method in curves if "random" in method or "LoRA" in method]
