"""The reference numbers that no lab measures itself, such as lab 12's, and what they say of the methods."""

import math
import warnings

import pytest
import torch

from grader.author import reference
from labsupport import (
    amounts,
    challenge,
    comparison,
    container,
    corpora,
    expected,
    linears,
    models,
    residual,
    settings,
    zeroshot,
)
from labsupport.given import blocks
from labsupport.given.depth import block_influence, drop_blocks
from labsupport.given.input_norms import input_norms
from labsupport.given.masks import magnitude_masks
from labsupport.given.perplexity import perplexity
from labsupport.given.wanda import wanda_masks
from labsupport.tasks import addresses
from tests.course.test_references import WITHIN

pytestmark = [pytest.mark.notebook, pytest.mark.slow]

# Trainings repeat rounding thousands of times, and so does SparseGPT: a wider part of the reference.
LOOSER = {"LoRA": 0.03, "teacher": 0.03, "SparseGPT": 0.03, "SparseGPT 2:4": 0.06}


@pytest.mark.parametrize("method", expected.METHODS[4, 4])
def test_a_method_alone(method):
    """Its file to the digit that is shown, and its perplexity."""
    chosen = comparison.setting("smollm2-135m", limit=1)
    row = comparison.Bench(chosen).row(method)
    megabytes, value = expected.METHODS[4, 4][method]
    assert round(comparison.file_bytes(chosen, row) / 1e6, 1) == megabytes
    limit = max((share for part, share in LOOSER.items() if part in method), default=WITHIN)
    assert row.perplexity == pytest.approx(value, rel=limit)


@pytest.mark.parametrize("name", expected.FILES[4, 4])
def test_a_file(name):
    """Its bytes exactly, and its perplexity."""
    model = models.load("smollm2-135m", dtype=torch.float32)
    dropped = "block" in name
    size = (
        int(name.split("groups of ")[1].split(",")[0])
        if name.startswith("4 bits")
        else 32
        if dropped
        else 192
    )
    found = parts(model, size, gptq=size == 192, mlp=(3, 64) if "3 bits" in name else None)
    if dropped:
        hidden = residual.stream(models.load("smollm2-135m"), windows("calibration", 4))
        least = int(block_influence(hidden).argmin())
        found = {key: part for key, part in found.items() if f"layers.{least}." not in key}
        found["dropped"] = torch.tensor([least])
    file = container.encode(found, models.config("smollm2-135m"))
    size, value = expected.FILES[4, 4][name]
    assert len(file) == size
    assert challenge.perplexity(file, windows("evaluation", 4)) == pytest.approx(value, rel=WITHIN)


def parts(model, group: int, gptq: bool, mlp: tuple[int, int] | None) -> dict[str, torch.Tensor]:
    """The tensors of a file of four bits in groups, by lab 12's own rounding.

    gptq: round so that later columns make up for it, on inputs that are rounded already. mlp: bits and
    group of gate and up, where they differ.
    """
    rounded = reference.functions("12_challenge")["smallest_file"].__globals__["rounded"]
    found = {name: weight.half() for name, weight in model.named_parameters() if weight.dim() == 1}

    def pack(name: str, owner, hessian=None) -> None:
        bits, size = mlp if mlp and ("gate" in name or "up_proj" in name) else (4, group)
        codes, scale, zero, weight = rounded(owner.weight, bits, size, hessian)
        found.update({f"{name}.codes{bits}": codes, f"{name}.scale": scale, f"{name}.zero": zero})
        owner.weight.copy_(weight)

    def on_arrival(name: str):
        def hook(linear, inputs) -> None:
            x = inputs[0].flatten(0, 1)  # [tokens, in]
            pack(name, linear, x.T @ x)

        return hook

    with torch.no_grad():
        pack("model.embed_tokens.weight", model.get_input_embeddings())
        for name, linear in linears.pruned_linears(model).items():
            if gptq:
                linear.register_forward_pre_hook(on_arrival(f"{name}.weight"))
            else:
                pack(f"{name}.weight", linear)
        if gptq:
            model.model(windows("calibration", 4), use_cache=False)
    return found


def windows(part: str, count: int) -> torch.Tensor:
    """int64 [count, 512] of the course's text."""
    now = settings.CPU
    return corpora.windows(now.text, models.tokenizer(now.model), part, now.window, count)


@pytest.mark.parametrize("method", ["magnitude", "wanda"])
def test_sixteen_windows(method):
    """What labs 02 to 04 show beside the student's numbers where there is a GPU."""
    model, evaluation = models.load("smollm2-135m", dtype=torch.float32), windows("evaluation", 16)
    norms = input_norms(model, list(windows("calibration", 16)[:, None]))
    for sparsity, value in expected.PERPLEXITY[16, 16][method].items():
        made = (
            magnitude_masks(model, sparsity) if method == "magnitude" else wanda_masks(model, norms, sparsity)
        )
        with linears.masked(model, made):
            assert perplexity(model, evaluation) == pytest.approx(value, rel=WITHIN), sparsity
    if method == "wanda":
        for name, ratio in expected.NORMS[16].items():
            assert float(norms[name].max() / norms[name].median()) == pytest.approx(ratio, rel=WITHIN)


def test_the_blocks_that_one_window_would_drop():
    """Told in lab 10: other blocks, and another perplexity."""
    model = models.load("smollm2-135m")
    influence = block_influence(residual.stream(model, windows("calibration", 4)[:1]))
    six = sorted(influence.argsort()[:6].tolist())
    assert six == [3, 12, 13, 14, 15, 17]
    drop_blocks(model, [index for index in range(len(influence)) if index not in six])
    assert perplexity(model, windows("evaluation", 4)) == pytest.approx(49.1, rel=WITHIN)


@pytest.mark.parametrize("method", amounts.OTHERS)
def test_the_other_curves_of_lab_08(method, tmp_path):
    """One that is trained repeats rounding, too. Of the draws the first is measured again."""
    curves = amounts.measure(comparison.setting("smollm2-135m"), tmp_path / "amounts.json", [method])
    measured = {round(100 * share, 1): value for share, value in curves[method].items()}
    limit = max((share for part, share in LOOSER.items() if part in method), default=WITHIN)
    first = {share: draws[0] for share, draws in expected.OTHERS_BY_SHARE[4, 4][method].items()}
    assert measured == pytest.approx(first, rel=limit)


@pytest.mark.timeout(900)
def test_the_task_tells_pruned_from_dense():
    """Dense is far above chance and far above magnitude at 50 %; both are as expected.py says."""
    model, tokenizer = models.load("smollm2-135m"), models.tokenizer("smollm2-135m")
    dense = zeroshot.evaluate(model, tokenizer, ["addresses"])["addresses"]
    linears.apply_masks(model, magnitude_masks(model, 0.5))
    pruned = zeroshot.evaluate(model, tokenizer, ["addresses"])["addresses"]
    for name, found in (("dense", dense), ("magnitude", pruned)):
        for measured, number in zip((found.acc, found.acc_norm), expected.ZERO_SHOT[name], strict=True):
            assert measured is not None and abs(measured - number) <= 2 / addresses.COUNT  # near ties
    for measure in ("acc", "acc_norm"):
        one, other = (getattr(each, measure) for each in (dense, pruned))
        errors = [getattr(each, f"{measure}_stderr") for each in (dense, pruned)]
        assert one - 3 * errors[0] > 0.25
        assert one - other > 3 * math.hypot(*errors)


def test_taylor_beats_random_and_l1():
    """On the embedded model at 20 %, gradients find what matters; magnitudes are worse than chance."""
    tokenizer = models.tokenizer("smollm2-135m")
    evaluation = corpora.windows("sotu", tokenizer, "evaluation", settings.CPU.window, 2)
    batches = list(corpora.windows("sotu", tokenizer, "calibration", settings.CPU.window, 2)[:, None])
    found = {}
    for criterion in ("taylor", "random", "l1"):
        model = models.load("smollm2-135m", "cpu", torch.float32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            blocks.prune_blocks(model, 0.2, range(4, 26), criterion, batches)
        found[criterion] = perplexity(model, evaluation)
    assert found["taylor"] < found["random"] < found["l1"]
