"""The benchmarks run through and compare like with like. How fast this machine is, no test says."""

import importlib
import json
import subprocess
from collections import Counter

import nbformat
import pytest
import torch
from nbformat import v4

from benchmarks import (
    ceiling,
    classes,
    cluster,
    depth,
    growth,
    likeness,
    measure,
    minutes,
    networks,
    packing,
    perplexity,
    pruning,
    records,
    seeds,
    selection,
    structured,
    submissions,
    table,
)
from benchmarks.__main__ import NAMES, main
from benchmarks.measure import fresh
from benchmarks.table import Row
from grader import course
from grader.grade import experiments
from grader.intake import admit
from labsupport import models
from labsupport.errors import LabError

TINY = (models.TINY,)


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The tiny model, the jobs run in this process, and nothing of the checkout is written to."""
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")
    monkeypatch.setattr(table, "KEPT", tmp_path / "kept")

    def here(job, **arguments):
        module, function = job.split(":")
        found = getattr(importlib.import_module(f"benchmarks.{module}"), function)(**arguments)
        return json.loads(json.dumps(found)) | {"wall": 1.0}

    for module in (perplexity, ceiling, selection, pruning, structured, depth, packing):
        monkeypatch.setattr(module, "fresh", here)
    return tmp_path


def small(name: str):
    """The smallest version of a benchmark."""
    return {
        "perplexity": lambda: perplexity.run(length=64, rounds=1),
        "ceiling": lambda: ceiling.run((64,), rounds=1),
        "selection": lambda: selection.run(TINY, rounds=1),
        "pruning": lambda: pruning.run(rounds=1),
        "structured": lambda: structured.run(rounds=1, shape="tiny"),
        "depth": lambda: depth.run(rounds=1),
        "packing": lambda: packing.run(rounds=1),
    }[name]()


@pytest.mark.lengthy
@pytest.mark.parametrize(
    "name", ["perplexity", "ceiling", "selection", "pruning", "structured", "depth", "packing"]
)
def test_runs_through(tiny, name):
    """Every row has a baseline, ours, and a ratio that is above 0."""
    rows, _ = small(name)
    assert len(rows) >= 2
    for row in rows:
        assert row.ratio > 0, row
        assert row.baseline[0].isdigit(), row
        assert row.ours[0].isdigit(), row


def test_other_blocks_are_no_comparison(tiny, monkeypatch):
    """Codes that are one too high in a hundredth of the bytes, and no ratio is given."""
    right = packing.packed

    def wrong(way, weight):
        blocks = right(way, weight).copy()
        blocks[:, 5::100] ^= way == "ours"
        return blocks

    monkeypatch.setattr(packing, "packed", wrong)
    with pytest.raises(LabError, match="not those of gguf"):
        small("packing")


def test_other_channels_are_no_comparison(tiny, monkeypatch):
    """One layer pruned by another criterion, and no ratio is given."""
    monkeypatch.setattr(structured, "_ours", lambda model, layers: structured.prune(model, layers, "l2"))
    with pytest.raises(LabError, match="not what torch-pruning leaves"):
        small("structured")


@pytest.mark.lengthy
def test_seeds_draw_anew(tiny, monkeypatch, capsys):
    """Equal seeds train alike, others do not: else the spread in lab 06 would be that of the machine."""
    monkeypatch.setattr(seeds, "SEEDS", (0, 0, 1))
    names = ("lab 08, blocks, random, 30%", "lab 06, Wanda 50 %", "lab 10, by teacher")
    short = {name: seeds.DRAWS[name]._replace(steps=2 * bool(seeds.DRAWS[name].steps)) for name in names}
    monkeypatch.setattr(seeds, "DRAWS", short)
    seeds.main([])
    table = capsys.readouterr().out.splitlines()[-len(short) :]
    for name, line in zip(short, table, strict=True):
        assert line.startswith(name)
        _, one, again, other, *_ = line.removeprefix(name).split()
        assert one == again != other


@pytest.mark.parametrize("way", selection.WAYS)
def test_a_selection_with_other_masks_is_no_comparison(tiny, monkeypatch, way):
    """One weight more or less, on either side, and no ratio is given."""
    right = selection.WAYS[way]

    def one_wrong(score):
        mask = right(score).clone()
        mask[0, score[0].argmax()] = False
        return mask

    monkeypatch.setitem(selection.WAYS, way, one_wrong)
    with pytest.raises(LabError, match="q_proj"):
        small("selection")


@pytest.mark.lengthy
@pytest.mark.parametrize("way", pruning.WAYS)
def test_a_pruning_with_other_masks_is_no_comparison(tiny, monkeypatch, way):
    """A layer that keeps all its weights is found."""
    right = pruning.WAYS[way]

    def one_layer_dense(model, batches):
        masks = right(model, batches)
        return masks | {"model.layers.1.mlp.up_proj": torch.ones(80, 48, dtype=torch.bool)}

    monkeypatch.setitem(pruning.WAYS, way, one_layer_dense)
    with pytest.raises(LabError, match="up_proj"):
        small("pruning")


def test_another_perplexity_is_no_comparison(tiny, monkeypatch):
    """A loop that is faster because it measures something else wins nothing."""
    monkeypatch.setitem(perplexity.WAYS, "given", lambda model, windows: 1.0)
    with pytest.raises(LabError, match="differ"):
        small("perplexity")


@pytest.mark.lengthy
def test_a_class_is_mixed():
    """Twenty different files: 11 right, 5 mistaken, and four that came to less, one of them damaged."""
    mix = submissions.mixed()
    assert len(mix) == len(set(mix.values())) == submissions.COUNT
    kinds = [student.partition("-")[0] for student in mix]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "right": 11, "wrong": 5, "begun": 1, "untouched": 1, "endless": 1, "damaged": 1,
    }  # fmt: skip
    released = nbformat.read(course.notebook(submissions.LAB), as_version=4)
    refused = [s for s, raw in mix.items() if isinstance(admit.admit(raw, released), admit.Refused)]
    assert refused == ["damaged"]


@pytest.mark.lengthy
def test_answers_are_functions_of_their_own_name():
    """As students write them; of another form the grader would run all experiments for the grade."""
    released = nbformat.read(course.notebook(submissions.LAB), as_version=4)
    for student, text in submissions.mixed().items():
        if student != "damaged":
            assert experiments.spared(nbformat.reads(text.decode(), as_version=4), released), student


def test_a_deadline_simulated():
    """With one worker all waits for it, with many for the writer; one worker more never ends later."""
    assert cluster.simulated(1, 10, 0, count=100) >= 1000
    assert cluster.simulated(100, 1, 60, count=100) >= 6000
    ends = [cluster.simulated(workers, 30, 0.1, count=500) for workers in range(1, 12)]
    assert ends == sorted(ends, reverse=True) and ends[0] > ends[-1]
    few, many = cluster.needed(10, 0.1), cluster.needed(20, 0.1)
    assert cluster.simulated(few, 10, 0.1) <= cluster.HOUR + cluster.LATE
    assert cluster.simulated(few - 1, 10, 0.1) > cluster.HOUR + cluster.LATE
    assert few < many
    with pytest.raises(LabError, match="One writer at 1.00 s"):
        cluster.needed(10, 1)


def test_networks_need_root(monkeypatch, tmp_path):
    """Without it the other benchmarks go on, and the table says what was not measured."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(LabError, match="need root"), networks.cluster(tmp_path, 1):
        pass
    rows, (said,) = cluster.run()
    assert not rows and "not measured" in said and "need root" in said


@pytest.mark.lengthy
def test_a_class_that_fails_is_no_comparison(monkeypatch):
    """A way that is fast because the students' code does not run there wins nothing."""
    result = {"wall": 1.0, "phases": {}, "peak": 1, "full": ["right-1"]}
    monkeypatch.setattr(classes, "once_plain", lambda *_: result)
    monkeypatch.setattr(classes, "once_ours", lambda *_: result | {"full": []})
    with pytest.raises(LabError, match="right-1.* did not get all points with ours:"):
        classes.run(2, 20, 20)


def test_plain_nbgrader_is_weighed_by_what_the_class_has():
    """Of 200 one loops, and a kind's seconds count once for each who is of that kind."""
    crowd = submissions.crowd(200)
    kinds = Counter(submissions.kind(student) for student in crowd)
    assert kinds.keys() == submissions.mixed().keys() and len(set(crowd.values())) == 200
    shares = Counter(kind.partition("-")[0] for kind in kinds.elements())
    assert shares == {"right": 140, "wrong": 40, "begun": 5, "untouched": 5, "endless": 1, "damaged": 9}
    plain = {"wall": 1000.0, "each": dict.fromkeys(kinds, 10.0) | {"endless-loop": 300.0}}
    assert classes.weighed(plain, crowd)["wall"] == 1000 - 490 + 199 * 10 + 300
    assert not any("loop" in student for student in submissions.crowd(60, loop=False))


@pytest.mark.alone
@pytest.mark.slow
def test_classes(monkeypatch):
    """One right and one mistaken submission with every way; one that answers a single exercise."""
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")
    monkeypatch.setattr(submissions, "crowd", lambda count, loop=True: {
        f"{number}-{kind}": text for number, (kind, text) in enumerate(submissions.mixed(count).items())
    })  # fmt: skip
    rows, notes = classes.run(count=2, large=2, calm=2, cell_seconds=60)
    assert len(rows) == 6
    assert all(row.ratio > 0 for row in rows)
    _, more = growth.run(sizes=(1,))
    for note in [*notes[:-1], *more]:
        assert all(phase in note for phase in classes.PHASES), note


@pytest.mark.thorough
@pytest.mark.lengthy
def test_growth(monkeypatch):
    """Each size is compared with the one before, by what a submission costs; all of them must earn points."""
    cost = {1: 10.0, 10: 20.0, 100: 400.0}
    monkeypatch.setattr(growth, "once_ours", lambda mix, *_: {
        "wall": cost[len(mix)], "phases": {"code": 1.0}, "peak": 1, "scores": [growth.POINTS] * len(mix)
    })  # fmt: skip
    rows, _ = growth.run(sizes=(1, 10, 100))
    assert [row.ratio for row in rows if "time" in row.what] == [0.2, 2.0]
    monkeypatch.setattr(growth, "once_ours", lambda *_: {"wall": 1.0, "scores": [growth.POINTS, 0.0]})
    with pytest.raises(LabError, match="Of 2 submissions 1 got"):
        growth.run(sizes=(2,))


@pytest.mark.thorough
@pytest.mark.lengthy
def test_failed_measurement_says_why():
    """What goes wrong in the other process is one sentence here."""
    with pytest.raises(LabError, match="selection:measure failed: KeyError: 'guess'"):
        measure.fresh("selection:measure", way="guess", name=models.TINY, folder=".")


def test_jobs_take_turns():
    """A machine that slows down is no advantage to either: A B A B, and the medians."""
    heard, clock = [], iter(range(100))

    def job(name):
        return lambda: heard.append(name) or {"seconds": next(clock), "who": name}

    found = measure.in_turn({"a": job("a"), "b": job("b")}, rounds=3)
    assert heard == ["a", "b"] * 3
    assert found == {"a": {"seconds": 2, "who": "a"}, "b": {"seconds": 3, "who": "b"}}


def test_the_table_is_written_whole(tiny, monkeypatch, capsys):
    """One benchmark run again replaces its rows; another machine's go; what is printed is the file."""
    monkeypatch.setattr(selection, "run", lambda: ([Row("masks", "8 ms", "1 ms", 8.0, ">= 8")], ["A note."]))
    table.keep("pruning", [Row("a model", "14 s", "10 s", 1.4)], [])
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(table, "machine", lambda: "another machine")
        table.keep("growth", [Row("not here", "1 s", "1 s", 1.0)], [])
    file = tiny / "new" / "RESULTS.md"
    assert main(["selection", "--file", str(file)]) == 0
    lines = file.read_text().splitlines()
    assert capsys.readouterr().out.strip() == file.read_text().strip()
    assert [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| ")][
        2:
    ] == [
        ["masks", "8 ms", "1 ms", "8.00", ">= 8"],
        ["a model", "14 s", "10 s", "1.40", ""],
    ]
    assert table.machine() in file.read_text()
    assert "- A note." in lines


def test_what_was_measured_before_an_interrupt(tiny, monkeypatch):
    """It is in the file."""

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(selection, "run", lambda: ([Row("masks", "8 ms", "1 ms", 8.0, ">= 8")], []))
    monkeypatch.setattr(pruning, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        main(["selection", "pruning", "--file", str(tiny / "RESULTS.md")])
    assert "| masks" in (tiny / "RESULTS.md").read_text()


@pytest.mark.thorough
@pytest.mark.lengthy
def test_bad_words(tiny, monkeypatch, capsys):
    """An unknown benchmark, or a measurement that fails, is one sentence and a 2; the old table stays."""
    file = tiny / "RESULTS.md"
    file.write_text("old")
    assert main(["speed", "--file", str(file)]) == 2
    assert "no benchmark called 'speed'" in capsys.readouterr().err
    monkeypatch.setattr(selection, "run", lambda: measure.fresh("selection:nothing"))
    assert main(["selection", "--file", str(file)]) == 2
    assert "failed" in capsys.readouterr().err
    assert file.read_text() == "old"


@pytest.mark.lengthy
def test_minutes(monkeypatch):
    """A check is no other cell, a cell with a bar is not the longest silence, and a lab's cells add up."""
    source = v4.new_notebook(cells=[
        v4.new_markdown_cell("Prose."),
        v4.new_code_cell("import time; time.sleep(0.6); print('\\r 50%|#####     |')"),
        v4.new_code_cell("import time; time.sleep(0.2)"),
        v4.new_code_cell("check = time.sleep(0.1)", metadata={"nbgrader": {"grade": True}}),
    ])  # fmt: skip
    monkeypatch.setattr(minutes.course, "labs", lambda: ["00_alone"])
    monkeypatch.setattr(minutes.notebooks, "source_notebook", lambda lab: source)
    rows, _ = minutes.run()
    found = {row.what: row.ratio for row in rows}
    assert set(found) == {
        "00_alone: all cells", "00_alone: peak memory",
        "the longest check: 00_alone, `check = time.sleep(0.1)`",
        "the longest cell without a bar: 00_alone, `import time; time.sleep(0.2)`",
    }  # fmt: skip
    assert found["00_alone: all cells"] * minutes.LAB >= 0.9


def test_records(monkeypatch):
    """A command that costs the same whatever lies there has another goal than one that reads everything."""
    cost = {1: {"grades": 1.0, "grade one more": 2.0}, 10: {"grades": 5.0, "grade one more": 2.0}}
    monkeypatch.setattr(records, "_course", lambda size: {
        what: {"seconds": seconds, "peak": 10 * size} for what, seconds in cost[size].items()
    })  # fmt: skip
    rows, _ = records.run((1, 10))
    assert [(row.ratio, row.goal) for row in rows if "time" in row.what] == [(5.0, "<= 10"), (1.0, "<= 1.2")]


@pytest.mark.slow
def test_records_for_real(monkeypatch):
    """A student graded and entered, and one who comes later: each command runs there, and says its cost."""
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")
    found = records._course(1)
    assert len(found) == 5
    assert all(cost["seconds"] > 0 and cost["peak"] > 0 for cost in found.values())


@pytest.mark.thorough
@pytest.mark.lengthy
def test_likeness(monkeypatch, tmp_path):
    """Students who differ are compared, and of two who wrote the same the pair is seen."""
    first, second = likeness.students(2)
    assert first != second
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path))
    fresh("ours:release", folder=str(tmp_path))
    submissions.hand_in(tmp_path, {"ada": first, "cleo": second})
    differ = likeness.compare(str(tmp_path))
    submissions.hand_in(tmp_path, {"ben": first.replace(b"student 0", b"ben")})
    found = likeness.compare(str(tmp_path))
    assert found["pairs"] >= differ["pairs"] + 1 and found["seconds"] > 0 and found["peak"] > 0


def test_make_benchmark():
    """`make benchmark` sets up what it needs and runs them all."""
    command = ["make", "--no-print-directory", "-n", "benchmark"]
    plan = subprocess.run(command, cwd=course.ROOT, capture_output=True, text=True)
    assert plan.stdout.rstrip().endswith("-m benchmarks")
    assert set(NAMES) == {
        "feedback",
        "cluster",
        "classes",
        "growth",
        "perplexity",
        "ceiling",
        "selection",
        "pruning",
        "structured",
        "depth",
        "packing",
        "peers",
        "minutes",
        "records",
        "likeness",
        "card",
    }
