"""Which device is used: the one that is named, a GPU that works, else the CPU, with a sentence."""

import os
import re
import runpy
import subprocess
import sys

import pytest
import torch

from grader.course import ROOT
from labsupport import doctor, machine, models, settings
from labsupport.errors import LabError
from tests.gpu import standin
from tests.gpu.conftest import REAL

pytestmark = pytest.mark.gpu
CPU, FIRST = torch.device("cpu"), torch.device("cuda", 0)


@pytest.fixture
def unnamed(monkeypatch):
    """Nothing in the environment names a device."""
    monkeypatch.delenv("PRUNING_LABS_DEVICE", raising=False)


@pytest.fixture
def broken(card, unnamed, monkeypatch):
    """A GPU that torch sees, and that is too old for it."""
    real = torch.ones

    def ones(*shape, **more):
        if str(more.get("device", "cpu")).startswith("cuda"):
            raise RuntimeError("CUDA error: no kernel image is available for execution on the device")
        return real(*shape, **more)

    monkeypatch.setattr(torch, "ones", ones)
    settings._tried.cache_clear()
    yield
    settings._tried.cache_clear()


@pytest.mark.usefixtures("card", "unnamed")
def test_a_gpu_that_works_is_used():
    assert settings.device() == FIRST
    assert settings.note() == ""
    assert settings.current().evaluation_windows == settings.CUDA.evaluation_windows


@pytest.mark.usefixtures("broken")
def test_a_gpu_that_fails_is_left(monkeypatch):
    """With its reason, and the sizes of a CPU; but who names it is told that it fails."""
    assert settings.device() == CPU
    assert settings.current() == settings.CPU
    assert "torch cannot use it (CUDA error: no kernel image is available" in settings.note()
    monkeypatch.setenv("PRUNING_LABS_DEVICE", "cuda")
    with pytest.raises(LabError, match="cuda cannot be used: CUDA error: no kernel image") as caught:
        settings.device()
    assert "EXCLUSIVE_PROCESS" not in str(caught.value)


def test_a_card_for_one_process(card, unnamed, monkeypatch):
    """EXCLUSIVE_PROCESS is named, with the command that ends it, on either side of the socket."""

    def ones(*_, **__):
        raise RuntimeError("CUDA error: CUDA-capable device(s) is/are busy or unavailable")

    monkeypatch.setattr(torch, "ones", ones)
    settings._tried.cache_clear()
    ways = "EXCLUSIVE_PROCESS.*MPS.*nvidia-smi -c DEFAULT"
    assert re.search(ways, settings.note())
    monkeypatch.setenv("PRUNING_LABS_DEVICE", "cuda:0")
    with pytest.raises(LabError, match=ways):
        machine.here()
    assert re.search(ways, machine.told()["trouble"])
    settings._tried.cache_clear()


@pytest.mark.usefixtures("broken")
def test_doctor_says_so(monkeypatch):
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")
    monkeypatch.setattr(doctor, "window_seconds", lambda: (1.0, "measured"))
    monkeypatch.setattr(doctor.hub, "reachable", lambda: False)
    said = " ".join(doctor.report().split())
    assert "device CPU" in said
    assert "There is a GPU, and torch cannot use it (CUDA error: no kernel image" in said


@pytest.mark.skipif(REAL, reason="the stand-in has two cards")
@pytest.mark.usefixtures("card")
def test_a_named_card(monkeypatch):
    """cuda:1 is the second one, and there is no third."""
    monkeypatch.setenv("PRUNING_LABS_DEVICE", "cuda:1")
    assert settings.device() == models.load("tiny").device == torch.device("cuda", 1)
    monkeypatch.setenv("PRUNING_LABS_DEVICE", f"cuda:{standin.CARDS}")
    with pytest.raises(LabError, match="there are 2 CUDA devices here"):
        settings.device()


@pytest.mark.parametrize("name", [
    "gpu", "cuda:", "CPU", "cuda:one", "mps", " cpu", "cpu\n", "cuda:-1", "0", "cuda:01", "cuda:\u0663",
    "cuda:128", "cuda:256", f"cuda:{'9' * 20}",
])  # fmt: skip
def test_another_name(name, monkeypatch):
    """Told with the names that there are; of Apple's GPU, that it is left alone. For torch, 256 is card 0."""
    monkeypatch.setenv("PRUNING_LABS_DEVICE", name)
    with pytest.raises(LabError) as caught:
        settings.device()
    assert f"is {name!r}; it may be cpu, cuda or cuda:1." in str(caught.value)
    assert "\n" not in str(caught.value)
    assert ("Apple" in str(caught.value)) == (name == "mps")


@pytest.mark.parametrize("program", ["grader grade 02", "labsupport doctor"])
def test_commands_say_it_in_one_line(program, tmp_path, empty_course):
    """With the exit status of what was not done, and no traceback."""
    more = ["--device", "gpu"] if "grade " in program else []
    own = {**os.environ, "PRUNING_LABS_DEVICE": "" if more else "gpu"}
    command = [sys.executable, "-m", *program.split(), *more]
    done = subprocess.run(command, env=own, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "is 'gpu'; it may be cpu, cuda or cuda:1." in done.stderr


def test_apples_gpu_is_left_alone(unnamed, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert settings.device() == CPU
    assert "Apple's GPU is not used" in settings.note()


def test_a_variable_that_overrules_torch_is_dropped(monkeypatch):
    """Containers set it, and cuBLAS would round to TF32 whatever torch's own switch says."""
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    runpy.run_path(settings.__file__)
    assert "NVIDIA_TF32_OVERRIDE" not in os.environ


@pytest.mark.usefixtures("card")
def test_the_cpu_where_there_is_a_gpu(monkeypatch):
    monkeypatch.setenv("PRUNING_LABS_DEVICE", "cpu")
    assert settings.device() == models.load("tiny").device == CPU
