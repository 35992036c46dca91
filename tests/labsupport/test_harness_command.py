"""`lm_eval` as a command, in an environment that this project is not in, on a pruned folder."""

import json
import subprocess
from pathlib import Path

import lm_eval.tasks
import pytest
import torch

from labsupport import __main__ as command
from tests.course import bare
from tests.labsupport import small_hub

pytestmark = [pytest.mark.slow, pytest.mark.alone]


def ours(folder: str) -> tuple[dict, list]:
    """The results of `zeroshot`, and the log-probabilities of every document's choices."""
    place = Path(folder, "measured")
    found = json.loads((place / "zeroshot-openbookqa-all.json").read_text())["found"]["results"]["openbookqa"]
    return found, lines(place / "zeroshot-openbookqa-all.jsonl")


def lines(path: Path) -> list:
    """What was answered to every document, in their order."""
    found = sorted(map(json.loads, path.read_text().splitlines()), key=lambda each: each["doc_id"])
    return [[float(logprob) for logprob, _ in each["filtered_resps"]] for each in found]


def test_the_harness_as_a_command(offline, tmp_path):
    """Plain `lm_eval --model hf`: every log-probability, acc and acc_norm are those of `zeroshot`."""
    python = bare.environment(tmp_path / "plain", bare.closure())
    missing = subprocess.run([python, "-I", "-c", "import labsupport"], capture_output=True, text=True)
    assert "No module named 'labsupport'" in missing.stderr
    task = (Path(lm_eval.tasks.__file__).parent / "openbookqa/openbookqa.yaml").read_text()
    (documents,) = (tmp_path / "hub/datasets--allenai--openbookqa/snapshots").iterdir()
    task = task.replace("task: openbookqa", "task: mine")
    task = task.replace("dataset_path: allenai/openbookqa", f"dataset_path: {documents}")
    assert "task: mine" in task and str(documents) in task
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "mine.yaml").write_text(task)
    surroundings = {
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_CACHE": str(tmp_path / "theirs"),
        "HOME": str(tmp_path),
        "OMP_NUM_THREADS": str(torch.get_num_threads()),  # sums in the same order
    }
    for kind in small_hub.KINDS:
        dense = small_hub.saved(tmp_path / f"dense-{kind}", small_hub.model(kind))
        assert command.main(f"prune {dense} --to {kind} --criterion l2 --ratio 0.5 --layers 1:3".split()) == 0
        assert command.main(f"zeroshot {kind} --tasks openbookqa".split()) == 0
        done = subprocess.run(
            [python, "-I", "-m", "lm_eval", "--model", "hf",
             "--model_args", f"pretrained={Path(kind).absolute()},trust_remote_code=True",
             "--tasks", "mine", "--include_path", str(tmp_path / "tasks"), "--device", "cpu",
             "--batch_size", "16", "--output_path", str(tmp_path / f"theirs-{kind}"), "--log_samples"],
            cwd=tmp_path, capture_output=True, text=True,
            env=surroundings,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        (results,) = (tmp_path / f"theirs-{kind}").rglob("results_*.json")
        theirs = json.loads(results.read_text())["results"]["mine"]
        (samples,) = (tmp_path / f"theirs-{kind}").rglob("samples_*.jsonl")
        found, answers = ours(kind)
        for measure in ("acc,none", "acc_norm,none"):
            assert theirs[measure] == found[measure]
        assert lines(samples) == answers
