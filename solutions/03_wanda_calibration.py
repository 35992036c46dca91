# %% [markdown]
# # 03  Wanda calibration
#
# A model of 7 billion weights of 2 bytes needs 14 GB of a phone's memory, and reading them for the next token takes
# 0.27 s (51 GB a second: LPDDR5, JEDEC standard JESD209-5). With half of the weights removed it would be 7 GB and
# 0.14 s. That helps only if the right half goes, and lab 02's half ruined the model.
#
# Lab 02 judged a weight by its size alone. But a weight never acts alone: it multiplies an input, and some
# single inputs are a thousand times larger than others. In this lab you measure them. Lab 04 then prunes with what
# you measured.
#
# | | |
# |---|---|
# | **You learn** | why magnitude misjudges, how to look inside a model with hooks, and which inputs of a layer are large |
# | **You need** | lab 02 (masks, and which layers are pruned) |
# | **Level** | middle: whole models, by masks, hooks and gradients |
# | **It takes** | an hour of your time; all cells together run about a minute on two CPU cores |
# | **Sources** | Sun et al. 2024a, *A Simple and Effective Pruning Approach for Large Language Models* (Wanda), equation 1; Sun et al. 2024b, *Massive Activations in Large Language Models*; D. Shin, *On-Device AI* lab deck on LLM pruning (Sungkyunkwan University), exercise 2 |

# %%
from collections import Counter

import torch
from labsupport import check, closing, corpora, expected, given, linears, models, plots, settings
from labsupport.progress import bar
from labsupport.table import columns

# %% [markdown]
# ## Why magnitude alone misjudges
#
# Take a layer with one output and two inputs, and three tokens that pass through it. Its weights are
# 1 and 4. Magnitude drops the 1. Let us drop each in turn and see how far the output moves.

# %% experiment
x = torch.tensor([[10.0, 1.0], [-10.0, 2.0], [10.0, 1.0]])  # [tokens, in_features]
weight = torch.tensor([[1.0, 4.0]])  # [out_features, in_features]
for channel in (0, 1):
    pruned = weight.clone()
    pruned[0, channel] = 0
    moved = (x @ weight.T - x @ pruned.T).norm()
    print(f"without the weight {weight[0, channel]:.0f} the output moves by {moved:.2f}")

# %% [markdown]
# The small weight does more, because it multiplies large numbers. Each input of a layer is called a *channel*; a
# channel whose values are large is called *loud*. And we can compute the distance without running the layer twice.
# Without the weight $W_{ij}$, output $i$ of token $t$ moves by $W_{ij} X_{tj}$; over all tokens that is
#
# $$\sqrt{\textstyle\sum_t (W_{ij} X_{tj})^2} \;=\; |W_{ij}| \cdot \lVert X_j \rVert_2 ,
# \qquad \lVert X_j \rVert_2 = \sqrt{\textstyle\sum_t X_{tj}^2}.$$
#
# This is equation 1 of the Wanda paper (*pruning by weights and activations*). It is not an estimate: for a single
# weight it is exactly the distance that the layer's output moves.

# %% experiment
print("|weight| * norm of its channel:", weight.abs() * x.norm(dim=0))

# %% [markdown]
# We have the weights. The norms of the channels must be measured on text: this is called *calibration*.
# It needs no labels, no gradients and, as lab 04 tries out, very little text.

# %% [markdown]
# ## 3.1 sum_of_squares
#
# **Goal** measure how loud every input channel of a layer is. | **Points** 2 | **Minutes** 10
#
# ### The size of a channel
#
# Activations come as `[B, L, in_features]`: windows, tokens, channels. For the norm it does not matter
# which window a token came from. Only the last axis stays; you sum over all others:
#
# $$s_j = \sum_{b,l} x_{blj}^2 .$$
#
# For two tokens and three channels, `[[1, 2, 0], [3, 0, -1]]`, the result is `[10, 4, 1]`.
#
# We leave the root for later. Squares add up over batches, roots do not: a channel that has 3 in one
# batch and 4 in the next has $s = 9 + 16$ and norm 5, not 7.
#
# *Precision.* Models often run in half precision, and the largest float16 is 65504. See what that means:

# %% experiment
loud = torch.tensor([200.0, 256.0, 3000.0], dtype=torch.float16)
print("squared in float16:", loud.square().tolist())
print("squared in float32:", loud.float().square().tolist())

# %% [markdown]
# Numbers like the last one do occur: you will meet 3000 below. bfloat16 does not overflow, but it keeps
# only two to three digits, so a long sum in bfloat16 stops growing. So: float32 first, then square, then sum.
#
# <details><summary>Hint 1</summary>
#
# `x` may have one axis, two or three. Bring them all to `[tokens, in_features]`, or name the axes to
# sum over by counting from the end.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `reshape(-1, n)` works for any number of axes, also for a single token; `n` is `x.shape[-1]`. Make `x`
# float32 before anything else happens to it.
#
# </details>


# %% exercise="sum_of_squares"
def sum_of_squares(x: torch.Tensor) -> torch.Tensor:
    """The sum of squares of every input channel, over all other axes.

    x: [..., in_features], any number of leading axes (none too), any floating dtype.
    Returns float32 [in_features], whatever x is.
    """
    ### BEGIN SOLUTION
    tokens = x.float().reshape(-1, x.shape[-1])  # [tokens, in_features]
    return tokens.square().sum(dim=0)
    ### END SOLUTION


# %% check="sum_of_squares" points=2
check.sum_of_squares(sum_of_squares)

# %% [markdown]
# ## 3.2 input_norms
#
# **Goal** measure the input norms of every layer that will be pruned. | **Points** 6 | **Minutes** 25
#
# ### A hook on every layer
#
# The inputs of the inner layers never show in a model's output. A *hook* is a function that a module
# calls whenever it runs. Here is one that looks at a single layer of a tiny model:


# %% experiment
def look(module, inputs):
    print(
        f"Linear {tuple(module.weight.shape)} receives a {type(inputs).__name__} of {len(inputs)}: {tuple(inputs[0].shape)}"
    )


tiny = models.tiny()
handle = tiny.model.layers[0].mlp.down_proj.register_forward_pre_hook(look)
tiny(torch.tensor([[1, 2, 3, 4, 5]]))
handle.remove()

# %% [markdown]
# A *pre*-hook runs before the layer and gets its inputs, always as a tuple. (`register_forward_hook`
# runs after the layer and gets the output too; mind which of the two you take.) Four things go
# wrong with hooks:
#
# - **They stay.** A hook lives until `handle.remove()`. Left behind, it adds to every later run. It has
#   to go even when the model raises an error halfway: that is what `try: ... finally: ...` is for.
# - **They look up names late.** A function made in a loop reads the loop's variable when it *runs*, and
#   by then the loop is over:

# %% experiment
functions = [lambda: name for name in ("q_proj", "k_proj", "v_proj")]  # noqa: B023
print([function() for function in functions])

# %% [markdown]
# - **They keep things alive.** A hook that stores its inputs stores them for every layer and every
#   token. Count what that would be for the course model, and what the sums of squares take instead:

# %%
now = settings.current()
model, tokenizer = models.load(), models.tokenizer()
widths = [linear.in_features for linear in linears.pruned_linears(model).values()]
tokens = now.window * now.calibration_windows
print(
    f"all inputs of {tokens:,} tokens: {sum(widths) * tokens * 4 / 2**20:,.0f} MiB;  sums: {sum(widths) * 4 / 2**20:.1f} MiB"
)

# %% [markdown]
# The Wanda paper calibrates with 128 windows of 2,048 tokens. The sums stay as small as they are.
#
# - **They watch too much.** Only the layers that are pruned count: `linears.pruned_linears(model)`.
#   `lm_head` is a `Linear` too, but it is not among them, and no logit is needed here: calling
#   `model.model(batch)` instead of `model(batch)` leaves the head out and saves a fifth of the work.
#
# What you return, for every layer and every input channel, over *all* tokens of *all* batches:
#
# $$\lVert X_j \rVert_2 = \sqrt{\textstyle\sum_{\text{batches}} s_j}$$
#
# in float32. Take a plain sum, not a mean. (Wanda's published code divides the sum by the number of windows. That
# scales all norms of a layer by one constant and changes no ranking inside it. To leave out the root does change
# rankings: the deck's `torch.norm(x, p=2, dim=1) ** 2`, whose `x` is transposed, channels first, is our $s_j$, not
# yet the norm.)
#
# `batches` is any iterable, perhaps a generator: go through it once. The batches may differ in size.
# Leave the model as you found it.
#
# <details><summary>Hint 1</summary>
#
# What must be kept from one batch to the next? One vector for each layer, on the layer's device. A hook adds
# to it what your function of 3.1 returns. Roots come last.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A function that is *called* once for every layer has its own local names, which no later call changes: let it
# make the hook of one layer. And keep what registering returns: you need all of it at the end, also after an
# error. Gradients are off on the course models; `@torch.no_grad()` makes sure.
#
# </details>
#
# <details><summary>A smaller problem, solved</summary>
#
# One layer, and a count in place of norms: how many tokens does `layer` see in all batches?
#
#     seen = {"tokens": 0}
#
#     def count(_module, inputs):
#         seen["tokens"] += inputs[0].shape[:-1].numel()  # [B, L, in_features]
#
#     hook = layer.register_forward_pre_hook(count)
#     try:
#         for tokens in batches:
#             model.model(tokens)
#     finally:
#         hook.remove()
#
# </details>


# %% exercise="input_norms"
@torch.no_grad()
def input_norms(model, batches) -> dict[str, torch.Tensor]:
    """L2 norm of every pruned Linear's input, per channel, over all tokens of all batches.

    batches: LongTensors [B, L] of token ids on any device, in an iterable that is read once; B and L may
    differ. Returns float32 [in_features] by the module's full name, `model.layers.0.self_attn.q_proj`.
    Only sums are kept from one batch to the next. No hook is left on the model, also after an error,
    which comes through; weights and mode are as they were. Source: Wanda (Sun et al. 2024), equation 1.
    """
    ### BEGIN SOLUTION
    squares, handles = {}, []

    def watch(name, linear):
        squares[name] = torch.zeros(linear.in_features, device=linear.weight.device)

        def add(_module, inputs):
            squares[name] += sum_of_squares(inputs[0])

        handles.append(linear.register_forward_pre_hook(add))

    for name, linear in linears.pruned_linears(model).items():
        watch(name, linear)
    try:
        for batch in bar(batches, "calibration"):
            model.model(batch.to(model.device), use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return {name: total.sqrt() for name, total in squares.items()}
    ### END SOLUTION


# %% [markdown]
# The check asks tiny models first, then the course model on the calibration text: ten to
# twenty seconds.

# %% check="input_norms" points=6
check.input_norms(input_norms)

# %% [markdown]
# ### What must hold
#
# Calibration text and evaluation text come from different years and never overlap: a method must not be
# tuned on the text it is judged by. We take the windows one by one, as batches of one.

# %% experiment
calibration = corpora.windows(now.text, tokenizer, "calibration", now.window, now.calibration_windows)
norms = input_norms(model, calibration[:, None])  # [windows, 1, length]
print(f"{len(norms)} layers, {calibration.numel():,} tokens")

# %% [markdown]
# Before you trust a measurement, ask what must hold whatever the numbers are. In a decoder layer
# `q_proj`, `k_proj` and `v_proj` all read the same normalised hidden state, and `gate_proj` and
# `up_proj` share theirs. Their norms must agree to the last bit.

# %% experiment
for number in range(model.config.num_hidden_layers):
    attention, mlp = f"model.layers.{number}.self_attn", f"model.layers.{number}.mlp"
    for one, other in (
        (f"{attention}.q_proj", f"{attention}.k_proj"),
        (f"{attention}.q_proj", f"{attention}.v_proj"),
        (f"{mlp}.gate_proj", f"{mlp}.up_proj"),
    ):
        assert torch.equal(norms[one], norms[other]), f"{one} and {other} differ"
print("q, k and v agree in every layer, and so do gate and up")

# %% [markdown]
# With hooks on outputs in place of inputs, or with names bound late, you would not have come this far. It also
# means that seven matrices have only four different inputs, and from here on we look at those four.
#
# And squares add up: the norms of single windows, squared and added, must give the norms of all of them. The
# windows one by one also say how much a norm depends on the text: keep them for later.

# %% experiment
alone = [input_norms(model, window[None, None]) for window in calibration]  # by window, by layer
for name, norm in norms.items():
    together = torch.stack([one[name].square() for one in alone]).sum(dim=0).sqrt()  # [in_features]
    assert torch.allclose(together, norm, rtol=1e-4), f"{name}: the windows do not add up"
print(f"the squares of {len(alone)} windows add up in every layer")

# %% [markdown]
# ## 3.3 outlier_channels
#
# **Goal** find the loudest channels of a layer, and say how loud they are. | **Points** 1 | **Minutes** 8
#
# ### Loud channels
#
# How loud is loud? We need something to compare with. The mean is a bad choice: one channel a thousand times
# louder than the rest doubles the mean of a thousand channels. The *median* does not notice it. So the
# measure is
#
# $$r = \max_j \lVert X_j \rVert_2 \,/\, \mathrm{median}_j \lVert X_j \rVert_2 .$$
#
# With an even number of channels two stand in the middle; we take the lower one, as `torch.median` does.
#
# <details><summary>Hint 1</summary>
#
# Sorting all channels works and does too much. torch has a function that finds only the $k$ largest, in
# order, and says where they are.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The loudest norm is the first of what you found. A tensor with a single number becomes a Python float with
# `.item()`.
#
# </details>
#
# <details><summary>A smaller problem, solved</summary>
#
# Which two of three numbers are the largest?
#
#     found = torch.tensor([3.0, 9.0, 1.0]).topk(2)
#     found.values   # tensor([9., 3.])
#     found.indices  # tensor([1, 0])
#
# </details>


# %% exercise="outlier_channels"
def outlier_channels(norm: torch.Tensor, k: int) -> tuple[torch.LongTensor, float]:
    """The k loudest channels, and how far the loudest stands above the median.

    norm: float [in_features]; k from 1 to in_features. Returns int64 [k], the loudest first (channels
    equally loud in any order), and the loudest norm over the median as a Python float. The median is
    torch.median's: of an even number of channels the lower of the two in the middle.
    """
    ### BEGIN SOLUTION
    loudest = norm.topk(k)
    return loudest.indices, (loudest.values[0] / norm.median()).item()
    ### END SOLUTION


# %% check="outlier_channels" points=1
check.outlier_channels(outlier_channels)

# %% [markdown]
# ### Where in depth?
#
# The ratio for each of the four inputs, from the first decoder layer to the last. What do you expect?

# %% experiment
guess = None  # your guess: the ratio for the input of q, k, v in the middle layer

# %% experiment
kinds = {
    "q, k, v": "self_attn.q_proj",
    "o": "self_attn.o_proj",
    "gate, up": "mlp.gate_proj",
    "down": "mlp.down_proj",
}
layers = range(model.config.num_hidden_layers)
middle = len(layers) // 2


def loudness(norms: dict[str, torch.Tensor]) -> dict[str, dict[int, float]]:
    """Loudest over median: kind of input -> decoder layer -> ratio."""
    return {
        label: {number: outlier_channels(norms[f"model.layers.{number}.{kind}"], 1)[1] for number in layers}
        for label, kind in kinds.items()
    }


# %% experiment
ratios = loudness(norms)
plots.loudness_by_depth(
    ratios, "Loudest channel over the median, by decoder layer and input", guess=(middle, guess)
)

# %% experiment
by_window, rows = [loudness(one) for one in alone], []
for label, points in ratios.items():
    low, high = min(points.values()), max(points.values())
    above = sum(ratio > 10 for ratio in points.values())
    measured = [[one[label][number] for one in by_window] for number in layers]  # by layer, by window
    spread = max(max(each) / min(each) for each in measured)
    rows.append([label, f"{low:,.1f}", f"{high:,.1f}", f"{above} of {len(points)}", f"{spread:.2f}"])
print(columns(["input of", "lowest", "highest", "layers above 10", "window to window"], rows))

# %% [markdown]
# A ratio of 10 says that a weight on the loudest channel counts ten times as much as the same weight on the
# median channel. The last column tests the measurement: it takes the layer where the windows disagree
# most, and divides the highest ratio of a single window by the lowest. At 1 the text would not matter at all.
#
# **What if** you calibrate on other text? Write `"evaluation"` for `"calibration"` in the cell that makes
# `calibration`, and run the cells from there on again: which row changes most? Then put it back.

# %% [markdown]
# ### Which channels?
#
# The inputs of q, k, v and of gate, up are read from the *residual stream*, the vector that runs through the whole
# model and to which every layer adds. So the same channel number means the same place in every layer. Count how often
# a channel is among the five loudest:


# %% experiment
def often(norms: dict[str, torch.Tensor]) -> Counter:
    """How often a channel of the residual stream is among the five loudest of an input."""
    streams = [norm for name, norm in norms.items() if linears.layer_kind(name) in ("q_proj", "gate_proj")]
    return Counter(channel for norm in streams for channel in outlier_channels(norm, 5)[0].tolist())


each = [often(one) for one in alone]
inputs = 2 * len(layers)
for channel, times in often(norms).most_common(6):
    fewest, most = (end(one[channel] for one in each) for end in (min, max))
    print(f"channel {channel:4d}: in {times} of {inputs} inputs; by single windows, {fewest} to {most}")

# %% [markdown]
# A few channels stay loud through the whole depth of the model. Large models have such *outlier channels* too
# (Dettmers et al. 2022, *LLM.int8()*), and they make it hard to quantise activations.

# %% [markdown]
# ### Which tokens?
#
# A norm adds up all tokens, and hides which of them are loud. Take the highest point of `down` in the figure.
# Hook that one layer again and look at its loudest channel token by token, in three texts: the calibration
# text, the evaluation text, and the calibration text with its tokens shuffled, which makes no sense at all. We take
# four windows of each, and 128 tokens of each window.

# %% experiment
spike = max(ratios["down"], key=ratios["down"].get)
spike_name = f"model.layers.{spike}.mlp.down_proj"
spike_channel = outlier_channels(norms[spike_name], 1)[0].item()
shuffled = torch.randperm(now.window, generator=torch.Generator().manual_seed(0))
texts = {
    "calibration": calibration,
    "evaluation": corpora.windows(now.text, tokenizer, "evaluation", now.window, 4),
    "shuffled": calibration[:, shuffled],
}

# %% experiment
rows, first = [], 0
for text, windows in texts.items():
    windows, seen = windows[:4, :128], []
    hook = linears.pruned_linears(model)[spike_name].register_forward_pre_hook(
        lambda _module, inputs, seen=seen: seen.append(inputs[0][:, :, spike_channel].float())
    )
    with hook, torch.no_grad():  # the hook goes at the end of the block, whatever ends it
        model.model(windows.to(model.device), use_cache=False)
    for tokens, values in zip(windows, seen[0].cpu(), strict=True):  # [128] each
        place = values.abs().argmax().item()
        share = values[place].square() / values.square().sum()
        word = repr(tokenizer.decode([tokens[place]]))
        rows.append([text, word, str(place), f"{values[place]:,.0f}", f"{share:.2%}"])
        first += place == 0

# %% experiment
print(f"{spike_name}, channel {spike_channel}\n")
print(columns(["text", "loudest token", "its place", "value", "of the sum"], rows, left=2))
print(f"\nthe first token is the loudest in {first} of {len(rows)} windows")

# %% [markdown]
# Such a huge value at the first token, whatever word stands there, is called a *massive activation* (Sun et
# al. 2024b). With it the model marks the first position, and attention rests there when no other token matters
# (an *attention sink*). So there are two kinds of loud channels: channels that are loud at every token, and
# channels that are loud at one token per window. A norm does not tell them apart.
#
# **What if** you look at a channel of the other kind? Write
# `spike_name, spike_channel = f"model.layers.{middle}.self_attn.q_proj", often(norms).most_common(1)[0][0]` on top
# of the cell that makes `rows, first`, and run it and the next again.

# %% [markdown]
# ### How uneven is a layer?
#
# All channels of four inputs, sorted: the highest point of `down`, and three inputs of the middle layer.

# %% experiment
chosen = [
    (spike, "mlp.down_proj"),
    (middle, "mlp.down_proj"),
    (middle, "self_attn.q_proj"),
    (middle, "self_attn.o_proj"),
]
shown = {
    f"layer {number}, {kind.split('.')[1]}": norms[f"model.layers.{number}.{kind}"]
    for number, kind in dict.fromkeys(chosen)
}
plots.sorted_norms(shown, "Norms of a layer's input channels over their median, sorted")

# %% experiment
rows = []
for label, norm in shown.items():
    ordered = (norm / norm.median()).sort(descending=True).values  # [in_features]
    rows.append([label, *(f"{ordered[rank].item():#.3g}" for rank in (0, 4, 9, len(ordered) // 10, -1))])
print(columns(["norm over the median", "loudest", "5th", "10th", "top tenth ends", "quietest"], rows))

# %% [markdown]
# Magnitude does not see this. Read a row from left to right: how many channels stand out, and how
# far do the others still fall? The table says by what factor a weight counts more than one on the median channel;
# magnitude treats both alike. Lab 04 measures how much of
# Wanda's advantage comes from the few loudest channels, and how much from all the others.
#
# **What if** you look at other layers? Change the numbers in `chosen` and run these two cells again.

# %% [markdown]
# ## Your numbers beside ours
#
# Loudest over median for the first, the middle and the last decoder layer.

# %% experiment
ours, rows = expected.norms(), []
for number in dict.fromkeys((0, middle, layers[-1])):
    for kind in kinds.values():
        name = f"model.layers.{number}.{kind}"
        yours = outlier_channels(norms[name], 1)[1]
        rows.append([name, f"{yours:#.3g}", f"{ours[name]:#.3g}" if name in ours else "-"])
print(columns(["layer", "your ratio", "reference"], rows))

# %% [markdown]
# Equal in three digits? Then your norms are right, and lab 04 can prune with them: from there on
# `labsupport.given.input_norms`, which does what yours does, is given.

# %% [markdown]
# ## Question 1
#
# Three students calibrate on the same batches, which differ in size. Anna returns the root of the plain sum
# of squares. Ben divides the sum by the number of windows before he takes the root. Cem takes the norm
# of each batch and adds the norms up. Each then ranks $|W_{ij}| \cdot \lVert X_j \rVert_2$ inside a
# layer. Whose ranking differs from Anna's, and why? What if somebody ranked all layers of the model together?

# %% [markdown] written="calibration_reflection" points=3
# Ben's norms are Anna's divided by one number, the root of the number of windows, and it is the same for
# every channel. Scaling all scores of a layer by a positive constant does not change their order, so Ben
# gets Anna's ranking, also across layers, because all layers saw the same windows. Cem's ranking differs: a
# sum of roots is not the root of a sum. A channel that is equally loud in all batches gains more from adding
# norms than one that is loud in a single batch (3 and 4 give 7 instead of 5, while 5 and 0 give 5 in
# both), so the channels shift against each other, and with them the ranking, inside a layer already.

# %% [markdown] answer
# **Rubric (3 points).** One point: Ben's ranking equals Anna's, because one positive constant scales all channels.
# One point: Cem's may differ, with a reason (sums of norms are not norms of sums; an example counts). One
# point: across layers Ben's constant is still the same for all of them, because each layer saw the same windows, so
# nothing changes there either; full marks also for noting that it would change if the divisor differed by layer.

# %% [markdown]
# ## Question 2
#
# One channel of one `down_proj` owes its whole norm to the first token of each window. Wanda will
# therefore keep nearly every weight that reads this channel. Is that a flaw or is it right? Give one
# argument for each side, and say what you would measure to decide.

# %% [markdown] written="massive_reflection" points=2
# It is right if that one number matters: a thousand times the median at the first position feeds every
# later token through attention, and dropping its weights would move the output of that token very far. It may be
# a flaw, because the norm cannot tell one huge value from many moderate ones: these weights do nothing for all
# other tokens, and others that serve every token go in their place. To decide I would prune just these weights and
# measure the perplexity, or calibrate without the first token of each window and compare the perplexities of
# the two pruned models.

# %% [markdown] answer
# **Rubric (2 points).** One point for an argument on each side (the effect on the layer's output is real, against one
# token among hundreds; both must refer to what a norm adds up). One point for an experiment that could come out either
# way: zero that channel's weights and measure perplexity, leave the first token out of calibration, or use other windows.

# %% [markdown]
# ## Read on
#
# - M. Sun et al. 2024a, *A Simple and Effective Pruning Approach for Large Language Models* (Wanda,
#   [arXiv:2306.11695](https://arxiv.org/abs/2306.11695)): the method of this lab and the next.
# - M. Sun et al. 2024b, *Massive Activations in Large Language Models*
#   ([arXiv:2402.17762](https://arxiv.org/abs/2402.17762)): the first token, in many models.
# - T. Dettmers et al. 2022, *LLM.int8()* ([arXiv:2208.07339](https://arxiv.org/abs/2208.07339)): loud channels,
#   and what they do to quantisation.
# - M. Williams and N. Aletras 2024, *On the Impact of Calibration Data in Post-training Quantization and
#   Pruning* ([arXiv:2311.09755](https://arxiv.org/abs/2311.09755)): how much the text does matter.
#
# **Open question.** The norms come from text that the model reads. Which text should it be for a model that is to
# answer questions in another language, and how little of it is enough?
#
# **Finished?** Press the button below: the lab gives its memory back, and all that you see stays. (Under `start.py`, a
# lab whose tab you closed does so by itself after half an hour.)
#
# **Next:** [lab 04, Wanda pruning](../04_wanda_pruning/04_wanda_pruning.ipynb) prunes with these norms.

# %% experiment
closing.button()
