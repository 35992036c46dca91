"""The figures of the course, one function each; they draw numbers computed by the notebook.

The title of a figure says what is measured; the notebook says below it what came out, from the numbers.
The colours are those of Okabe and Ito, which are distinct for colour-blind readers; every series also has
its own marker or line style.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle
from types import MappingProxyType
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, PercentFormatter

from labsupport import guesses
from labsupport.figure_text import describe

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLES = ("-", "--", "-.", ":", "-", "--", "-.")
NO_GUESS: tuple[float, Any] = (0, None)  # where the star of a guess goes: x, and the guess (see guesses.py)


def axes(title: str, x: str, y: str, width: float = 7.0, height: float = 4.0) -> Axes:
    """A new figure with one pair of axes, titled and labelled."""
    _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    ax.set_title(title, loc="left", fontsize=11)
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, axis="y", alpha=0.25)
    return ax


def show() -> None:
    """Show the newest figure; in a notebook the image's metadata holds its text alternative."""
    if "inline" not in plt.get_backend():
        plt.show()
        return
    from IPython.display import display

    display(plt.gcf(), metadata={"image/png": {"alt": describe(plt.gcf())}})
    plt.close()


def look(index: int) -> dict[str, Any]:
    """Colour, marker and line style of the index-th series."""
    index %= len(COLOURS)
    return {"color": COLOURS[index], "marker": MARKERS[index], "linestyle": STYLES[index]}


def perplexity_against_sparsity(
    curves: dict[str, dict[float, float]], title: str, guess: tuple[float, Any] = NO_GUESS
) -> None:
    """One curve per method: name -> {sparsity: perplexity}. Perplexity is on a log scale, lower is better."""
    ax = axes(title, "sparsity of the decoder's linear layers", "perplexity (log scale)")
    for index, (name, points) in enumerate(curves.items()):
        sparsities = sorted(points)
        ax.plot(sparsities, [points[s] for s in sparsities], label=name, **look(index))
    ax.set_yscale("log")
    guesses.mark(ax, *guess)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.legend(frameon=False)
    show()


def weight_histogram(weight, threshold: float, name: str) -> None:
    """Histogram of one layer's weights; those with magnitudes below the threshold are shaded."""
    values = weight.detach().float().flatten().cpu().numpy()
    ax = axes(f"Weights of {name}, kept and dropped", "weight", "number of weights")
    edges: Any = np.arange(-60, 61) * threshold / 10  # so that the threshold is an edge
    edges = edges[abs(edges) <= 4 * values.std()]
    ax.hist(values[abs(values) > threshold], edges, color=COLOURS[0], label="kept")
    ax.hist(values[abs(values) <= threshold], edges, color=COLOURS[4], hatch="///", label="dropped")
    for side in (-threshold, threshold):
        ax.axvline(side, color="black", linestyle="--", linewidth=1)
    ax.text(threshold, ax.get_ylim()[1] * 0.97, f"  threshold {threshold:.3f}", va="top", fontsize=9)
    ax.legend(frameon=False, loc="upper left")
    show()


def bars(values: dict[str, float], baseline: float, title: str, x: str, baseline_name: str = "dense") -> None:
    """Horizontal bars, the longest on top, with a line at the baseline and the value beside every bar."""
    ax = axes(title, x, "", height=0.4 * len(values) + 1.4)
    ordered = sorted(values, key=lambda name: values[name])
    ax.barh(ordered, [values[name] for name in ordered], color=COLOURS[0], height=0.65)
    for place, name in enumerate(ordered):
        ax.text(values[name], place, f" {values[name]:,.1f}", va="center", fontsize=9)
    ax.axvline(baseline, color="black", linestyle="--", linewidth=1)
    ax.text(baseline, -0.75, f" {baseline_name} {baseline:,.1f}", fontsize=9, va="center")
    ax.set_ylim(-1, len(values) - 0.5)
    ax.set_xlim(0, max(values.values()) * 1.12)
    ax.grid(False)
    show()


def layer_sparsities(
    sparsities: dict[str, float], overall: float, title: str, guess: tuple[float, Any] = NO_GUESS
) -> None:
    """Full layer name -> sparsity, drawn over the depth of the model, one line per kind of layer."""
    ax = axes(title, "decoder layer", "sparsity of the layer")
    kinds: dict[str, list[float]] = {}
    for name, value in sparsities.items():
        kinds.setdefault(name.rsplit(".", 1)[-1], []).append(value)
    for index, (kind, values) in enumerate(kinds.items()):
        ax.plot(values, label=kind, markersize=4, **look(index))
    guesses.mark(ax, *guess)
    ax.axhline(overall, color="black", linewidth=1)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.legend(frameon=False, ncols=4, fontsize=9)
    show()


def perplexity_against_window(
    curves: dict[str, dict[int, float]], title: str, guess: tuple[float, Any] = NO_GUESS
) -> None:
    """One curve per protocol: name -> {window length: perplexity}. The length is on a log scale."""
    ax = axes(title, "window length in tokens", "perplexity")
    for index, (name, points) in enumerate(curves.items()):
        ax.plot(list(points), list(points.values()), label=name, **look(index))
    ax.set_xscale("log", base=2)
    guesses.mark(ax, *guess)
    lengths = list(next(iter(curves.values())))
    ax.set_xticks(lengths, labels=[f"{length:,}" for length in lengths])
    ax.legend(frameon=False)
    show()


def cost_by_context(
    curves: dict[str, dict[int, tuple[float, float]]], title: str, guess: tuple[float, Any] = NO_GUESS
) -> None:
    """One curve per name: least context of an octave -> mean cost of its targets and the standard error."""
    ax = axes(title, "tokens of text before the target (log scale)", "cost of a target in nats")
    for index, (name, points) in enumerate(curves.items()):
        means, errors = zip(*points.values(), strict=True)
        ax.errorbar(list(points), means, yerr=errors, capsize=3, label=name, **look(index))
    ax.set_xscale("log", base=2)
    guesses.mark(ax, *guess)
    octaves = list(next(iter(curves.values())))
    names = [f"{low:,}" if low == 1 else f"{low:,}–{2 * low - 1:,}" for low in octaves]
    ax.set_xticks(octaves, labels=names, rotation=30, fontsize=9)
    ax.legend(frameon=False)
    show()


def sorted_norms(norms: dict, title: str) -> None:
    """Channel norms over their median, largest first: layer name -> norms. Both axes are on a log scale."""
    ax = axes(title, "channels, the loudest first (log scale)", "norm over the median (log scale)")
    for index, (name, norm) in enumerate(norms.items()):
        ordered = (norm / norm.median()).sort(descending=True).values.cpu().numpy()
        ranks = range(1, len(ordered) + 1)
        marked = [rank - 1 for rank in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024) if rank in ranks]
        ax.plot(ranks, ordered, label=name, markevery=marked, markersize=4, **look(index))
    ax.axhline(1, color="black", linewidth=1)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.legend(frameon=False, fontsize=9)
    show()


def loudness_by_depth(
    ratios: dict[str, dict[int, float]], title: str, guess: tuple[float, Any] = NO_GUESS
) -> None:
    """One curve per kind of input: name -> {decoder layer: largest norm over the median}, on a log scale."""
    ax = axes(title, "decoder layer", "loudest over median (log scale)")
    for index, (name, points) in enumerate(ratios.items()):
        ax.plot(list(points), list(points.values()), label=name, markersize=4, **look(index))
    ax.set_yscale("log")
    guesses.mark(ax, *guess)
    ax.legend(frameon=False, ncols=4, fontsize=9, loc="upper left")
    ax.set_ylim(top=ax.get_ylim()[1] * 3)
    show()


def agreement_by_depth(
    correlations: dict[int, float], title: str, guess: tuple[float, Any] = NO_GUESS
) -> None:
    """Rank correlation of two criteria, -1 to 1, per decoder layer: {layer: correlation}."""
    ax = axes(title, "decoder layer", "rank correlation of l1 and taylor")
    ax.plot(list(correlations), list(correlations.values()), markersize=4, **look(0))
    ax.axhline(0, color="black", linewidth=1)
    guesses.mark(ax, *guess)
    show()


def by_depth(
    curves: dict[str, dict[int, float]], title: str, y: str, guess: tuple[float, Any] = NO_GUESS
) -> None:
    """One curve per name: name -> {decoder block: number}, on a log scale, which leaves out 0 and less."""
    ax = axes(title, "decoder block", y)
    for index, (name, points) in enumerate(curves.items()):
        ax.plot(list(points), list(points.values()), label=name, markersize=4, **look(index))
    ax.set_yscale("log")
    _plain_ticks(ax.yaxis)
    guesses.mark(ax, *guess)
    ax.legend(frameon=False, fontsize=9)
    show()


def errors_by_depth(
    errors: dict[str, dict[int, float]], title: str, guess: tuple[float, Any] = NO_GUESS
) -> None:
    """One curve per method: name -> {decoder layer: relative output error, 0.3 for 30 %}."""
    ax = axes(title, "decoder layer", "error over the size of the output")
    for index, (name, points) in enumerate(errors.items()):
        ax.plot(list(points), list(points.values()), label=name, markersize=5, **look(index))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set_ylim(bottom=0)
    guesses.mark(ax, *guess)
    ax.legend(frameon=False, fontsize=9)
    show()


def perplexity_against_time(
    series: dict[str, dict[str, tuple[float, float]]],
    dense: float,
    title: str,
    guess: tuple[float, Any] = NO_GUESS,
) -> None:
    """One line per way to prune, from the dense model on: name -> {model: (time over dense, perplexity)}."""
    ax = axes(title, "time, dense = 1", "perplexity (log scale)")
    for index, (name, points) in enumerate(series.items()):
        times, values = zip((1.0, dense), *points.values(), strict=True)
        ax.plot(times, values, label=name, **look(index))
        for model, (time, value) in points.items():
            ax.annotate(model, (time, value), (-6, 6), textcoords="offset points", ha="right", fontsize=9)
    ax.set_yscale("log")
    guesses.mark(ax, *guess)
    _plain_ticks(ax.yaxis)
    ax.invert_xaxis()
    ax.legend(frameon=False, fontsize=9, loc="upper left")
    show()


def error_by_tokens(curves: dict[str, dict[int, float]], baseline: float, title: str) -> None:
    """One curve per damping: name -> {tokens: relative output error}, on log scales; a line for Wanda."""
    ax = axes(
        title, "tokens of calibration text (log scale)", "error over the size of the output (log scale)"
    )
    for index, (name, points) in enumerate(curves.items()):
        ax.plot(list(points), list(points.values()), label=name, **look(index))
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.axhline(baseline, color="black", linestyle="--", linewidth=1)
    first, *_ = counts = list(next(iter(curves.values())))
    ax.text(first, baseline, f"Wanda {baseline:.0%}", fontsize=9, va="bottom")
    ax.set_xticks(counts, labels=[f"{count:,}" for count in counts])
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.legend(frameon=False, fontsize=9)
    show()


def masks_side_by_side(masks: dict, title: str, first_input: int, rows: int = 24, inputs: int = 48) -> None:
    """A patch of one weight's masks, method -> bool [out, in], and the share that each row keeps."""
    pairs, widths = -(-len(masks) // 2), {"width_ratios": [5, 1] * 2}
    _, panels = plt.subplots(pairs, 4, figsize=(10, 2.8 * pairs), gridspec_kw=widths, layout="constrained")
    for (name, mask), (patch, bar) in zip(masks.items(), panels.reshape(-1, 2), strict=True):
        mask = mask.cpu().numpy()
        shown = mask[:rows, first_input : first_input + inputs]
        edges = (first_input - 0.5, first_input + shown.shape[1] - 0.5, len(shown) - 0.5, -0.5)
        patch.imshow(~shown, cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="none", extent=edges)
        patch.set_title(name, loc="left", fontsize=10)
        patch.set(xlabel="input", ylabel="output row")
        bar.barh(range(len(shown)), mask[:rows].mean(axis=1), color=COLOURS[0], height=0.8)
        bar.axvline(mask.mean(), color="black", linestyle="--", linewidth=1)
        bar.set(xlim=(0, 1), ylim=(len(shown) - 0.5, -0.5), yticks=[], xlabel="row keeps")
        bar.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        bar.spines[["top", "right"]].set_visible(False)
    panels[0, 0].figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    show()


def mask_differences(shares: dict[str, float], title: str, guess: tuple[float, Any] = NO_GUESS) -> None:
    """Full layer name -> share of mask entries that differ, over the depth, one line per kind of layer."""
    ax = axes(title, "decoder layer", "mask entries that differ")
    kinds: dict[str, list[float]] = {}
    for name, share in shares.items():
        kinds.setdefault(name.rsplit(".", 1)[-1], []).append(share)
    for index, (kind, values) in enumerate(kinds.items()):
        ax.plot(values, label=kind, markersize=4, **look(index))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.legend(frameon=False, ncols=4, fontsize=9, loc="upper left")
    guesses.mark(ax, *guess)
    ax.set_ylim(0, ax.get_ylim()[1] * 1.25)
    show()


def comparison(rows: list, title: str) -> None:
    """One line per method, a dashed line at the dense model; rows: from comparison.compare.

    The bars of the accuracy reach 1.96 standard errors to each side, a 95 % interval.
    """
    if not rows:
        return  # no rows: under grading nothing is measured
    dense = rows[0]
    panels = {
        "zeros or gone": [row.sparsity for row in rows],
        "perplexity (log scale)": [row.perplexity for row in rows],
        "accuracy (bars: 95 %)": [row.accuracy for row in rows],
        "MACs, dense = 1": [row.macs / dense.macs for row in rows],
        "memory, dense = 1": [row.memory / dense.memory for row in rows],
        "time, dense = 1": [row.seconds / row.dense_seconds for row in rows],
    }
    figure, every = plt.subplots(
        1, len(panels), figsize=(11.5, 0.34 * len(rows) + 1.4), sharey=True, layout="constrained"
    )
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    names, places = [row.method for row in rows], range(len(rows))
    for index, (ax, (label, values)) in enumerate(zip(every, panels.items(), strict=True)):
        errors = [1.96 * row.accuracy_stderr for row in rows] if "accuracy" in label else None
        ax.errorbar(values, places, xerr=errors, fmt=MARKERS[index], color=COLOURS[index], capsize=2)
        ax.axvline(values[0], color="black", linestyle="--", linewidth=1)
        ax.set_xlabel(label, fontsize=9)
        ax.grid(True, alpha=0.25)
        ax.spines[["top", "right"]].set_visible(False)
        if "log" in label:
            ax.set_xscale("log")
            wide = max(values) > 10 * min(values)
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 3)) if wide else MaxNLocator(3))
            ax.xaxis.set_major_formatter("{x:g}")
            ax.minorticks_off()
        elif label == "zeros or gone":
            ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            ax.set_xlim(-0.05, 0.6)
        elif errors is None:
            ax.set_xlim(0, max(1.15, *values) * 1.05)
    every[0].set_yticks(places, labels=names)
    every[0].invert_yaxis()
    show()


def perplexity_by_share(
    curves: dict[str, dict[float, float]],
    rows: list,
    title: str,
    guess: tuple[float, float | None],
    ours: Mapping[str, Mapping[float, Sequence[float]]] = MappingProxyType({}),
) -> None:
    """Perplexity over the share of the decoder's weights that is zero or gone, on a log scale.

    curves: method -> {share: perplexity}; rows: from comparison.compare, of which dense is where all curves
    begin, and methods without a curve are single marks. guess: a share, and the reader's perplexity there.
    ours: reference numbers of methods that have a mark, {share: perplexity of each draw}; dashed, through the
    middle draw, with a bar from the lowest to the highest.
    """
    if not rows:
        return  # no rows: under grading nothing is measured
    ax = axes(title, "decoder weights that are zero or gone", "perplexity (log scale)", width=8.0)
    for index, (name, points) in enumerate(curves.items()):
        ax.plot([0, *points], [rows[0].perplexity, *points.values()], label=name, **look(index))
    single = [row for row in rows[1:] if row.method not in curves]
    free, marks = cycle(COLOURS[len(curves) :]), cycle("phX*<>Pd81234")
    for row in single:
        kin = [index for index, name in enumerate(curves) if row.method.startswith(name)]  # "Wanda + LoRA"
        colour = COLOURS[kin[0]] if kin else next(free)
        style = {"linestyle": "none", "markersize": 8, "marker": next(marks), "color": colour}
        ax.plot(row.sparsity, row.perplexity, label=row.method, **style)
        if row.method in ours:
            points = {0: [rows[0].perplexity], **ours[row.method]}
            middle = [sorted(draws)[len(draws) // 2] for draws in points.values()]
            line = {"linestyle": "--", "linewidth": 1, "marker": ".", "color": colour, "zorder": 1}
            ax.plot(list(points), middle, label=f"{row.method}, ours", **line)
            lowest, highest = (list(map(end, points.values())) for end in (min, max))
            ax.vlines(list(points), lowest, highest, colors=colour, linewidth=3, alpha=0.35, zorder=1)
    guesses.mark(ax, *guess)
    ax.set_yscale("log")
    _plain_ticks(ax.yaxis)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    named = [line for line in ax.lines if not str(line.get_label()).startswith("_")]
    shown = [line for line in named if not str(line.get_label()).endswith(", ours")]
    ax.legend(handles=shown, frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    show()


def storage_against_sparsity(
    curves: dict[str, dict[float, float]], two_of_four: dict[int, float], title: str
) -> None:
    """One curve per format: name -> {sparsity: share of dense bytes}; 2:4 as dots: bytes a value -> share."""
    ax = axes(title, "sparsity", "bytes, dense = 1")
    for index, (name, points) in enumerate(curves.items()):
        ax.plot(list(points), list(points.values()), label=name, markevery=4, **look(index))
    ax.plot([0.5] * len(two_of_four), list(two_of_four.values()), "*", markersize=11, color="black", zorder=3)
    said = "\n".join(f"2:4, {size} bytes a value: {share:.2f}" for size, share in two_of_four.items())
    low = min(two_of_four.values())
    arrow = {"arrowstyle": "-", "shrinkB": 6}
    ax.annotate(said, (0.5, low), (0.2, 0.1), arrowprops=arrow, fontsize=9)
    ax.axhline(1, color="black", linewidth=1)
    ax.text(1, 1, "dense", ha="right", va="bottom", fontsize=9)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set_ylim(0, None)
    ax.legend(frameon=False, fontsize=9)
    show()


def latency_bars(times: dict[str, dict[str, tuple]], title: str, guess: float | None = None) -> None:
    """Groups of bars: size -> model -> (median seconds, (low, high)), over the first model's median.

    guess: the reader's, of the second model at the last size.
    """
    ax = axes(title, "", "time, dense = 1")
    models = list(next(iter(times.values())))
    hatches = ("", "///", "...")
    for index, name in enumerate(models):
        for group, found in enumerate(times.values()):
            unit = found[models[0]][0]
            median, (low, high) = found[name]
            place, error = group + 0.27 * (index - 1), [[(median - low) / unit], [(high - median) / unit]]
            ax.bar(
                place, median / unit, 0.25, color=COLOURS[index], hatch=hatches[index % 3], edgecolor="white",
                yerr=error, capsize=3, label=None if group else name,
            )  # fmt: skip
            written = f"{median * 1e3:.3g} ms" if median < 1 else f"{median:.3g} s"
            ax.text(place, high / unit + 0.02, written, ha="center", fontsize=9)
    ax.set_xticks(range(len(times)), labels=list(times))
    guesses.mark(ax, len(times) - 1, guess)
    ax.set_ylim(0, ax.get_ylim()[1] * 1.2)
    ax.legend(frameon=False, ncols=4, loc="upper right")
    show()


def loss_curves(curves: dict[str, list[float]], title: str, smooth: int = 8) -> None:
    """Loss by step, one curve per training: thin the raw loss, thick the mean of the last `smooth` steps."""
    ax = axes(title, "training step", "loss in nats a token")
    for index, (name, losses) in enumerate(curves.items()):
        steps = range(1, len(losses) + 1)
        style = {**look(index), "markersize": 4}
        ax.plot(steps, losses, alpha=0.35, linewidth=1, **style)
        means = [np.mean(losses[max(0, step - smooth) : step]) for step in steps]
        ax.plot(steps, means, label=name, color=style["color"], linestyle=style["linestyle"], linewidth=2.5)
    ax.legend(frameon=False)
    show()


def before_and_after(
    pairs: dict[str, tuple[float, float]],
    line: float,
    title: str,
    y: str,
    guess: tuple[float, Any] = NO_GUESS,
) -> None:
    """One arrow per name, from a value before to the value after, and a reference line."""
    ax = axes(title, "", y)
    for place, (before, after) in enumerate(pairs.values()):
        arrow = {"arrowstyle": "-|>", "color": COLOURS[0], "linewidth": 2, "shrinkA": 6, "shrinkB": 6}
        ax.annotate("", (place, after), (place, before), arrowprops=arrow)
        ax.plot(place, before, "s", color=COLOURS[1], markersize=8, label=None if place else "before")
        ax.plot(place, after, "o", color=COLOURS[0], markersize=8, label=None if place else "after")
        ax.text(place - 0.08, before, f"{before:.1f}", ha="right", va="center", fontsize=9)
        ax.text(place - 0.08, after, f"{after:.1f}", ha="right", va="center", fontsize=9)
    ax.axhline(line, color="black", linestyle="--", linewidth=1)
    ax.text(len(pairs) - 0.5, line, f"dense {line:.1f}", fontsize=9, ha="right", va="bottom")
    guesses.mark(ax, *guess)
    ax.set_xticks(range(len(pairs)), labels=list(pairs))
    ax.set_xlim(-0.6, len(pairs) - 0.4)
    ax.margins(y=0.12)
    ax.legend(frameon=False)
    show()


def shares_with_errors(
    series: dict[str, dict[str, tuple[float, float]]],
    chance: dict[str, float],
    title: str,
    y: str,
    guess: tuple[str, float | None] | None = None,
) -> None:
    """Accuracies side by side: name -> {measure: (share, standard error)}, and chance by measure.

    The bars reach 1.96 standard errors up and down, a 95 % interval. guess: a measure, and a share.
    """
    ax = axes(title, "", y)
    measures, step = list(chance), 0.6 / len(series)
    for index, (name, points) in enumerate(series.items()):
        shown = [place for place, measure in enumerate(measures) if measure in points]
        values, errors = zip(*(points[measures[place]] for place in shown), strict=True)
        where = [place + (index - (len(series) - 1) / 2) * step for place in shown]
        reach = [1.96 * error for error in errors]
        style = {**look(index), "linestyle": "none"}
        ax.errorbar(where, values, yerr=reach, capsize=4, markersize=7, label=name, **style)
    for place, measure in enumerate(measures):
        ends = (place - 0.42, place + 0.42)
        ax.plot(ends, [chance[measure]] * 2, "k--", linewidth=1, label=None if place else "chance")
    if guess:
        guesses.mark(ax, measures.index(guess[0]), guess[1])
    ax.set_xticks(range(len(measures)), labels=measures)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set_ylim(0, 1)
    ax.legend(frameon=False, ncols=len(series) + 2, fontsize=9, loc="upper left")
    show()


def weights_on_grids(weight: torch.Tensor, grids: dict[str, torch.Tensor], title: str) -> None:
    """The weights of one group, [n], and below them each grid: name -> all its values."""
    ax = axes(title, "weight", "", height=0.45 * (len(grids) + 1) + 1.3)
    rows = {"weights": weight, **grids}
    for place, (name, values) in enumerate(rows.items()):
        marker = "o" if name == "weights" else "|"
        style: dict[str, Any] = {**look(place), "marker": marker, "linestyle": ""}
        ax.plot(values.tolist(), [place] * len(values), markersize=7 if place == 0 else 16, **style)
    ax.axvline(0, color="black", linestyle="--", linewidth=1)
    ax.set_yticks(range(len(rows)), labels=list(rows))
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(False)
    show()


def perplexity_against_bits(
    values: dict[int, float], dense: float, title: str, guess: tuple[float, Any] = NO_GUESS
) -> None:
    """Perplexity by bits a weight, on a log scale, with a line at the dense model's."""
    ax = axes(title, "bits a weight, without grids", "perplexity (log scale)")
    ax.plot(list(values), list(values.values()), label="round to nearest", **look(0))
    ax.axhline(dense, color="black", linestyle="--", linewidth=1)
    ax.text(max(values), dense, f"dense {dense:,.1f} ", fontsize=9, ha="right", va="bottom")
    ax.set_yscale("log")
    guesses.mark(ax, *guess)
    ax.set_xticks(list(values))
    ax.legend(frameon=False)
    show()


def perplexity_by_bytes(
    families: dict[str, dict[str, tuple[float, float]]],
    front: list[tuple[float, float]],
    title: str,
    guess: tuple[float, Any] = NO_GUESS,
) -> None:
    """Perplexity over the megabytes of a file: family -> {name: (megabytes, perplexity)}.

    front: the points that no other one beats in both, from the smallest file on; a line joins them. A name
    that would lie on an earlier one is left out.
    """
    ax = axes(title, "megabytes of the file", "perplexity (log scale)", width=8.5, height=5.0)
    sizes, losses = zip(*front, strict=True)
    ax.plot(sizes, losses, color="black", linewidth=1, drawstyle="steps-post", label="no file is better")
    ax.set_yscale("log")
    for index, (family, points) in enumerate(families.items()):
        style: dict[str, Any] = {**look(index), "linestyle": "", "markersize": 8}
        ax.plot(*zip(*points.values(), strict=True), label=family, **style)
    ax.autoscale_view()  # the limits are settled now, so that places are known
    taken: list[tuple[float, float]] = []  # in points of 1/72 inch
    for name, place in (item for points in families.values() for item in points.items()):
        x, y = ax.transData.transform(place) * 72 / ax.figure.dpi
        if all(abs(x - left) > 6 * len(name) or abs(y - low) > 9 for left, low in taken):
            ax.annotate(name, place, (6, 4), textcoords="offset points", fontsize=8)
            taken.append((x, y))
    guesses.mark(ax, *guess)
    _plain_ticks(ax.yaxis)
    ax.legend(frameon=False, fontsize=9)
    show()


def _plain_ticks(axis) -> None:
    """Ticks at 1, 2 and 5 times the powers of ten on a log scale, written as plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def perplexity_by_criterion(
    found: dict[str, dict[float, list[float]]],
    dense: float,
    title: str,
    guess: tuple[float, Any] = NO_GUESS,
) -> None:
    """Perplexity on a log scale, name -> {ratio: draws}: the median, and a bar over all draws."""
    ax = axes(title, "", "perplexity (log scale)")
    ratios = list(next(iter(found.values())))
    for index, ratio in enumerate(ratios):
        draws = [sorted(points[ratio]) for points in found.values()]
        middle = [each[len(each) // 2] for each in draws]
        reach = [[m - each[0] for m, each in zip(middle, draws, strict=True)],
                 [each[-1] - m for m, each in zip(middle, draws, strict=True)]]  # fmt: skip
        dots: dict[str, Any] = {**look(index), "linestyle": ""}
        side = 0.12 * (index - (len(ratios) - 1) / 2)  # the ratios stand side by side
        places = [place + side for place in range(len(found))]
        ax.errorbar(places, middle, yerr=reach, capsize=4, label=f"{ratio:.0%} removed", **dots)
        gap, ha = (-0.07, "right") if side < 0 else (0.07, "left")
        for place, value in zip(places, middle, strict=True):
            ax.text(place + gap, value, f"{value:,.1f}", ha=ha, va="center", fontsize=9)
    ax.axhline(dense, color="black", linestyle="--", linewidth=1)
    ax.text(len(found) - 0.4, dense, f"dense {dense:,.1f}", fontsize=9, ha="right", va="bottom")
    ax.set_yscale("log")
    guesses.mark(ax, *guess)
    _plain_ticks(ax.yaxis)
    ax.set_xticks(range(len(found)), labels=list(found))
    ax.set_xlim(-0.6, len(found) - 0.4)
    ax.legend(frameon=False, fontsize=9)
    show()


def mask_patterns(masks: dict[str, torch.Tensor], title: str) -> None:
    """Masks side by side, True = keep: a kept weight is a full square, a dropped one an empty one."""
    figure, (row,) = plt.subplots(1, len(masks), figsize=(7, 1.8), layout="constrained", squeeze=False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    for ax, (name, mask) in zip(row, masks.items(), strict=True):
        height, width = mask.shape
        ax.pcolormesh(
            ~mask.cpu().numpy(), cmap="Blues_r", vmin=-0.3, vmax=1, edgecolors="grey", linewidth=0.5
        )
        ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal", xticks=[], yticks=[])
        ax.set_xlabel(name, fontsize=9)
    show()


def files_and_limit(
    files: dict[str, tuple[int, float]], limit: float, title: str, guess: tuple[float, Any] = NO_GUESS
) -> None:
    """One mark per file: name -> (bytes, perplexity), and a line at the highest perplexity that counts."""
    ax = axes(title, "megabytes of the file", "perplexity (log scale)")
    for index, (name, (size, value)) in enumerate(files.items()):
        ax.plot([size / 1e6], [value], label=name, **{**look(index), "linestyle": "", "markersize": 8})
    ax.set_yscale("log")
    guesses.mark(ax, guess[0] / 1e6, guess[1])
    ax.axhline(limit, color="black", linestyle="--", linewidth=1)
    ax.text(ax.get_xlim()[0], limit, f" limit {limit:.1f}", fontsize=9, va="bottom")
    _plain_ticks(ax.yaxis)
    ax.legend(frameon=False, fontsize=9)
    show()
