"""bfloat16 for the course model: on a card alone, its sums in float32, its references its own."""

import pytest
import torch

from grader.sandbox import bwrap
from labsupport import __main__ as command
from labsupport import expected, machine, models, settings
from labsupport.check.ask import recipes, shared
from labsupport.check.judge.kit import memo
from labsupport.errors import LabError
from labsupport.given.input_norms import input_norms
from labsupport.given.perplexity import perplexity
from labsupport.linears import pruned_linears
from tests.gpu.test_cuda_judges import ON_A_MODEL, of, told
from tests.sample import few

pytestmark = pytest.mark.gpu
WINDOWS = torch.randint(256, (3, 40), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def half(monkeypatch, card):
    """A card, and the setting."""
    monkeypatch.setenv("PRUNING_LABS_DTYPE", "bfloat16")


@pytest.mark.usefixtures("tiny_course", "half")
def test_the_course_model_is_in_bfloat16():
    """Both sides of the socket know it; models of single functions stay in float32."""
    assert recipes.model(recipes.course_model()).dtype is torch.bfloat16
    assert recipes.model({"tiny": 0}).dtype is torch.float32
    assert machine.here().dtype == "bfloat16"
    assert bwrap.inside(None)["PRUNING_LABS_DTYPE"] == "bfloat16"


@pytest.mark.usefixtures("tiny_course", "half")
def test_the_examiner_is_asked_for_perplexities():
    """Weights in bfloat16 are compared with the stored ones, as the zygote reads them: numpy has none."""
    shared.stored.cache_clear()
    model, windows = (
        recipes.model(recipes.course_model()),
        recipes.windows(recipes.course_windows("evaluation")),
    )
    for linear in pruned_linears(model).values():
        linear.weight[:, ::2] = 0
    masks = shared.course_masks(model, windows.to("cuda"))
    assert masks is not None and masks.keys() == pruned_linears(model).keys()
    next(iter(pruned_linears(model).values())).weight[0, 1] *= 1.01  # the next number in bfloat16
    assert shared.course_masks(model, windows.to("cuda")) is None
    shared.stored.cache_clear()


def test_a_cpu_computes_in_float32(monkeypatch):
    """Always; that is said, and the sizes and references are those of every other CPU."""
    monkeypatch.setenv("PRUNING_LABS_DEVICE", "cpu")
    usual = settings.current()
    monkeypatch.setenv("PRUNING_LABS_DTYPE", "bfloat16")
    assert settings.current() == usual
    assert "a CPU computes in float32" in settings.note()
    monkeypatch.delenv("PRUNING_LABS_DTYPE")
    assert "float32" not in settings.note()


@pytest.mark.usefixtures("card")
def test_another_dtype_is_one_sentence(monkeypatch):
    monkeypatch.setenv("PRUNING_LABS_DTYPE", "float16")
    with pytest.raises(LabError, match="is 'float16'; it may be float32 or bfloat16"):
        settings.current()


@pytest.mark.usefixtures("card")
def test_references_are_kept_for_each_dtype(monkeypatch):
    """No number of a model in float32 is compared with one in bfloat16; the printed ones are of a CPU."""
    monkeypatch.setattr(settings, "CUDA", settings.CPU)
    key, known = memo.key("perplexity", {}, {}), expected.perplexity("dense")
    monkeypatch.setenv("PRUNING_LABS_DTYPE", "bfloat16")
    assert known and not expected.perplexity("dense")
    assert memo.key("perplexity", {}, {}) != key


@pytest.mark.usefixtures("half")
def test_perplexity_is_summed_in_float32():
    """As of the same logits in double precision: sums in bfloat16 would be off by percents."""
    model = models.load("tiny")
    assert model.dtype is torch.bfloat16
    total = 0.0
    for window in WINDOWS:
        logits = model(window[None].to(model.device)).logits[0, :-1].cpu().double()
        total -= logits.log_softmax(dim=-1).gather(1, window[1:, None]).sum().item()
    exact = torch.tensor(total / (3 * 39)).exp().item()
    assert perplexity(model, WINDOWS) == pytest.approx(exact, rel=1e-5)


@pytest.mark.usefixtures("half")
def test_norms_are_summed_in_float32():
    """As of the same inputs in double precision."""
    model = models.load("tiny")
    squares = {}

    def hear(name):
        return lambda _, inputs: squares.update({name: inputs[0].cpu().double().square().sum(dim=(0, 1))})

    handles = [each.register_forward_pre_hook(hear(name)) for name, each in pruned_linears(model).items()]
    found = input_norms(model, [WINDOWS])
    for handle in handles:
        handle.remove()
    for name, norm in found.items():
        assert norm.dtype is torch.float32
        assert torch.allclose(norm.cpu().double(), squares[name].sqrt(), rtol=1e-5)


@pytest.mark.lengthy
@pytest.mark.usefixtures("tiny_course", "half")
@pytest.mark.parametrize("exercise", few(ON_A_MODEL, of=ON_A_MODEL[:2]))
def test_right_answers_are_right(exercise):
    """Whatever the order of their sums."""
    for function in of(exercise, right=True):
        found = told(exercise, function)
        assert found.share == 1, (function.__name__, found.message())


def test_what_fits_on_a_card(capsys):
    """TinyLlama, dense and pruned side by side: 12 GB in float32, 8 in bfloat16."""
    assert command.main(["plan", "tinyllama-1.1b-chat", "--ratio", "0.3", "--layers", "4:18"]) == 0
    said = {line.split()[0]: line.split()[-2:] for line in capsys.readouterr().out.splitlines() if line}
    assert said["float32"] == ["12", "GB"] and said["bfloat16"] == ["8", "GB"]
