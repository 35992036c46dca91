"""The closing table: is it computed, does it resume, and does bad input cost nothing?"""

import json

import pytest
import torch

from labsupport import __main__ as command
from labsupport import comparison, linears, models
from labsupport.comparison import Bench, Row, compare, setting
from labsupport.errors import LabError
from labsupport.given import outliers


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """The methods that were really run, with made-up numbers."""
    names = []

    def row(_bench, name):
        names.append(name)
        return Row(name, 0.5, 10.0 + len(names), 0.25, 0.1, 100, 200, 300, 2.0, 1.0)

    monkeypatch.setattr(Bench, "row", row)
    return names


@pytest.mark.thorough
@pytest.mark.lengthy
def test_every_method_is_measured(tiny):
    """On the tiny model all methods run, and zeros and slices show where they should."""
    rows = {row.method: row for row in compare(tiny)}
    assert list(rows) == list(comparison.METHODS)
    dense = rows["dense"]
    for name, row in rows.items():
        assert row.perplexity > 1 and 0 <= row.accuracy <= 1 and row.seconds > 0
        sliced = name.startswith("blocks")
        assert (row.parameters < dense.parameters) == (row.macs < dense.macs) == sliced
        assert row.sparsity == pytest.approx(0.5, abs=0.01) or sliced or name == "dense"
    assert rows["Wanda + LoRA"].sparsity == rows["Wanda"].sparsity
    assert rows["Wanda + LoRA"].perplexity != rows["Wanda"].perplexity
    assert rows["blocks, taylor + LoRA"].parameters == rows["blocks, taylor"].parameters


@pytest.mark.lengthy
def test_what_is_there_is_not_run_again(tiny, asked, tmp_path):
    """A run that was interrupted goes on with the method that it was at; the first rows stay as they were."""
    place = tmp_path / "results.json"
    two = compare(tiny, place, ["dense", "Wanda"])
    assert asked == ["dense", "Wanda"]
    every = compare(tiny, place)
    assert sorted(asked) == sorted(comparison.METHODS)
    assert [row for row in every if row.method in ("dense", "Wanda")] == two
    assert compare(tiny, place) == every and len(asked) == len(comparison.METHODS)


@pytest.mark.lengthy
def test_an_interrupt_keeps_what_was_measured(tiny, asked, tmp_path, monkeypatch):
    """The file on disk is whole after every method."""
    place = tmp_path / "results.json"
    row = Bench.row

    def interrupted(bench, name):
        if name == "Wanda":
            raise KeyboardInterrupt
        return row(bench, name)

    monkeypatch.setattr(Bench, "row", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compare(tiny, place)
    assert [found["method"] for found in json.loads(place.read_text())["rows"]] == ["dense", "magnitude"]
    assert list(tmp_path.glob(".*")) == []
    monkeypatch.setattr(Bench, "row", row)
    compare(tiny, place)
    assert len(asked) == len(comparison.METHODS)


def test_nothing_is_run_while_being_graded(tiny, asked, monkeypatch, tmp_path):
    """Hundreds of submissions do not each spend minutes on a table that gives no points."""
    place = tmp_path / "results.json"
    compare(tiny, place, ["dense"])
    monkeypatch.setenv("PRUNING_LABS_SOCKET", "somewhere")
    assert [row.method for row in compare(tiny, place)] == asked == ["dense"]


@pytest.mark.parametrize("damage", ["{", "[]", '{"rows": [{"method": "dense"}], "setting": {}}', "\x00"])
def test_a_damaged_file_is_named_and_left_alone(tiny, asked, tmp_path, damage):
    """It may hold hours of work: nothing overwrites it."""
    place = tmp_path / "results.json"
    place.write_text(damage)
    with pytest.raises(LabError, match=r"cannot be read; remove the file"):
        compare(tiny, place)
    assert place.read_text() == damage and not asked


@pytest.mark.lengthy
def test_another_setting_needs_another_file(tiny, asked, tmp_path):
    """Numbers of two settings never stand in one table."""
    place = tmp_path / "results.json"
    compare(tiny, place, ["dense"])
    with pytest.raises(LabError, match="another setting"):
        compare(setting(limit=8, steps=2), place, ["dense"])
    compare(setting(limit=8, steps=2), None, ["dense"])
    assert asked == ["dense", "dense"]


def test_bad_input_is_one_sentence(tiny, capsys, tmp_path):
    """An unknown method, model or task, and a place where nothing can be written."""
    with pytest.raises(LabError, match="no method called 'nosuch'"):
        compare(tiny, None, ["nosuch"])
    file = tmp_path / "file"
    file.write_text("")
    for arguments, phrase in (
        (["compare", "nosuch"], "no model called 'nosuch'"),
        (["compare", "tiny", "--tasks", "nosuch"], "no task called 'nosuch'"),
        (["compare", "tiny", "--results", str(file / "results.json"), "--limit", "2"], "results"),
        (["compare", "tiny", "--steps", "0"], "steps"),
        (["compare", "tiny", "--limit", "-1"], "limit"),
    ):
        assert command.main(arguments) == 2
        said = capsys.readouterr().err
        assert phrase in said.lower() and said.count("\n") == 1


@pytest.mark.lengthy
def test_the_report_stands_beside_tinyllama(tiny):
    """Its published numbers are shown for its model, and for no other."""
    rows = [Row(name, 0.2, 20.0, 0.4, 0.01, 10**9, 10**9, 10**9, 1.0, 1.0) for name in comparison.METHODS]
    reported = setting("tinyllama-1.1b-chat")
    assert (reported.ratio, reported.layers) == (0.3, (4, 18))
    text = comparison.as_text(reported, rows)
    assert text.count("as reported") == 5
    assert "15.19" in text and "921,651,200" in text
    assert "as reported" not in comparison.as_text(tiny, rows)


def row_of(method: str, sparsity: float, parameters: int) -> Row:
    return Row(method, sparsity, 20.0, 0.4, 0.01, parameters, 10**9, 10**9, 1.0, 1.0)


def test_a_file_holds_what_is_left_and_where_it_stands(tiny):
    """Counted on tensors: 16 bits a value, and a bit for each place, or two for each value of 2:4."""
    model = models.load("tiny")
    whole = sum(weight.numel() for weight in model.parameters())
    decoder = sum(linear.weight.numel() for linear in linears.pruned_linears(model).values())
    for method, sparsity, parameters, bits in (
        ("dense", 0.0, whole, 16 * whole),
        ("Wanda", 0.5, whole, 16 * (whole - decoder) + 8 * decoder + decoder),
        ("Wanda 2:4", 0.5, whole, 16 * (whole - decoder) + 8 * decoder + 2 * decoder // 2),
        ("blocks dropped", 0.25, whole - decoder // 4, 16 * (whole - decoder // 4)),
    ):
        assert comparison.file_bytes(tiny, row_of(method, sparsity, parameters)) == bits // 8, method


def test_outliers_are_counted_for_each_block(tiny_model):
    """Over all of its layers together: one loud input makes outliers of the weights that read it."""
    names = linears.pruned_linears(tiny_model)
    norms = {name: torch.ones(linear.in_features) for name, linear in names.items()}
    norms["model.layers.1.mlp.down_proj"][0] = 1e6
    for times in (5.0, 0.5):
        found = outliers.ratios(tiny_model, norms, times)
        for block, ratio in enumerate(found.tolist()):
            scores = torch.cat([
                (linear.weight.abs() * norms[name]).flatten()
                for name, linear in names.items() if f".layers.{block}." in name
            ])  # fmt: skip
            assert ratio == pytest.approx(sum(scores > times * scores.mean()).item() / len(scores))
    loud = len(names["model.layers.1.mlp.down_proj"].weight)
    count = sum(linear.weight.numel() for name, linear in names.items() if ".layers.1." in name)
    assert 0 < outliers.ratios(tiny_model, norms)[1] <= loud / count
