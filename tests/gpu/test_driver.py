"""What a sandbox gets of a GPU, and what a class does to the memory of a card."""

import gc
import io
import sys

import pytest
import torch
from transformers import LlamaForCausalLM

from grader.sandbox import bwrap, devices
from grader.sandbox.inside import zygote
from grader.sandbox.zygote_client import quiet
from labsupport import models, settings
from labsupport.check.ask import recipes, shared
from labsupport.check.judge.kit import masked, memo
from tests.gpu.test_cuda_judges import of, told

pytestmark = pytest.mark.gpu
MAPS = """\
7f1 r-xp 00 08:01 1 /usr/lib/x86_64-linux-gnu/libc.so.6
7f2 r-xp 00 08:01 2 {}/libcuda.so.550.90
7f3 rw-p 00 00:00 0
"""


def test_nothing_is_bound_on_a_cpu(monkeypatch):
    """Also where there is a GPU, when the instructor names the CPU."""
    monkeypatch.setenv("PRUNING_LABS_DEVICE", "cpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert devices.binds() == []
    assert "CUDA_VISIBLE_DEVICES" not in bwrap.inside(None)


@pytest.mark.usefixtures("card")
def test_the_card_is_the_same_inside(monkeypatch):
    """By number: what hides and orders cards out here does so in there; WSL's device is bound."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    inside = bwrap.inside(None)
    assert (inside["CUDA_VISIBLE_DEVICES"], inside["CUDA_DEVICE_ORDER"]) == ("1,0", "PCI_BUS_ID")
    assert "/dev/dxg" in devices.binds()
    assert "NVIDIA_TF32_OVERRIDE" not in inside and "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE" not in inside


def test_a_driver_outside_usr(tmp_path, monkeypatch):
    """Its own files are bound, and nothing else of the folder."""
    for name in ("libcuda.so.550.90", "libcuda.so.1", "libnvidia-ml.so.1", "diary.txt", "libc.so"):
        (tmp_path / name).touch()
    found = devices.libraries(MAPS.format(tmp_path).splitlines())
    names = ["libcuda.so.1", "libcuda.so.550.90", "libnvidia-ml.so.1"]
    found = sorted(found)
    assert found == [str(tmp_path / name) for name in names]
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/usr/lib:{tmp_path}")
    assert sorted(devices.libraries([])) == found
    assert sorted(devices.libraries(MAPS.format("/usr/lib/x86_64-linux-gnu").splitlines())) == found
    monkeypatch.delenv("LD_LIBRARY_PATH")
    assert devices.libraries(MAPS.format("/usr/lib/x86_64-linux-gnu").splitlines()) == []


def test_the_zygote_touches_no_card(monkeypatch):
    """A name alone gives the sizes of a GPU, without a call to CUDA; what touched it never forks."""
    monkeypatch.setenv("PRUNING_LABS_DEVICE", "cuda:1")
    monkeypatch.setattr(settings, "device", lambda: pytest.fail("this would initialise CUDA"))
    assert settings.current() == settings.CUDA
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    assert zygote.touched()
    monkeypatch.setattr(zygote, "load", lambda *_: None)
    monkeypatch.setattr(zygote, "running", lambda: ["python"])
    about = '{"modules": "/", "cache": "/", "model": false, "withheld": []}\n'
    monkeypatch.setattr(sys, "stdin", io.StringIO(about))
    before = [*sys.path]
    try:
        with pytest.raises(SystemExit, match="initialised CUDA"):
            zygote.main()
    finally:
        sys.path[:] = before


@pytest.mark.usefixtures("card")
def test_the_zygote_is_told_the_card():
    assert quiet()["PRUNING_LABS_DEVICE"] == "cuda:0"


@pytest.mark.usefixtures("card", "tiny_course")
def test_weights_in_the_hosts_memory(monkeypatch):
    """The zygote keeps the model and the stored weights there; a child's first load moves to the card."""
    monkeypatch.setattr(models, "_ready", {})
    shared.stored.cache_clear()
    kept = models.tiny()
    monkeypatch.setattr(models, "TINY", "-")  # the tiny model stands for one with a file
    monkeypatch.setattr(models, "_readable", lambda *_: pytest.fail("read twice"))
    models._ready["tiny", torch.float32] = kept
    assert models.load("tiny") is kept
    assert kept.device == torch.device("cuda", 0)
    assert models._ready == {}


@pytest.mark.usefixtures("card", "tiny_course")
def test_stored_weights_are_compared_on_the_cpu():
    """And the masks of a pruned model on the card are the same."""
    shared.stored.cache_clear()
    model = recipes.model(recipes.course_model())
    windows = recipes.windows(recipes.course_windows("evaluation"))
    for linear in shared.pruned_linears(model).values():
        with torch.no_grad():
            linear.weight[:, ::2] = 0
    masks = shared.course_masks(model, windows.to("cuda"))
    assert masks is not None and len(masks) == len(shared.pruned_linears(model))
    assert {weight.device.type for weight, _ in shared.stored().values()} == {"cpu"}
    shared.stored.cache_clear()


@pytest.mark.lengthy
@pytest.mark.usefixtures("card", "tiny_course")
@pytest.mark.parametrize("exercise", ["prune_magnitude", "prune_wanda"])
def test_three_copies_of_the_weights(exercise, tmp_path, monkeypatch):
    """Judge and answer together, and one for the model of the notebook itself."""
    monkeypatch.setattr(memo, "folder", tmp_path)
    masked._kept.cache_clear()
    most, load = 0, models.load

    def counted(*arguments, **more):
        nonlocal most
        model = load(*arguments, **more)
        gc.collect()
        alive = [each for each in gc.get_objects() if isinstance(each, LlamaForCausalLM)]
        most = max(most, sum(each.device.type == "cuda" for each in alive))
        return model

    monkeypatch.setattr(models, "load", counted)
    told(exercise, of(exercise, right=True)[0])
    masked._kept.cache_clear()
    assert 1 <= most <= 2
