"""Reference numbers of the course, which a lab's last table shows beside the student's own.

Measured with this package in float32 on a CPU, on the embedded model and the embedded text, once for
each pair of window counts in settings.py. All weights that tie with the threshold are dropped; dropping
exactly k weights changes magnitude pruning by about one percent (390.0 for 394.7 at 50 %, 4 windows).
"""

import torch

from labsupport import reported, settings

# (evaluation windows, calibration windows) of 512 tokens -> method -> sparsity -> perplexity
PERPLEXITY = {
    (4, 4): {
        "dense": {0.0: 23.95},
        "magnitude": {0.0: 23.95, 0.3: 35.15, 0.4: 79.00, 0.5: 394.7, 0.6: 3768.0},
        "wanda": {0.0: 23.95, 0.3: 27.42, 0.4: 33.09, 0.5: 49.05, 0.6: 130.4},
    },
    (16, 16): {
        "dense": {0.0: 25.61},
        "magnitude": {0.0: 25.61, 0.3: 37.76, 0.4: 76.84, 0.5: 392.9, 0.6: 2972.0},
        "wanda": {0.0: 25.61, 0.3: 28.63, 0.4: 34.05, 0.5: 50.62, 0.6: 141.7},
    },
}  # fmt: skip

# calibration windows of 512 tokens -> layer -> largest input norm over the median; q, k and v share their
# input, and so do gate and up
NORMS = {
    4: {
        "model.layers.0.self_attn.q_proj": 27.2,
        "model.layers.0.self_attn.o_proj": 41.5,
        "model.layers.0.mlp.gate_proj": 17.9,
        "model.layers.0.mlp.down_proj": 14.9,
        "model.layers.15.self_attn.q_proj": 43.3,
        "model.layers.15.self_attn.o_proj": 9.01,
        "model.layers.15.mlp.gate_proj": 17.6,
        "model.layers.15.mlp.down_proj": 6.74,
        "model.layers.29.self_attn.q_proj": 30.4,
        "model.layers.29.self_attn.o_proj": 7.98,
        "model.layers.29.mlp.gate_proj": 41.5,
        "model.layers.29.mlp.down_proj": 41.0,
    },
    16: {
        "model.layers.0.self_attn.q_proj": 27.3,
        "model.layers.0.self_attn.o_proj": 42.1,
        "model.layers.0.mlp.gate_proj": 17.9,
        "model.layers.0.mlp.down_proj": 13.8,
        "model.layers.15.self_attn.q_proj": 43.5,
        "model.layers.15.self_attn.o_proj": 9.31,
        "model.layers.15.mlp.gate_proj": 17.6,
        "model.layers.15.mlp.down_proj": 6.65,
        "model.layers.29.self_attn.q_proj": 30.2,
        "model.layers.29.self_attn.o_proj": 7.88,
        "model.layers.29.mlp.gate_proj": 41.4,
        "model.layers.29.mlp.down_proj": 38.9,
    },
}


def perplexity(method: str) -> dict[float, float]:
    """Perplexity by sparsity at the current settings, for "dense", "magnitude" or "wanda".

    "magnitude" ranks within each matrix, "wanda" within each output row, calibrated on the dense model.
    Empty for a model, a text, a dtype or sizes without a measurement.
    """
    return dict(_known(PERPLEXITY).get(method, {}))


def norms() -> dict[str, float]:
    """Largest over median input norm of a few layers, by full name, at the current settings.

    Empty for a model, a text or sizes without a measurement.
    """
    now = settings.current()
    return dict(NORMS.get(now.calibration_windows, {})) if _is_course(now) else {}


def _is_course(now: settings.Settings) -> bool:
    return (now.model, now.text, now.window, now.dtype) == ("smollm2-135m", "sotu", 512, torch.float32)


def _known(table: dict[tuple[int, int], dict]) -> dict:
    """What a table has for the current model, text and counts of windows; empty without a measurement."""
    now = settings.current()
    return table.get((now.evaluation_windows, now.calibration_windows), {}) if _is_course(now) else {}


# Exact counts of lab 08: half of the weights zero, or half of every layer removed by l1
COST = {
    "parameters, dense": 134_515_008, "parameters, zeros": 134_515_008, "parameters, sliced": 85_854_528,
    "MACs of Linear layers at 128 tokens, dense": 17_213_423_616,
    "MACs of Linear layers at 128 tokens, zeros": 17_213_423_616,
    "MACs of Linear layers at 128 tokens, sliced": 10_984_882_176,
    "bytes of decoder layers, dense, float32": 424_673_280,
    "bytes of decoder layers, bitmask, float32": 225_571_264,
    "bytes of decoder layers, csr, float32": 425_223_368,
    "bytes of decoder layers, 2:4, float32": 225_607_680,
}  # fmt: skip


def cost() -> dict[str, int]:
    """The exact counts of lab 08, by the names in its table. Empty for another model."""
    return dict(COST) if settings.current().model == "smollm2-135m" else {}


# (evaluation, calibration windows) -> percent of the decoder's weights that are gone -> perplexity by
# magnitude, by Wanda, and of blocks by taylor; lab 08
BY_SHARE: dict[tuple[int, int], dict[float, tuple[float, ...]]] = {
    (4, 4): {16.5: (24.46, 24.36, 34.97), 33.6: (43.70, 28.73, 91.86), 50.2: (473.6, 49.70, 289.7)},
}


def by_share(share: float) -> tuple[float, ...]:
    """Perplexity with this share gone, 0 to 1: magnitude, Wanda, blocks by taylor. Empty if not measured."""
    return _known(BY_SHARE).get(round(100 * share, 1), ())


# The same by amounts.OTHERS: method -> percent gone -> perplexity, that of seeds 0, 1 and 2 where random
# numbers decide (benchmarks/seeds.py); the curves beside those of lab 08
OTHERS_BY_SHARE: dict[tuple[int, int], dict[str, dict[float, tuple[float, ...]]]] = {
    (4, 4): {
        "blocks, random": {
            16.5: (79.25, 85.81, 71.08),
            33.6: (349.2, 281.9, 2391.0),
            50.2: (977.7, 2427.0, 29_839.0),
        },
        "blocks, l1": {16.5: (582.7,), 33.6: (4414.0,), 50.2: (21_609.0,)},
        "blocks, l2": {16.5: (315.6,), 33.6: (1161.0,), 50.2: (5236.0,)},
        "Wanda + LoRA": {
            16.5: (22.21, 22.20, 22.20),
            33.6: (25.43, 25.41, 25.45),
            50.2: (37.07, 36.98, 37.21),
        },
        "blocks, taylor + LoRA": {
            16.5: (29.18, 29.17, 29.20),
            33.6: (50.73, 50.86, 50.95),
            50.2: (103.1, 103.3, 103.6),
        },
    },
}


def other_curves() -> dict[str, dict[float, tuple[float, ...]]]:
    """Method of amounts.OTHERS -> {share, 0 to 1: perplexity of each draw}. Empty if not measured."""
    known = _known(OTHERS_BY_SHARE).items()
    return {method: {share / 100: draws for share, draws in points.items()} for method, points in known}


# (evaluation, calibration windows) -> bits a weight, in groups of 32 -> perplexity; lab 11
ON_DEVICE: dict[tuple[int, int], dict[str, float]] = {
    (4, 4): {
        "4 bits": 23.95,
        "3 bits": 67.14,
        "2 bits": 172_184.0,
        "50 % of 4 bits": 49.10,
        "50 % of 3 bits": 127.2,
    },
}


def on_device() -> dict[str, float]:
    """Perplexity of lab 11 by the names in its table. Empty for a model or sizes without a measurement."""
    return dict(_known(ON_DEVICE))


# (evaluation, calibration windows) -> method -> perplexity before 32 steps of LoRA, and after them with
# seeds 0, 1 and 2 (benchmarks/seeds.py); lab 06
RECOVERY: dict[tuple[int, int], dict[str, tuple[float, ...]]] = {
    (4, 4): {
        "wanda": (49.05, 35.77, 35.72, 35.91),
        "sliced": (72.30, 39.83, 39.79, 39.79),
    },
}


def recovery() -> dict[str, tuple[float, ...]]:
    """Perplexity before lab 06's training, and after each of three; "wanda" at 50 % and "sliced" at 35 %."""
    return dict(_known(RECOVERY))


# (evaluation, calibration windows) -> method at 50 % -> perplexity; lab 09
SPARSEGPT: dict[tuple[int, int], dict[str, float]] = {
    (4, 4): {
        "dense": 23.95, "Wanda": 49.05, "Wanda, 2:4": 147.7, "SparseGPT": 46.68, "SparseGPT, 2:4": 89.38,
    },
}  # fmt: skip


def sparsegpt() -> dict[str, float]:
    """Perplexity at 50 % by method, by the names in lab 09's table. Empty without a measurement."""
    return dict(_known(SPARSEGPT))


# method at 50 % -> (acc, acc_norm) on the 80 documents of the task `addresses`, lm-eval 0.4.13
ZERO_SHOT = {"dense": (0.6375, 0.8125), "wanda": (0.4750, 0.7250), "magnitude": (0.3625, 0.5250)}

PUBLISHED = reported.ZERO_SHOT


def zero_shot(method: str) -> tuple[float, float] | None:
    """acc and acc_norm on `addresses` of "dense", or of "wanda" or "magnitude" at 50 %.

    Wanda is calibrated on the four windows of a CPU. None for a model or sizes without a measurement.
    """
    now = settings.current()
    return ZERO_SHOT.get(method) if _is_course(now) and now.calibration_windows == 4 else None


# (evaluation windows, calibration windows) of 512 tokens -> (criterion, ratio) -> perplexity after
# structured pruning of layers 4 to 25: 20 % of the channels alone, or 35 % and one KV head in three as well;
# "random" is the middle one of lab 05's three draws (45.1 to 47.7, and 139.9 to 841.8)
STRUCTURED = {
    (4, 4): {
        ("l1", 0.2): 448.0, ("l2", 0.2): 265.5, ("taylor", 0.2): 29.76, ("random", 0.2): 47.19,
        ("l1", 0.35): 2314.0, ("l2", 0.35): 447.7, ("taylor", 0.35): 72.28, ("random", 0.35): 165.2,
    },
}  # fmt: skip

# The report's perplexities of TinyLlama: criterion -> wikitext2, ptb
REPORT = {
    criterion: tuple(f"{value:.4g}" for value in pair) for criterion, pair in reported.PERPLEXITY.items()
}


def structured() -> dict[tuple[str, float], str]:
    """Perplexity by criterion and ratio at the current settings, as text; empty without a measurement."""
    return {key: f"{value:#.4g}".rstrip(".") for key, value in _known(STRUCTURED).items()}


# (evaluation, calibration windows) -> file -> bytes and perplexity, lab 12: each is the whole model
FILES: dict[tuple[int, int], dict[str, tuple[int, float]]] = {
    (4, 4): {
        "4 bits, groups of 32": (84_146_933, 25.65),
        "and the block of least influence dropped": (81_931_903, 28.57),
        "4 bits, groups of 64": (75_741_760, 34.63),
        "4 bits, groups of 192, GPTQ": (70_138_402, 37.57),
        "and gate and up in 3 bits, groups of 64": (65_714_722, 40.91),
    },
}


def files() -> dict[str, tuple[int, float]]:
    """Bytes and perplexity of the course's own files of lab 12, at the current settings."""
    return dict(_known(FILES))


# (evaluation, calibration windows) -> method alone, as `compare` measures it -> megabytes of a file with
# 16 bits a value, and perplexity; lab 12
METHODS: dict[tuple[int, int], dict[str, tuple[float, float]]] = {
    (4, 4): {
        "dense": (269.0, 23.95), "magnitude": (176.1, 394.7), "Wanda": (176.2, 49.05),
        "Wanda 2:4": (176.2, 147.7), "blocks, random": (234.0, 79.25), "blocks, l1": (234.0, 582.7),
        "blocks, l2": (234.0, 315.6), "blocks, taylor": (234.0, 34.97), "Wanda + LoRA": (176.2, 36.87),
        "blocks, taylor + LoRA": (234.0, 29.18), "blocks dropped + teacher": (226.5, 44.94),
        "SparseGPT": (176.2, 47.34), "SparseGPT 2:4": (176.2, 89.38), "Wanda, OWL": (176.2, 51.64),
        "blocks dropped": (226.5, 51.17),
    },
}  # fmt: skip


def methods() -> dict[str, tuple[float, float]]:
    """Megabytes and perplexity of every method of the course alone, at the current settings."""
    return dict(_known(METHODS))


# (evaluation, calibration windows) -> lab 10's perplexities by the names in its table; after a training those
# of seeds 0, 1 and 2 (benchmarks/seeds.py)
DEPTH: dict[tuple[int, int], dict[str, tuple[float, ...]]] = {
    (4, 4): {
        "whole blocks, 1 gone": (26.42,), "whole blocks, 3 gone": (32.89,), "whole blocks, 6 gone": (51.17,),
        "slices by taylor, 20%": (29.76,), "slices by taylor, 30%": (34.97,),
        "Wanda 60 %, equal budgets": (130.4,), "Wanda 60 %, OWL budgets": (140.7,),
        "Wanda 60 %, OWL reversed budgets": (122.9,),
        "6 gone, then by labels": (40.45, 40.49, 40.55), "6 gone, then by teacher": (45.98, 46.14, 46.00),
    },
}  # fmt: skip


def depth() -> dict[str, list[str]]:
    """The perplexities of lab 10 by the names in its table, as text: one each, or one for each draw.

    Empty without a measurement.
    """
    return {name: [f"{value:#.4g}".rstrip(".") for value in draws] for name, draws in _known(DEPTH).items()}
