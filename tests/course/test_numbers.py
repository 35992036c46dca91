"""Each number that a lab's text tells is printed by its cells, follows from shapes, or has a source here."""

import re
from functools import cache
from typing import Any

import pytest
from nbformat import v4
from transformers import LlamaConfig

from grader.author import notebooks
from labsupport import models, recovery
from labsupport.given.macs import attention_macs
from labsupport.given.plans import plan
from tests.course.lab_runs import ON_COURSE_MODEL

# Numbers that no cell prints and none sets: definitions, sums on paper, and what others measured.
ELSEWHERE: dict[str, dict[str, str]] = {
    "00_start_here": {
        "0.25": "a hint's own small mask",
        "93": "the wheel that holds the course model, in MB",
    },
    "01_perplexity": {
        "0.24": "a line of code and its sum",
        "1.55": "the same",
        "1.79": "0.24 + 1.55",
        "2.0": "a tensor in that line",
        "0.0": "the same",
        "65,504": "the largest float16",
        "125": "MobileLLM, section 1",
        "24.9": "a made-up table in question 1",
        "25.6": "the same",
        "50": "MobileLLM, section 1",
    },
    "02_magnitude_pruning": {
        "6.4": "JEDEC JESD209-5, LPDDR5",
        "0.1": "a made-up example of budgets",
        "0.8": "the same",
        "0.001": "0.1 / 100 weights",
        "0.008": "0.8 / 100 weights",
        "0.04": "35 % of 400 weights over their sum of 10, 5 and 10",
        "0.4": "0.04 * 10",
        "0.2": "0.04 * 5",
        "0.6": "60 / 100 weights",
        "51": "6.4 billion * 64 bits",
        "64": "JEDEC JESD209-5, LPDDR5",
        "70": "a sparsity to try",
        "80": "0.4 * 200 weights",
        "300": "the 100 weights of A and the 200 of C",
        "360": "90 % of 400 weights",
        "81": "Blalock et al. 2020, papers compared",
        "100": "a made-up example of budgets",
        "200": "the same",
        "400": "the same: all weights",
    },
    "03_wanda_calibration": {
        "0.14": "7 GB at 51 GB a second",
        "0.27": "14 GB at 51 GB a second",
        "3000": "a number of the first code cell, and nearly the largest norm",
        "51": "6.4 billion * 64 bits, LPDDR5",
        "65504": "the largest float16",
    },
    "04_wanda_pruning": {
        "0.7": "a sparsity to try",
        "40": "a product in an example",
    },
    "05_structured_pruning": {
        "77.32": "the report, computational complexity before",
        "1783.69": "the report, log of pruning by l1",
        "4130.38": "the report, log of pruning by taylor",
        "51": "6.4 billion * 64 bits, LPDDR5",
        "65504": "the largest float16",
    },
    "06_recovery": {
        "0.02": "a hint's own step",
        "2,000": "LLM-Pruner, post_training.py: val_set_size",
        "51,760": "the data set alpaca-cleaned",
        "36.1": "labsupport/given/lora.py, the masked product",
        "21.70": "benchmarks/seeds.py, the dense model with seed 0",
        "21.71": "the same with seed 1",
        "21.66": "the same with seed 2",
        "1.65": "35.77 / 21.70",
    },
    "07_zero_shot": {
        "1.25": "100 / 80 questions",
        "1.96": "the normal distribution",
        "10.1007": "the beginning of a DOI",
        "62": "BoolQ, the share of yes in its validation set",
        "100": "samples of which 95 are meant, and a limit to write",
        "49": "lab 04, Wanda at 50 %",
    },
    "08_cost": {
        "40": "a limit to think about, in MB",
        "0.25": "one choice in four",
        "4130.38": "the report, log of pruning by taylor",
        "1783.69": "the report, log of pruning by l1",
        "1793.30": "the report, memory after",
        "2427.31": "the report, memory before",
        "69": "labsupport/amounts.py, RATIOS",
        "48": "labsupport/comparison.py, limit",
        "256": "4 KV heads of 64",
    },
    "09_sparsegpt": {
        "1.125": "half of 2 GB, and 2 bits for each weight that stays",
        "45.9": "labsupport/given/sparsegpt.py, with Hessians block by block",
        "45.5": "the same, layer by layer, the lowest of three runs",
        "47.3": "the highest of them",
        "44": "50 GB a second over 1.125 GB",
        "45": "labsupport/given/sparsegpt.py, the lowest of three runs",
        "85": "the same with 2:4",
        "87": "the same, another run",
        "768": "half of 1536",
        "924": "12 choose 6",
        "47": "labsupport/given/sparsegpt.py, the highest of three runs",
        "89": "the same with 2:4, a third run",
        "90": "89, and a little more",
    },
    "10_depth": {
        "2.2": "1.1 billion weights of 2 bytes",
        "49,152": "the vocabulary",
        "1.8": "88 MB at 50 GB a second",
        "0.09": "a made-up example of budgets",
        "0.56": "0.5 + 0.09 * 2 / 3",
        "0.53": "0.5 + 0.09 / 3",
        "0.41": "0.5 - 0.09",
        "0.572": "the same example by OWL's published code",
        "0.536": "the same",
        "0.392": "the same",
        "49.1": "tests/course/test_expected.py, influence on one window",
        "0.08": "the default spread of OWL",
        "0.95": "a sparsity to try",
        "1.03": "0.95 + 0.08",
        "21.70": "benchmarks/seeds.py, the dense model with seed 0",
        "65504": "the largest float16",
        "70": "OWL, its sparsity",
        "99": "labsupport/prompts.py, the dense model's first guess",
        "50": "GB a second, as in lab 02",
        "88": "2 bytes for each of 44.04 million weights",
    },
    "11_on_device": {
        "0.5": "32 / 64 bits of grids",
        "0.625": "5 bits for each of a billion weights",
        "1.125": "half of 2 GB, and a bit for each of a billion weights",
        "2.5": "an answer without its mask",
        "4.5": "4 + 32 / 64 bits",
        "8.5": "ggml, block_q8_0: 34 bytes for 32 weights",
        "49,152": "the vocabulary",
        "176": "Dettmers and Zettlemoyer 2023, BLOOM",
        "200": "openvino-genai, installed, in MB",
        "255": "2 ** 8 - 1",
        "40": "a sparsity to try",
        "60": "a limit to think about, in MB",
        "64": "a size of groups to think about",
        "100": "all of it, in percent",
        "171": "the sum of an example",
    },
    "12_challenge": {
        "1.3": "challenge.RATIO",
        "3.54": "2 * 576 * (576 + 192) + 3 * 576 * 1536 weights",
        "8.9": "40.91 / 37.57 - 1",
        "2.6": "1 - 81.93 / 84.15",
        "6.3": "1 - 65.71 / 70.14",
        "186": "50 GB a second over 269 MB",
        "269": "2 bytes for each of 134,515,008 weights",
        "45": "minutes of the exercise",
        "538": "4 bytes for each of them",
        "595": "50 GB a second over 84 MB",
        "50": "GB a second, as in lab 02",
        "84": "84,146,933 bytes",
    },
}

NO_PROSE = re.compile(r"```.*?```|`[^`]*`|\$[^$]*\$|\]\([^)]*\)|arXiv:\S+", re.DOTALL)
NUMBER = re.compile(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?(?![\w.]*\d)")
LEAST = 40  # of whole numbers: those below count blocks, heads, points and minutes
BAR = re.compile(r"[^\r\n]*%\|[^\r\n]*")
PRINTED = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")


def told(lab: str) -> set[str]:
    """The numbers in a lab's prose with a point, a comma or from `LEAST` on, but for sections and years."""
    prose = "\n".join(NO_PROSE.sub(" ", cell.source) for cell in cells(lab, "markdown"))
    found = {number.strip(",") for number in NUMBER.findall(prose)}
    no_number = re.compile(rf"0*{int(lab[:2])}\.\d|19[89]\d|20[0-3]\d")
    large = {each for each in found if re.search("[.,]", each) or int(each) >= LEAST}
    return {each for each in large if not no_number.fullmatch(each)}


def cells(lab: str, kind: str) -> list:
    """The cells of one kind of a lab, with its solutions."""
    return [cell for cell in notebooks.source_notebook(lab).cells if cell.cell_type == kind]


def set_in(lab: str) -> set[str]:
    """The whole numbers in a lab's code, which its prose may name."""
    return {
        number for cell in cells(lab, "code") for number in re.findall(r"(?<![\w.])\d+(?![\w.])", cell.source)
    }


def printed(notebook) -> list[float]:
    """All numbers that the cells of an executed notebook print, without those of bars and figures."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    texts = [
        each.get("text", "") + str(each.get("data", {}).get("text/plain", ""))
        for each in outputs
        if each.get("name") != "stderr" and "image/png" not in each.get("data", {})
    ]
    numbers = [number for text in texts for number in PRINTED.findall(BAR.sub("", text))]
    return [float(number.replace(",", "")) for number in numbers]


def holds(number: str, values: list[float], share: float = 0.01) -> bool:
    """Whether one of the values rounds to the number, or is within this share of it."""
    claimed = float(number.replace(",", ""))
    last = 10.0 ** -len(number.partition(".")[2])  # a unit of its last digit
    return any(abs(value - claimed) <= max(share * claimed, 0.5 * last) for value in values)


@cache
def of_shapes() -> list[float]:
    """What labs 05, 06 and 08 compute on paper for TinyLlama at 64 tokens, in the units of their text."""
    model = models.shape("tinyllama-1.1b-chat")
    dense: Any = model.config
    wide = LlamaConfig(**{**dense.to_dict(), "num_key_value_heads": dense.num_attention_heads})
    ours, theirs = (plan(config, 0.3, range(4, 18), tokens=64) for config in (dense, wide))
    weights, wide_weights, left = ours.parameters_before, theirs.parameters_before, ours.parameters_after
    surplus = wide_weights - weights
    macs, wide_macs = ours.macs_before / 1e9, theirs.macs_before / 1e9
    layers, hidden, channels = dense.num_hidden_layers, dense.hidden_size, dense.intermediate_size
    small = 64 * (2 * (2 * layers + 1) * hidden + layers * channels) / 1e9  # norms and activations
    lora = recovery.trainable(model)
    layer = (weights - hidden - 2 * dense.vocab_size * hidden) / layers - 2 * hidden  # its matrices alone
    return [
        weights, wide_weights, left, surplus,
        weights / 1e6, wide_weights / 1e6, left / 1e6, hidden**2 / 1e6,
        macs, wide_macs, ours.macs_after / 1e9, 64 * surplus / 1e9, 64 * hidden**2 / 1e6,
        attention_macs(dense, 64) / 1e9, small,
        77.32 - wide_macs, 77.32 - 76.94, 76.94 - wide_macs,  # the report's two totals
        76.94 - wide_macs - attention_macs(dense, 64) / 1e9,
        2 * weights / 1e9, 2 * weights / 1e6, weights / 1e9,  # bytes in half precision
        16 * weights / 1e9, (4 * weights + 16 * lora) / 1e9,  # bytes of training: all weights, and LoRA
        layer / 1e6, 14 * layer / 1e6, (weights - 14 * layer) / 1e6,  # 14 layers, and the rest
        2 * (51_760 - 2_000) / 64,  # steps of two epochs
        *(0.5 + 0.5 * 2 / 8 / size for size in (2, 4)),  # bytes of 2:4 over dense
        channels,
        *(2 * count / 2**20 for count in (weights, wide_weights, left, 14 * layer, 2 * 14 * layer)),  # MiB
        2427.31, 4130.38 - 1783.69,  # the report's memory before, and what taylor holds more than l1
    ]  # fmt: skip


def on_paper(lab: str) -> set[str]:
    """The numbers of a lab that follow from TinyLlama's shapes, to the last digit."""
    if lab not in ("05_structured_pruning", "06_recovery", "08_cost"):
        return set()
    return {number for number in told(lab) if holds(number, of_shapes(), share=0)}


@pytest.mark.notebook
@pytest.mark.parametrize("lab", [each for each in ON_COURSE_MODEL if each.values[0] in ELSEWHERE])
def test_a_number_is_measured_or_has_a_source(lab, on_course_model):
    values, known = printed(on_course_model(lab).notebook), ELSEWHERE[lab]
    left = told(lab) - known.keys() - on_paper(lab) - set_in(lab)
    assert [number for number in sorted(left) if not holds(number, values)] == []


@pytest.mark.parametrize("lab", ELSEWHERE)
def test_no_source_of_a_number_that_is_gone(lab):
    assert ELSEWHERE[lab].keys() <= told(lab)


def test_whole_numbers_are_told_and_years_are_not():
    """Lab 05 names the report of 2025, and the 2048 outputs of its listing."""
    assert "2048" in told("05_structured_pruning") and "2025" not in told("05_structured_pruning")


def test_bars_and_figures_print_no_number():
    """A bar runs through every share, and a figure has its size: they would hold any number."""
    shown = {"image/png": "", "text/plain": "<Figure size 700x400 with 1 Axes>"}
    outputs = [
        v4.new_output(
            "stream", name="stdout", text="\rruns:  49%|####  | 49/100 [00:03<00:17]\nperplexity 23.95\n"
        ),
        v4.new_output("stream", name="stderr", text="a warning of line 120"),
        v4.new_output("display_data", data=shown),
    ]
    assert printed(v4.new_notebook(cells=[v4.new_code_cell(outputs=outputs)])) == [23.95]


def test_a_wrong_number_is_seen():
    """One percent is the border, and a number of few digits is held to its last one."""
    assert holds("394.7", [394.67]) and holds("0.78", [0.777]) and holds("161,480,704", [161480704.0])
    assert not holds("394.7", [390.0, 39.47]) and not holds("0.78", [0.75])


def test_what_follows_from_shapes_is_exact():
    """The surplus of the report's table is told to the last digit, and a percent of it is millions."""
    assert {"161,480,704", "1,261,529,088", "54.785"} <= on_paper("05_structured_pruning")
    assert {"2098", "2406", "2352", "2347", "1758", "1176"} <= on_paper("08_cost")
    assert holds("161,480,704", of_shapes(), share=0) and not holds("161,480,705", of_shapes(), share=0)
