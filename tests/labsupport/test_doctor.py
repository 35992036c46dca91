"""The commands: does a person without Python knowledge get an answer, and never a traceback?"""

import subprocess
import sys

import pytest

from labsupport import __main__, doctor, models
from labsupport.fetch import hub

pytestmark = pytest.mark.alone


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """The tiny model, an empty cache and no network."""
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")
    monkeypatch.setenv("PRUNING_LABS_CACHE", str(tmp_path / "not" / "there" / "yet"))
    monkeypatch.setattr(hub, "reachable", lambda: False)


def test_doctor(capsys, tmp_path):
    """It says what this machine has and how long each lab takes, and makes nothing on the disk."""
    assert __main__.main(["doctor"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for word in ("device", "float32", "torch", "transformers", "tiny, sotu", "4 windows of 512", "(empty)",
                 "GB there", "GB of it free", "cannot be reached; the course needs none", "measured",
                 "minutes"):  # fmt: skip
        assert word in out
    assert all(lab in out for lab in doctor.LABS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("percent", "said"), [(90.0, True), (3.0, False)])
def test_doctor_on_a_busy_machine(percent, said, monkeypatch, capsys):
    """What other programs take makes the minutes too many: that is said, and only then."""
    monkeypatch.setattr(doctor.psutil, "cpu_percent", lambda interval: percent)
    monkeypatch.setattr(doctor, "window_seconds", lambda: (1.0, "measured"))
    assert __main__.main(["doctor"]) == 0
    assert ("other programs take 90% of the processor" in capsys.readouterr().out) == said


@pytest.mark.parametrize("name", ["smollm2-135m", "tinyllama-1.1b-chat"])
def test_doctor_before_the_model_is_there(name, monkeypatch, capsys):
    """It fetches nothing: the time is estimated, and a model eight times larger takes longer."""
    monkeypatch.setenv("PRUNING_LABS_MODEL", name)
    monkeypatch.setattr(doctor, "operations_per_second", lambda: 100e9)
    monkeypatch.setattr(models, "location", lambda _name: pytest.fail("the model was asked for"))
    assert __main__.main(["doctor"]) == 0
    expected = {"smollm2-135m": "1.38 s", "tinyllama-1.1b-chat": "11.26 s"}[name]
    assert f"{expected} through the model (estimated" in capsys.readouterr().out


def test_speed_of_a_matrix_product(monkeypatch):
    """n x n x n products and as many sums, in the seconds that it took."""
    monkeypatch.setattr(doctor, "timed", lambda action: 0.5 if action() == 64 else 0)
    assert doctor.operations_per_second(64) == 2 * 64**3 / 0.5


def test_the_least_of_several_times_counts(monkeypatch):
    """What else ran during one of the measurements does not make every lab longer."""
    times = [5.0, 1.5, 3.0]
    monkeypatch.setattr(doctor, "timed", lambda _action: times.pop(0))
    assert doctor.window_seconds() == (1.5, "measured, the least of 3")


def test_doctor_lists_the_cache(monkeypatch, tmp_path):
    """What is stored is named with its size; drafts of a fetch that runs, and other folders, are not."""
    monkeypatch.setenv("PRUNING_LABS_CACHE", str(tmp_path))
    (tmp_path / "checks").mkdir()
    for name in ("smollm2-135m", ".smollm2-135m-abc"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(bytes(3_000_000))
    assert doctor.stored() == ["smollm2-135m 3 MB"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["fetch", "smolm2"], "There is no model called 'smolm2'. Known: smollm2-135m, "),
        (
            ["fetch", "tinyllama-1.1b-chat"],
            "TinyLlama/TinyLlama-1.1B-Chat-v1.0 is on the model hub, ",
        ),
        (["fetch", "ptb"], "ptb-text-only/ptb_text_only is on the model hub, which cannot"),
    ],
)
def test_one_sentence(arguments, sentence, capsys, hub_cache):
    """What a person can mend is one line on standard error, and exit code 2."""
    assert __main__.main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith(sentence) and err.count("\n") == 1


def test_unknown_course_model(monkeypatch, capsys):
    """A misspelt PRUNING_LABS_MODEL is told by the doctor too."""
    monkeypatch.setenv("PRUNING_LABS_MODEL", "smolm2")
    assert __main__.main(["doctor"]) == 2
    assert capsys.readouterr().err.startswith("There is no model called 'smolm2'.")


def test_fetch(capsys, monkeypatch, tmp_path):
    """It says where the model is; the course model is meant when none is named."""
    assert __main__.main(["fetch"]) == 0
    assert "tiny is made in memory" in capsys.readouterr().out
    models.tiny().save_pretrained(tmp_path / "own")
    models.byte_tokenizer().save_pretrained(tmp_path / "own")
    assert __main__.main(["fetch", str(tmp_path / "own")]) == 0
    assert f"is ready in {tmp_path / 'own'}" in capsys.readouterr().out
    assert __main__.main(["fetch", "sotu"]) == 0
    assert "sotu, evaluation: 1" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), ([], 2), (["mend"], 2)])
def test_command_line(arguments, code):
    """--help explains the commands and the environment; a wrong command says which there are."""
    done = subprocess.run([sys.executable, "-m", "labsupport", *arguments], capture_output=True, text=True)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    said = done.stdout if code == 0 else done.stderr
    assert "doctor" in said or "COMMAND" in said
    if code == 0:
        assert done.stderr == "" and "PRUNING_LABS_CACHE" in said and "fetch" in said


def test_the_memory_of_a_container(monkeypatch):
    """In a container that may have 2 GB, the machine's 64 help nobody."""
    monkeypatch.setattr(doctor.control_groups, "memory", lambda: (2 * 10**9, 10**9))
    assert "2.0 GB, 1.0 GB of it free; labs need 8" in doctor.report()
