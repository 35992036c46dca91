# %% [markdown]
# # 03  Wanda, part 1: calibration
#
# Lab 02 judged a weight by its size alone. But a weight never acts alone: it multiplies a number that
# comes in, and some of these numbers are a thousand times larger than others. In this lab you measure
# them. Lab 04 then prunes with what you measured.
#
# | | |
# |---|---|
# | **You learn** | why magnitude misjudges, how to look inside a model with hooks, and which channels are loud |
# | **You need** | lab 02 (masks, and which layers are pruned) |
# | **It takes** | an hour of your time; all cells together run about a minute on two CPU cores |
# | **Sources** | Sun et al. 2024a, *A Simple and Effective Pruning Approach for Large Language Models* (Wanda), equation 1; Sun et al. 2024b, *Massive Activations in Large Language Models*; D. Shin, *On-Device AI* lab deck on LLM pruning (Sungkyunkwan University), exercise 2 |

# %%
from collections import Counter

import torch
from labsupport import check, corpora, expected, given, linears, models, plots, settings
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
# The small weight does more: it multiplies the loud channel. And the distance can be had without
# running the layer twice. Without the weight $W_{ij}$, output $i$ of token $t$ moves by $W_{ij} X_{tj}$;
# over all tokens that is
#
# $$\sqrt{\textstyle\sum_t (W_{ij} X_{tj})^2} \;=\; |W_{ij}| \cdot \lVert X_j \rVert_2 ,
# \qquad \lVert X_j \rVert_2 = \sqrt{\textstyle\sum_t X_{tj}^2}.$$
#
# This is equation 1 of the Wanda paper, *weights and activations*. Not an estimate: for a single
# weight it is exactly the distance that the layer's output moves.

# %% experiment
print("|weight| * norm of its channel:", weight.abs() * x.norm(dim=0))

# %% [markdown]
# The weights we have. The norms of the channels we have to measure, on text: that is *calibration*.
# It needs no labels, no gradients and, as you will see, very little text.

# %% [markdown]
# ## 3.1 sum_of_squares
#
# **Goal** measure how loud every input channel of a layer is. | **Points** 2 | **Minutes** 10
#
# ### The size of a channel
#
# Activations come as `[B, L, in_features]`: windows, tokens, channels. For the norm it does not matter
# which window a token came from. Only the last axis stays; over all others you sum:
#
# $$s_j = \sum_{b,l} x_{blj}^2 .$$
#
# We leave the root for later. Squares add up over batches, roots do not: a channel that has 3 in one
# batch and 4 in the next has $s = 9 + 16$ and norm 5, not 7.
#
# *Precision.* Models often run in half precision, and float16 ends at 65504. See what that means:

# %% experiment
loud = torch.tensor([200.0, 256.0, 3000.0], dtype=torch.float16)
print("squared in float16:", loud.square().tolist())
print("squared in float32:", loud.float().square().tolist())

# %% [markdown]
# Numbers like the last one do occur: you will meet 3000 below. bfloat16 does not overflow, but it keeps
# three digits only, so a long sum stops growing. So: float32 first, then square, then sum.
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
# in float32. A plain sum, not a mean: Wanda's published code divides by the number of windows on the
# way, which scales a whole layer by one constant and changes no ranking. Leaving out the root does: the
# deck's `torch.norm(x, p=2, dim=1) ** 2` (its `x` is turned round, channels first) is our $s_j$, not
# yet the norm.
#
# `batches` is any iterable, perhaps a generator: go through it once. The batches may differ in size.
# Leave the model as you found it.
#
# <details><summary>Hint 1</summary>
#
# Start a dict with a vector of zeros for every layer, on the layer's device. Each hook adds
# `sum_of_squares(inputs[0])` to the entry of its own layer. Roots come last.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Write an inner function `watch(name, linear)` that defines the hook and registers it: then `name`
# belongs to this one call and no later one can change it. Collect the handles in a list; run the batches under
# `try:` and remove every handle under `finally:`. Gradients are off on the course models;
# `@torch.no_grad()` makes sure.
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
# ### What must be so
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
# Had the names been bound late, or outputs been watched, this would have failed at once. It also means
# that seven matrices have only four different inputs, and from here on we look at those four.

# %% [markdown]
# ## 3.3 outlier_channels
#
# **Goal** find the loudest channels of a layer, and say how loud they are. | **Points** 1 | **Minutes** 8
#
# ### Loud channels
#
# "Loud" needs something to compare with. The mean is a bad choice: one channel a thousand times
# louder than the rest doubles the mean of a thousand channels. The *median* does not notice it. So the
# measure is
#
# $$r = \max_j \lVert X_j \rVert_2 \,/\, \mathrm{median}_j \lVert X_j \rVert_2 .$$
#
# With an even number of channels two stand in the middle; we take the lower one, as `torch.median` does.
#
# <details><summary>Hint 1</summary>
#
# One function of torch gives the $k$ largest numbers together with their places, in the right order.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `torch.topk` returns `values` and `indices`. A tensor with a single number becomes a Python float
# with `.item()`.
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
# The ratio for each of the four inputs, from the first decoder layer to the last.

# %% experiment
kinds = {
    "q, k, v": "self_attn.q_proj",
    "o": "self_attn.o_proj",
    "gate, up": "mlp.gate_proj",
    "down": "mlp.down_proj",
}
ratios = {
    label: {
        number: outlier_channels(norms[f"model.layers.{number}.{kind}"], 1)[1]
        for number in range(model.config.num_hidden_layers)
    }
    for label, kind in kinds.items()
}
top = max(max(points.values()) for points in ratios.values())
plots.loudness_by_depth(ratios, f"Every input has a loud channel; the loudest is {top:,.0f} times the median")

# %% [markdown]
# On the course model, the input of q, k and v is loud in every layer, twenty to seventy times the
# median. That of `o_proj` is the most even: below ten nearly everywhere. `down_proj` is above ten
# in nearly half of the layers, the first three and the last eight among them, and one of its spikes
# is enormous.

# %% [markdown]
# ### Which channels?
#
# The inputs of q, k, v and of gate, up are read from the same residual stream, so the same channel
# number means the same place in every layer. Count how often a channel is among the five loudest:

# %% experiment
streams = [norm for name, norm in norms.items() if linears.layer_kind(name) in ("q_proj", "gate_proj")]
seen = Counter(channel for norm in streams for channel in outlier_channels(norm, 5)[0].tolist())
for channel, times in seen.most_common(6):
    print(f"channel {channel:4d} is among the five loudest in {times} of {len(streams)} inputs")

# %% [markdown]
# A handful of channels out of 576 stay loud through the whole depth of the model. Most large models
# have such channels (Dettmers et al. 2022, *LLM.int8()*); they are also what makes it hard to
# quantise activations.

# %% [markdown]
# ### Which tokens?
#
# And the spike of `down_proj`? A norm adds up all tokens. Hook that one layer again and look at its
# loudest channel token by token, in a single window.

# %% experiment
spike = max(ratios["down"], key=ratios["down"].get)
name = f"model.layers.{spike}.mlp.down_proj"
channel = outlier_channels(norms[name], 1)[0].item()
values = []
handle = linears.pruned_linears(model)[name].register_forward_pre_hook(
    lambda _module, inputs: values.append(inputs[0][0, :, channel].float())
)
with torch.no_grad():
    model.model(calibration[:1].to(model.device), use_cache=False)
handle.remove()

# %% experiment
squares = values[0].square()
place = squares.argmax().item()
print(
    f"{name}, channel {channel}: token {place}, {tokenizer.decode(calibration[0, place])!r}, is {values[0][place]:,.0f}"
)
print(
    f"and holds {squares[place] / squares.sum():.2%} of the sum; the median size is {values[0].abs().median():.4f}"
)

# %% [markdown]
# On the course model it is one token, the *first of the window*, whatever word stands there. This
# is a *massive activation* (Sun et al. 2024b): the model uses the first position as a place for
# attention to rest on when it has nothing to look at, and raises one number in the thousands to
# mark it. So there are two kinds of loud channels: channels that are loud at every token, and
# channels that are loud at one token per window. A norm does not tell them apart.

# %% [markdown]
# ### How uneven is a layer?
#
# All channels of four inputs, sorted: the spike, its quiet neighbour, and both inputs of the middle layer.

# %% experiment
middle = model.config.num_hidden_layers // 2
chosen = [
    (spike, "mlp.down_proj"),
    (middle, "mlp.down_proj"),
    (middle, "self_attn.q_proj"),
    (middle, "self_attn.o_proj"),
]
plots.sorted_norms(
    {
        f"layer {number}, {kind.split('.')[1]}": norms[f"model.layers.{number}.{kind}"]
        for number, kind in dict.fromkeys(chosen)
    },
    "A few channels stand out; the others fall slowly",
)

# %% [markdown]
# This is what magnitude does not see. Both axes are logarithmic: of several hundred channels, a
# handful on the left stands out, and the others still fall by a factor of four to six. A weight on
# one of the loud channels is worth ten or a hundred times what its size says, and magnitude drops
# it as readily as any other. Lab 04 measures how much of Wanda's advantage the loud handful
# explains, and how much the slope.

# %% [markdown]
# ## Your numbers beside ours
#
# Loudest over median for the first, the middle and the last decoder layer.

# %% experiment
ours, rows = expected.norms(), []
for number in dict.fromkeys((0, middle, model.config.num_hidden_layers - 1)):
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
# gets Anna's ranking, also across layers, because all layers saw the same windows. Cem's do differ: a
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
# a flaw, because the norm cannot tell one huge value from many middling ones: these weights do nothing for all
# other tokens, and others that serve every token go in their place. To decide I would prune just these weights and
# measure the perplexity, or calibrate without the first token of each window and compare the perplexities of
# the two pruned models.

# %% [markdown] answer
# **Rubric (2 points).** One point for an argument on each side (the effect on the layer's output is real, against one
# token among hundreds; both must refer to what a norm adds up). One point for an experiment that could come out either
# way: zero that channel's weights and measure perplexity, leave the first token out of calibration, or use other windows.
