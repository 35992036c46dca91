"""Perplexities under grading: equal masks are measured once, by the examiner, which believes nothing."""

import socket
from pathlib import Path

import nbformat
import pytest
import torch

import labsupport.given.perplexity as given
from grader.grade import examiner as examiner_module
from grader.grade.class_run import grade_class
from grader.grade.examiner import Examiner
from labsupport import linears, models
from labsupport.check.ask import bits, recipes, shared, wire
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit import memo
from labsupport.check.judge.kit import pruned as judging
from labsupport.given import masks
from tests.grade.test_hostile import hand_in, right_answers
from tests.hostile.submissions import FILE, LAB

pytestmark = pytest.mark.sandbox


@pytest.fixture
def course(tiny_course, tmp_path, monkeypatch):
    """The tiny course model, its evaluation windows, and an examiner with an empty store."""
    monkeypatch.setattr(memo, "folder", tmp_path / "references")
    monkeypatch.setattr(memo, "_known", {})
    shared.stored.cache_clear()
    windows = recipes.windows(recipes.course_windows("evaluation"))
    with Examiner(tmp_path / "socket", 5) as examiner:
        yield models.load(), windows, examiner
    shared.stored.cache_clear()


def pruned(model, sparsity: float) -> dict[str, torch.Tensor]:
    chosen = masks.magnitude_masks(model, sparsity)
    linears.apply_masks(model, chosen)
    return chosen


def asked(course, model=None, windows=None) -> float | None:
    own, course_windows, examiner = course
    return shared.asked(
        own if model is None else model, course_windows if windows is None else windows, str(examiner.path)
    )


def test_equal_masks_are_measured_once(course, monkeypatch):
    """The number is the one measured here; a classmate with the same masks costs no second evaluation."""
    model, windows, examiner = course
    dense = asked(course)
    assert dense == pytest.approx(given.perplexity(model, windows), rel=1e-6)
    pruned(model, 0.5)
    first = asked(course)
    assert first == pytest.approx(given.perplexity(model, windows), rel=1e-6)
    assert first != dense
    monkeypatch.setattr(judging, "perplexity", None)  # whoever measures again stumbles
    assert asked(course) == first
    memo._known.clear()  # another process of the class finds it in the store
    assert asked(course) == first
    assert [each.how for each in examiner.shared] == ["measured", "measured", "known", "known"]
    assert [each.perplexity for each in examiner.shared] == [dense, first, first, first]
    assert examiner.fault is None


def test_the_same_number_as_the_judges(course):
    """What the judge of prune_magnitude measures of the same masks is found, not measured again."""
    model, _, examiner = course
    chosen = pruned(model, 0.5)
    value = judging.masked_perplexity(judging.course_case(sparsity=0.5), bits.packed(chosen))
    assert asked(course) == value
    assert examiner.shared[0].how == "known"


def change_an_embedding(model):
    model.model.embed_tokens.weight.data[3, 3] += 1


def change_a_weight(model):
    model.model.layers[0].mlp.up_proj.weight.data[0, 0] *= 1.5


def change_a_norm(model):
    model.model.norm.weight.data.zero_()


def hook_a_layer(model):
    model.model.layers[1].register_forward_hook(lambda module, inputs, output: output)


def replace_a_forward(model):
    model.model.layers[0].mlp.forward = lambda x: x


@pytest.mark.parametrize(
    "change", [change_an_embedding, change_a_weight, change_a_norm, hook_a_layer, replace_a_forward]
)
def test_anything_else_is_measured_where_it_is(course, change):
    """Other weights, or a model that computes otherwise, never get the number of some masks."""
    model, _, examiner = course
    change(model)
    assert asked(course) is None
    assert examiner.shared == []


def test_other_windows_and_models_are_measured_where_they_are(course):
    _, windows, examiner = course
    assert asked(course, windows=windows[:, :-1]) is None
    assert asked(course, windows=windows.flip(0)) is None
    assert asked(course, model=models.tiny(seed=3)) is None
    assert examiner.shared == []


@pytest.mark.parametrize(
    "claim",
    [
        {"model.layers.0.mlp.up_proj": torch.ones(2, dtype=torch.uint8)},
        {"model.layers.0.mlp.up_proj": torch.ones(2, 240, dtype=torch.uint8)},
        {"model.layers.0.mlp.up_proj": torch.ones(80, 48, dtype=torch.bool)},
        {"model.layers.99.mlp.up_proj": torch.ones(480, dtype=torch.uint8)},
        {"model.layers.0.mlp.up_proj": torch.ones(80, 48)},
        {"model.layers.0.mlp.up_proj": "all of them"},
        "everything",
        [1, 2],
    ],
)
def test_nonsense_gets_no_number(course, claim):
    """Masks of other shapes, names or types are answered with nothing, and leave nothing in the store."""
    examiner = course[2]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(examiner.path))
        wire.send(connection, {"masks": claim})
        assert wire.receive(connection) == {"perplexity": None}
    assert examiner.shared == []
    assert examiner.fault is None
    assert not [path for path in (memo.folder.glob("*") if memo.folder.exists() else [])
                if not path.name.startswith(".")]  # fmt: skip


def test_nobody_asks_without_end(course, monkeypatch):
    """After so many questions a submission measures for itself; it cannot keep the examiner busy."""
    monkeypatch.setattr(examiner_module, "SHARED", 2)
    assert [asked(course) is None for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize("lab", [0, 1])
def test_the_first_labs_get_no_number(course, tmp_path, lab):
    """In lab 01 it is an exercise, and comes after lab 00; no lab is asked the cases of another one."""
    model, windows, _ = course
    with Examiner(tmp_path / "first", 5, lab) as first:
        assert shared.asked(model, windows, str(first.path)) is None
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(first.path))
            wire.send(connection, {"exercise": "magnitude_mask"})
            with pytest.raises(EOFError):
                wire.receive(connection)
    assert first.shared == [] and first.verdicts == {} and first.fault is None


def test_what_is_requested_is_no_exercise():
    """In every lab that may request a perplexity, the judges take none from the answer alone."""
    labs = {EXERCISES.lab(name) for name in EXERCISES}
    may = {lab for lab in labs if Examiner(Path("unused"), 5, lab).may_request}
    assert may == labs - {0, 1}
    assert EXERCISES.lab("perplexity") not in may


def test_through_the_sandbox(empty_course, monkeypatch):
    """Two students with equal masks: what they read is what it is without sharing, and is measured once."""
    monkeypatch.setattr(memo, "_known", {})
    show = """
from labsupport import corpora, models, settings
from labsupport.given.perplexity import perplexity
now, model = settings.current(), models.load()
windows = corpora.windows(now.text, models.tokenizer(), "evaluation", now.window, now.evaluation_windows)
dense = perplexity(model, windows)
prune_magnitude(model, 0.5)
print(dense, perplexity(model, windows))
"""
    deaf = "import os\ndel os.environ['PRUNING_LABS_SOCKET']"
    for student, before in {"ada": "", "alone": deaf, "ben": ""}.items():
        notebook = right_answers()
        notebook.cells.append(nbformat.v4.new_code_cell(before + show))
        hand_in(student, {FILE: nbformat.writes(notebook).encode()})
    records = grade_class(LAB)
    assert [record.score() for record in records] == [10, 10, 10]
    how = {record.student: [each.how for each in record.shared] for record in records}
    assert how == {"ada": ["measured", "measured", "known"], "alone": ["known"], "ben": ["known"] * 3}
    last = [nbformat.reads(record.notebook, as_version=4).cells[-1].outputs for record in records]
    ada, alone, ben = (outputs[-1].text.splitlines()[-1] for outputs in last)
    assert [float(word) for word in ada.split()] == pytest.approx([float(word) for word in alone.split()])
    assert ben == ada
