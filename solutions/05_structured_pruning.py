# %% [markdown]
# # 05  Structured pruning
#
# To write one token, a phone reads every weight once. At 51 GB a second (LPDDR5, JEDEC standard JESD209-5), 1.1
# billion weights of 2 bytes, 2.2 GB, allow 23 tokens a second. Zeros are read like any other number, so masks change
# nothing.
#
# Structured pruning removes whole rows and columns instead, and the model really gets smaller. This lab is about
# which rows and columns belong together. On the way you will find a mistake in a published table.
#
# | | |
# |---|---|
# | **You learn** | to count a Llama's weights, coupled structures, four criteria of importance, slicing, and why a sliced model equals a masked one |
# | **You need** | lab 01 (perplexity) and an idea of what a gradient is |
# | **Level** | middle: whole models, by masks, hooks and gradients |
# | **It takes** | an hour and a half of your time; all cells together run two to three minutes on two CPU cores. It can be done in two sittings: 5.1 and Question 1 need no model, and half an hour |
# | **Sources** | Ma et al. 2023, *LLM-Pruner: On the structural pruning of large language models*; Ainslie et al. 2023, *GQA*; K. D. Herbst and S. Viet, report on pruning TinyLlama (FOM, 2025) |

# %%
import tempfile

import torch
from labsupport import chat, check, closing, corpora, cost, expected, given, linears, models, plots, prompts
from labsupport import settings, structured, widths
from labsupport.given.perplexity import perplexity
from labsupport.table import columns

# %% [markdown]
# ## 5.1 count_parameters
#
# **Goal** count the weights of any Llama from its config alone. | **Points** 2 | **Minutes** 10
#
# ### Seven matrices and two norms
#
# To say "17 % smaller" one needs two counts, before and after. On the meta device a model has shapes and no
# weights; here is TinyLlama, the model of the report:

# %%
tinyllama = models.shape("tinyllama-1.1b-chat")
models.describe(tinyllama)

# %% [markdown]
# A decoder layer, with hidden size $h$, intermediate size $m$, head size $d$, $n_q$ query heads and $n_{kv}$
# key-value heads:
#
# | | shape (out, in) |
# |---|---|
# | `q_proj` | $n_q d \times h$ |
# | `k_proj`, `v_proj` | $n_{kv} d \times h$ each |
# | `o_proj` | $h \times n_q d$ |
# | `gate_proj`, `up_proj` | $m \times h$ each |
# | `down_proj` | $h \times m$ |
# | two norms | $h$ each |
#
# Often several query heads share one key-value head: *grouped-query attention* (GQA). Around the layers stand
# the embedding (vocabulary $\times\ h$), a final norm, and the output head (vocabulary $\times\ h$). If
# `tie_word_embeddings` is set, head and embedding are the same tensor. There are no biases.
#
# <details><summary>Hint 1</summary>
#
# The fields are `vocab_size`, `hidden_size`, `intermediate_size`, `num_hidden_layers`, `num_attention_heads`,
# `num_key_value_heads`, `head_dim` and `tie_word_embeddings`.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Write one layer as attention + MLP + norms, each on a line of its own. Compare with the table above: one layer of
# TinyLlama is the sum of its column "each".
#
# </details>


# %% exercise="count_parameters"
def count_parameters(config) -> int:
    """How many weights a Llama of this config has.

    config: a LlamaConfig. Grouped-query attention and tied embeddings are counted right; no biases.
    """
    ### BEGIN SOLUTION
    hidden, head_dim = config.hidden_size, config.head_dim
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    attention = hidden * head_dim * (2 * heads + 2 * kv_heads)  # q and o, k and v
    mlp = 3 * hidden * config.intermediate_size
    norms = 2 * hidden
    vocabularies = 1 if config.tie_word_embeddings else 2  # embedding, and the head if it is untied
    layers = config.num_hidden_layers * (attention + mlp + norms)
    return layers + hidden + vocabularies * config.vocab_size * hidden
    ### END SOLUTION


# %% check="count_parameters" points=2
check.count_parameters(count_parameters)

# %% [markdown]
# ### A published table
#
# The report removes 30 % of layers 4 to 17 of TinyLlama. The given `plan` computes both shapes and counts their
# parameters and MACs. A MAC is a multiply-accumulate: one for each weight of a Linear layer and each token.

# %% experiment
from labsupport.given.plans import plan

preview = plan(tinyllama.config, ratio=0.3, layers=range(4, 18), tokens=64)
before, after = preview.parameters_before, preview.parameters_after
print(f"parameters      {before:>14,}  ->  {after:>14,}  ({after / before:.4%})")
print(f"MACs, 64 tokens {preview.macs_before:>14,}  ->  {preview.macs_after:>14,}")
print(f"a dense layer: {preview.layers[0]}\na pruned one:  {preview.layers[4]}")

# %% [markdown]
# The report prints:
#
# | | before | after |
# |---|---|---|
# | number of parameters | 1261.53 M | 921.65 M |
# | computational complexity, 64 tokens | 77.32 GMac | 54.8 GMac |
#
# and, from the listing of its first column:
#
#     (q_proj): Linear(4.19 M, 268.44 MMac, in_features=2048, out_features=2048)
#     (k_proj): Linear(4.19 M, 268.44 MMac, in_features=2048, out_features=2048)
#     (v_proj): Linear(4.19 M, 268.44 MMac, in_features=2048, out_features=2048)
#     (o_proj): Linear(4.19 M, 268.44 MMac, in_features=2048, out_features=2048)
#
# One of its two columns agrees with ours, the other does not.

# %% [markdown]
# ## Question 1
#
# Which column is wrong, and which line of the listing shows it? (Your function and the table of TinyLlama's
# layers are all you need.) Derive the surplus of parameters to the last digit, and
# say what share of the MACs was really saved. (The report concludes 29 %.)

# %% [markdown] written="report_mistake" points=3
# "Before" is wrong. The listing shows `k_proj` and `v_proj` with 2048 outputs, as wide as `q_proj`.
# TinyLlama has 4 key-value heads of 64, so they have 256. The surplus is 22 layers x 2 matrices x
# (2048 x 2048 - 2048 x 256) = 161,480,704 parameters: 1,100,048,384 + 161,480,704 = 1,261,529,088,
# which is the report's 1261.53 M. The same matrices add 161,480,704 x 64 tokens = 10.33 GMac to the
# 66.20 G of the Linear layers; the rest, 0.78 G, is in no Linear layer (lab 08 finds it). "After" agrees with
# ours, 921,651,200 and 54.785 G, because the pruned model was counted as it is. Saved are 1 -
# 54.785 / 66.203 = 17 % of the MACs (and 16 % of the parameters), not 29 %.

# %% [markdown] answer
# **Rubric (3 points).** One point for the column "before" and the line of `k_proj` or `v_proj` (grouped-query attention
# ignored). One for 22 * 2 * (2048 * 2048 - 2048 * 256) = 161,480,704, or for calling `count_parameters` with
# `num_key_value_heads = 32` and taking the difference. One for 17 % of the MACs (16 to 18 % accepted, with 54.785 and 66.203 or their
# equivalents named). How could it happen? LLM-Pruner's `test_speedup.py` loads the model "before" into a Llama class of
# its own (`LLMPruner/models/hf_llama`), which was written before GQA: its `k_proj` and `v_proj` are as wide as `q_proj`.
# The report's own log of the pruning run, elsewhere in it, says `#Param before: 1100048384`: a second count would have told.

# %% [markdown]
# ## The model and two texts

# %%
now = settings.current()
model, tokenizer = models.load(), models.tokenizer()
token_windows = corpora.windows(now.text, tokenizer, "evaluation", now.window, now.evaluation_windows)
calibration = corpora.windows(now.text, tokenizer, "calibration", now.window, now.calibration_windows)
batches = list(calibration[:, None])  # LongTensors [1, length]
dense_perplexity = perplexity(model, token_windows)
print(f"{count_parameters(model.config):,} parameters, perplexity {dense_perplexity:.2f}")

# %% [markdown]
# ## 5.2 channel_importance
#
# **Goal** score each channel of an MLP by four criteria. | **Points** 3 | **Minutes** 15
#
# ### What depends on what
#
# A Llama's MLP computes $\mathrm{down}\,(\mathrm{silu}(\mathrm{gate}\,x) \odot \mathrm{up}\,x)$.
# In between are $m$ numbers for each token, the *channels*. Row $c$ of gate and row $c$ of up make channel $c$, and
# column $c$ of down uses it:
#
#          gate [m, h]        up [m, h]          down [h, m]
#        . . . . . .        . . . . . .        . . # . .
#        # # # # # #   x    # # # # # #   ->   . . # . .      # = channel c
#        . . . . . .        . . . . . .        . . # . .
#
# If one of the three is removed, the other two are useless: they are *coupled*. So they are scored together and
# removed together.
#
# ### Four criteria
#
# A channel $C$ is scored by a sum over all its weights, from all three matrices:
#
# | criterion | score |
# |---|---|
# | `"l1"` | $\sum_{w \in C} \lvert w \rvert$ |
# | `"l2"` | $\sum_{w \in C} w^2$ (no root: squares of three matrices add up) |
# | `"taylor"` | $\sum_{w \in C} \lvert w \cdot \partial L / \partial w \rvert$ |
# | `"random"` | a random number, the control group of the experiment |
#
# Why the third? Setting $w$ to zero changes the loss by about $-w \cdot \partial L/\partial w$, the first term of
# its Taylor series. It is the only criterion that uses data. Add up in float32: the largest float16 is 65504, and
# bfloat16 keeps only two to three digits.
#
# A channel with the row [1, -2] in gate, [0, 3] in up and the column [4, -1] in down has 11 by l1 and 31 by l2.
#
# <details><summary>Hint 1</summary>
#
# First a value for every single weight, then sums: over which axis for gate and up, over which for down? The result
# has one number per channel. The first step is the same in 5.3, so write a small function for it and use it twice.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `dim` of a sum is the axis that *vanishes*. gate is [channels, hidden], and channels must stay. For "random", `torch.rand` takes
# a `generator`.
#
# </details>
#
# <details><summary>A smaller problem, solved</summary>
#
# One matrix of [2 channels, 3 inputs], by l2: `torch.tensor([[1, 2, 0], [3, 0, 1]]).square().sum(dim=1)` is
# [5, 10], a number for each channel. If the same channels are the columns of a matrix of [3, 2], the axis
# that vanishes is 0.
#
# </details>


# %% exercise="channel_importance"
def channel_importance(gate, up, down, criterion: str, grads=None, generator=None) -> torch.Tensor:
    """How much each channel of an MLP matters: float32 [channels].

    gate, up: [channels, hidden]; down: [hidden, channels]. criterion: "l1", "l2", "taylor" or "random".
    grads: for "taylor", the gradients of gate, up and down. generator: for "random", a torch.Generator on
    the CPU; equal states give equal scores. Source: Ma et al. 2023, section 3.2.
    """
    ### BEGIN SOLUTION
    if criterion == "random":
        return torch.rand(len(gate), generator=generator)
    pairs = zip((gate, up, down), grads or (None, None, None), strict=True)
    gate, up, down = (salience(weight, criterion, grad) for weight, grad in pairs)
    return gate.sum(dim=1) + up.sum(dim=1) + down.sum(dim=0)  # [channels]


def salience(weight: torch.Tensor, criterion: str, grad: torch.Tensor | None) -> torch.Tensor:
    """What every single weight is worth, float32, in the weight's shape: by "l1", "l2" or "taylor"."""
    weight = weight.float()
    if criterion == "taylor":
        return (weight * grad.float()).abs()
    return weight.abs() if criterion == "l1" else weight.square()
    ### END SOLUTION


# %% check="channel_importance" points=3
check.channel_importance(channel_importance)

# %% [markdown]
# ## 5.3 kv_group_importance
#
# **Goal** score each key-value head with everything that depends on it. | **Points** 3 | **Minutes** 10
#
# ### Who serves whom
#
# In attention the smallest thing that we remove is a key-value head *with the query heads that it
# serves*, in order. With 6 query heads and 3 key-value heads:
#
# | key-value head | 0 | 1 | 2 |
# |---|---|---|---|
# | serves query heads | 0, 1 | 2, 3 | 4, 5 |
#
# So group $g$ owns `head_dim` rows of k and of v, all rows of q of the heads that it serves, and the columns of o
# that read those heads. Its score is the sum over all of these.
#
# Order matters. The tool published with the LLM-Pruner paper scores key-value head $j$ with the query heads
# $j, j + n_{kv}, j + 2 n_{kv}, \ldots$ but removes those of the table above. With grouped queries its counts are
# right, but the score that decides about a head was computed from other heads' weights.
#
# <details><summary>Hint 1</summary>
#
# First a number for each row of q, k and v and for each column of o, as in 5.2. Then add up those that belong to
# one group: they stand next to each other.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `view` gives a vector of `kv_heads * n` numbers the shape [kv_heads, n]: then each row is one group.
#
# </details>
#
# <details><summary>A smaller problem, solved</summary>
#
# Two KV heads whose k has 4 rows, with the row sums [1, 2, 10, 20]. `view(2, -1)` makes [[1, 2], [10, 20]] of
# them, a row for each head, and the sums of these rows are [3, 30]. q has more rows; with the same `view` its
# rows are longer.
#
# </details>


# %% exercise="kv_group_importance"
def kv_group_importance(
    q, k, v, o, head_dim: int, kv_heads: int, criterion: str, grads=None, generator=None
) -> torch.Tensor:
    """How much each key-value head matters, with the query heads that it serves: float32 [kv_heads].

    q: [heads * head_dim, hidden]; k, v: [kv_heads * head_dim, hidden]; o: [hidden, heads * head_dim].
    criterion, grads (of q, k, v and o) and generator as in channel_importance.
    """
    ### BEGIN SOLUTION
    if criterion == "random":
        return torch.rand(kv_heads, generator=generator)
    pairs = zip((q, k, v, o), grads or (None,) * 4, strict=True)
    q, k, v, o = (salience(weight, criterion, grad) for weight, grad in pairs)
    vectors = (q.sum(dim=1), k.sum(dim=1), v.sum(dim=1), o.sum(dim=0))
    return sum(vector.view(kv_heads, -1).sum(dim=1) for vector in vectors)
    ### END SOLUTION


# %% check="kv_group_importance" points=3
check.kv_group_importance(kv_group_importance)

# %% [markdown]
# ## 5.4 shrink_mlp
#
# **Goal** cut the channels out. | **Points** 1 | **Minutes** 5
#
# ### Rows out, columns in
#
# A channel is an *output* of gate and up, and outputs are rows. It is an *input* of down, and inputs are columns.
# `keep` holds the indices of the channels that stay, sorted. The numbers themselves do not change.
#
# <details><summary>Hint 1</summary>
#
# A tensor can be indexed with a LongTensor: it picks those rows.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# An index after a comma picks columns. Which of the three weights has its channels there?
#
# </details>
#
# <details><summary>A smaller problem, solved</summary>
#
# The first and the last row of a matrix: `torch.arange(6).view(3, 2)[[0, 2]]` is [[0, 1], [4, 5]]. The place of
# columns is after a comma.
#
# </details>


# %% exercise="shrink_mlp"
def shrink_mlp(gate, up, down, keep: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """gate, up and down with the channels of `keep` alone: [kept, hidden] twice, and [hidden, kept].

    keep: LongTensor, sorted. The numbers stay as they are, and so does their order.
    """
    ### BEGIN SOLUTION
    return gate[keep], up[keep], down[:, keep]
    ### END SOLUTION


# %% check="shrink_mlp" points=1
check.shrink_mlp(shrink_mlp)

# %% [markdown]
# ## 5.5 shrink_attention
#
# **Goal** cut key-value heads out, with their query heads. | **Points** 3 | **Minutes** 10
#
# ### A group is a block of rows
#
# `keep` now names key-value heads: blocks of `head_dim` neighbouring rows of k and v. The block of q holds all the
# heads that the group serves. o loses the columns that are q's rows.
#
# With `head_dim` 2, 3 key-value heads, 6 query heads and `keep` = [0, 2]:
#
# | | rows that stay |
# |---|---|
# | k, v (6 rows) | 0, 1, 4, 5 |
# | q (12 rows), o (12 columns) | 0, 1, 2, 3, 8, 9, 10, 11 |
#
# <details><summary>Hint 1</summary>
#
# Write a small function that turns `keep` into row numbers, given how many rows one group has. It serves all
# four matrices; for q, a group has `len(q) // kv_heads` rows.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Group $g$ with $n$ rows begins at row $g \cdot n$. Two shapes that broadcast, a column of beginnings and a row of
# steps, make a table with one group in each line. New tensors belong on the device of `keep`.
#
# </details>
#
# <details><summary>A smaller problem, solved</summary>
#
# Which days of the year lie in weeks 0 and 2? The weeks begin on days 0 and 14, so
# `(torch.tensor([[0], [14]]) + torch.arange(7)).flatten()` is 0 to 6 and 14 to 20.
#
# </details>


# %% exercise="shrink_attention"
def shrink_attention(q, k, v, o, keep: torch.Tensor, head_dim: int, kv_heads: int) -> tuple:
    """q, k, v and o with the key-value heads of `keep` alone and the query heads that they serve.

    q: [heads * head_dim, hidden]; k, v: [kv_heads * head_dim, hidden]; o: [hidden, heads * head_dim];
    keep: LongTensor of key-value heads, sorted. The numbers stay as they are, and so does their order.
    """

    ### BEGIN SOLUTION
    def block(rows: int) -> torch.Tensor:
        return (keep[:, None] * rows + torch.arange(rows, device=keep.device)).flatten()

    own, queries = block(head_dim), block(len(q) // kv_heads)
    return q[queries], k[own], v[own], o[:, queries]
    ### END SOLUTION


# %% check="shrink_attention" points=3
check.shrink_attention(shrink_attention)

# %% [markdown]
# ### Sliced is masked
#
# Does a smaller model compute what a masked one does? Your functions slice a copy of the model. In the
# original we set to zero only the rows of up and of v that the copy lacks; gate, down, q, k and o stay whole.


# %% experiment
def cut(smaller, index: int, channels: torch.Tensor, heads: torch.Tensor) -> None:
    """Keep these channels and these key-value heads of one layer, in place: LongTensors, sorted."""
    mlp, attention = structured.mlp(smaller, index), structured.attention(smaller, index)
    structured.replace(mlp, shrink_mlp(*structured.weights(mlp), channels))
    slices = shrink_attention(*structured.weights(attention), heads, head_dim, kv_heads)
    structured.replace(attention, slices)


# %% experiment
depth, head_dim = model.config.num_hidden_layers, model.config.head_dim
kv_heads, width = model.config.num_key_value_heads, model.config.intermediate_size


def best(index: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The channels and the key-value heads of a layer that stay, by l1: LongTensors, sorted."""
    mlp = structured.weights(structured.mlp(model, index))
    attention = structured.weights(structured.attention(model, index))
    channels = structured.most_important(channel_importance(*mlp, "l1"), width * 7 // 10)
    importance = kv_group_importance(*attention, head_dim, kv_heads, "l1")
    return channels, structured.most_important(importance, kv_heads - 1)


def kept_rows(name: str, keep: torch.Tensor, groups: int) -> torch.BoolTensor:
    """A mask [out, in] of a weight whose rows are this many groups: those of `keep` stay."""
    weight = model.get_submodule(name).weight
    mask = torch.zeros(groups, weight.numel() // groups, dtype=torch.bool, device=weight.device)
    return mask.index_fill(0, keep, True).view_as(weight)


# %% experiment
sliced, masks = models.load(), {}
for index in range(depth):
    channels, heads = best(index)
    cut(sliced, index, channels, heads)
    up, v = f"model.layers.{index}.mlp.up_proj", f"model.layers.{index}.self_attn.v_proj"
    masks |= {up: kept_rows(up, channels, width), v: kept_rows(v, heads, kv_heads)}

# %% experiment
window = token_windows[:1, :128].to(model.device)
with torch.no_grad(), linears.masked(model, masks):
    one, other = sliced(window).logits, model(window).logits  # [1, L, vocabulary]
smaller = sum(weight.numel() for weight in sliced.parameters()) / count_parameters(model.config)
print(f"the sliced model has {smaller:.0%} of the weights; logits up to {other.abs().max():.0f}")
print(f"largest difference between the logits of the two: {(one - other).abs().max():.5f}")
del sliced, masks, one, other

# %% [markdown]
# Equal up to rounding. This is what coupling means: once a row of up is zero, its channel is zero whatever
# gate says, and its column of down multiplies nothing but zeros; once the values of a head are zero, its keys and
# queries change nothing. All of that can go without any further loss. (Channels of the residual stream can go too,
# after a rotation: Ashkboos et al. 2024, *SliceGPT*.)

# %% [markdown]
# ## 5.6 prune_blocks
#
# **Goal** shrink a whole model in place, so that it can be used, saved and loaded. | **Points** 6 | **Minutes** 20
#
# ### Scores first
#
# All scores are those of the model *as it comes in*: for "taylor", first the gradients of all these layers, then
# slice after slice. How many channels and heads stay is given, by the published tool's rule:
#
# * of $m$ channels `int(m * (1 - ratio))` stay;
# * of the key-value rows *whole heads* go, `(rows - int(rows * (1 - ratio))) // head_dim` of them;
# * one channel and one head stay in any case.
#
# ### In place
#
# The config must say how wide each layer has become: from it a saved model is built again. What is given:
#
# | | |
# |---|---|
# | `structured.gradients(model, batches, layers)` | the gradients of these layers, by full name |
# | `widths.of_model(model)` | one `Widths(kv_heads, heads, channels)` for each layer |
# | `structured.narrowed(width, head_dim, ratio)` | the `Widths` that a ratio leaves of it |
# | `structured.mlp(model, index)`, `structured.attention(model, index)` | gate, up, down, or q, k, v, o of a layer: Linears by full name |
# | `structured.weights(linears)` | their weights, in this order |
# | `structured.most_important(importance, count)` | the sorted indices of the `count` highest scores |
# | `structured.replace(linears, slices)` | puts smaller weights in, in place |
# | `widths.note(model)` | writes all widths into the config; once, at the end |
#
# For "random" make one generator, `torch.Generator().manual_seed(0)`, before the first layer.
#
# <details><summary>Hint 1</summary>
#
# For each layer, twice the same four steps: collect weights (and gradients), score, choose `keep`, replace the
# weights by their slices.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Gradients and Linears have the same full names, so the dict of Linears tells which gradients belong to them. Your
# functions take the weights with a star: `shrink_mlp(*weights, keep)`. How many key-value heads a layer has *before*
# it is cut stands in its `Widths`.
#
# </details>
#
# <details><summary>A smaller problem, solved</summary>
#
# One MLP, by l1, of which 8 channels are to stay. `mlp = structured.mlp(model, 0)` is a dict of three
# Linears, and `weights = structured.weights(mlp)` are gate, up and down. `channel_importance(*weights, "l1")`
# has a number for each channel; `structured.most_important` takes these numbers and 8, and gives the eight
# places. Now slices of these places replace the three weights. The attention goes the same way.
#
# </details>


# %% exercise="prune_blocks"
def prune_blocks(model, ratio: float, layers: range, criterion: str, batches=None) -> None:
    """Remove the least important channels and key-value groups of these layers, in place.

    ratio: share to remove, 0 to 1; criterion: "l1", "l2", "taylor" or "random"; batches: LongTensors
    [B, L] of calibration tokens, for "taylor". All scores are those of the model as it comes in; what
    stays is bit-identical and in its old order; the config says how wide each layer is afterwards.
    """
    ### BEGIN SOLUTION
    slopes = structured.gradients(model, batches, layers) if criterion == "taylor" else {}
    generator = torch.Generator().manual_seed(0)
    head_dim, before = model.config.head_dim, widths.of_model(model)

    def gradients(linears: dict) -> tuple | None:  # each is used once, and its memory is free afterwards
        return tuple(slopes.pop(name) for name in linears) if slopes else None

    for index in layers:
        left = structured.narrowed(before[index], head_dim, ratio)

        mlp = structured.mlp(model, index)
        weights = structured.weights(mlp)
        importance = channel_importance(*weights, criterion, gradients(mlp), generator)
        keep = structured.most_important(importance, left.channels)
        structured.replace(mlp, shrink_mlp(*weights, keep))

        attention, sizes = structured.attention(model, index), (head_dim, before[index].kv_heads)
        weights = structured.weights(attention)
        importance = kv_group_importance(*weights, *sizes, criterion, gradients(attention), generator)
        keep = structured.most_important(importance, left.kv_heads)
        structured.replace(attention, shrink_attention(*weights, keep, *sizes))
    widths.note(model)
    ### END SOLUTION


# %% [markdown]
# This check prunes tiny models in seven ways and then the course model itself: a quarter of a minute.

# %% check="prune_blocks" points=6
check.prune_blocks(prune_blocks)

# %% [markdown]
# ### What a gradient costs
#
# Taylor needs the gradient of every weight that it scores, and a gradient is as large as its weight. So the gradients
# take as much memory as *the weights of these layers*, and the activations of one batch come on top. As in the
# report, the first and last layers stay whole.

# %% experiment
layers = range(depth * 2 // 15, depth - depth * 2 // 15)
bound = sum(
    linear.weight.nbytes
    for index in layers
    for linear in (structured.mlp(model, index) | structured.attention(model, index)).values()
)
print(f"the weights of layers {layers.start} to {layers[-1]}: {bound / 1e6:.1f} MB")

# %% experiment
for some in (batches[:2], batches):
    slopes = None  # not two sets of gradients at a time
    slopes, peak = cost.peak_memory(lambda some=some: structured.gradients(model, some, layers))
    held = sum(slope.nbytes for slope in slopes.values())
    print(f"{len(some)} batches: gradients of {held / 1e6:.1f} MB, {peak / 1e6:.0f} MB at the worst moment")

# %% [markdown]
# The gradients take exactly as much as the weights. The rest of the peak is the activations of *one* batch, so more
# batches take more time and hardly more memory. (The published tool takes the gradients
# of *all* weights. The report's logs end with 4130.38 MiB for taylor and 1783.69 MiB for l1: no peaks, but what was still
# allocated after the pruning. Lab 08 asks what the difference is.)

# %% [markdown]
# ### What the criteria see
#
# Do l1 (the size of the weights) and taylor (the effect on the loss) rank the channels of a layer alike? A rank
# correlation is 1 for equal orders, 0 for unrelated ones, -1 for reversed ones.

# %% experiment
guess = None  # your guess: the rank correlation of l1 and taylor in the last of these layers, from -1 to 1


# %% experiment
def rank_correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    """Spearman's: the correlation of the ranks of two vectors [n]."""
    ranks = torch.stack([values.argsort().argsort().double() for values in (one, other)])  # [2, n]
    return torch.corrcoef(ranks)[0, 1].item()


def by_taylor(index: int, slopes: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """The importance of a layer's channels and of its key-value heads by taylor."""
    mlp, attention = structured.mlp(model, index), structured.attention(model, index)
    grads = [tuple(slopes[name] for name in each) for each in (mlp, attention)]
    mlp, attention = structured.weights(mlp), structured.weights(attention)
    of_channels = channel_importance(*mlp, "taylor", grads[0])
    return of_channels, kv_group_importance(*attention, head_dim, kv_heads, "taylor", grads[1])


by_loss = {index: by_taylor(index, slopes) for index in layers}  # of the channels, and of the heads
del slopes

# %% experiment
agreement, middles = {}, []
for index in layers:
    by_size = channel_importance(*structured.weights(structured.mlp(model, index)), "l1")
    agreement[index] = rank_correlation(by_size, by_loss[index][0])
    middles.append(by_size.quantile(torch.tensor([0.1, 0.9], device=by_size.device)) / by_size.median())
plots.agreement_by_depth(
    agreement, "Do l1 and taylor rank the channels of a layer alike?", guess=(layers[-1], guess)
)
low, high = min(agreement, key=agreement.get), max(agreement, key=agreement.get)
reversed_in = sum(value < 0 for value in agreement.values())
print(f"from {agreement[low]:.2f} in layer {low} to {agreement[high]:.2f} in layer {high}")
print(f"below zero, so that size points the wrong way, in {reversed_in} of {len(agreement)} layers")
small, large = torch.stack(middles).mean(dim=0).tolist()
print(f"by l1 the middle 80 % of a layer's channels lie from {small:.2f} to {large:.2f} times its median")

# %% [markdown]
# Below zero, l1 tends to drop the channels that the loss needs: those that do a lot with small weights, because their
# inputs are large or because the loss is sensitive to them. Weights alone cannot show that, as in lab 04.
#
# **What if** you measure size by l2, or by `down` alone? Change `by_size` and run that cell again.

# %% [markdown]
# ### Four criteria, two ratios
#
# What will each ratio leave of *this* model? The widths tell it before anything is pruned.

# %% experiment
texts, config = {"dense": prompts.written(model, tokenizer)}, model.config
ratios = (0.2, 0.35)
for ratio in ratios:
    preview = plan(config, ratio, layers)
    print(f"{ratio:.0%}: {preview.parameters_after / preview.parameters_before:.1%} of the parameters stay,")
    print(f"     a pruned layer has {preview.layers[layers[0]]}", *preview.notes, sep="\n     ")

# %% [markdown]
# A ratio that does not amount to a whole head leaves attention alone. (The published tool crashes there.) One random
# draw may be lucky or unlucky, so "random" has three.

# %% experiment
guess = None  # your guess: the perplexity of "random" at 35 %


# %% experiment
def pruned(criterion: str, ratio: float):
    """A fresh model with this share of its inner layers removed."""
    fresh = models.load()
    prune_blocks(fresh, ratio, layers, criterion, batches)
    return fresh


def drawn(seed: int, ratio: float):
    """The same by "random" with another seed."""
    fresh, generator = models.load(), torch.Generator().manual_seed(seed)
    left = structured.narrowed(widths.of_model(fresh)[layers[0]], head_dim, ratio)
    for index in layers:
        channels = torch.randperm(width, generator=generator)[: left.channels].sort().values
        heads = torch.randperm(kv_heads, generator=generator)[: left.kv_heads].sort().values
        cut(fresh, index, channels, heads)
    return fresh


# %% experiment
model = None  # memory for one model at a time; the cell before 5.2 loads the dense one again
found = {}
for criterion in ("l1", "l2", "random", "taylor"):
    found[criterion] = {}
    for ratio in ratios:
        small = None
        small = pruned(criterion, ratio)
        found[criterion][ratio] = [perplexity(small, token_windows)]
        print(f"{ratio:.0%}  {criterion:7} {found[criterion][ratio][0]:8.2f}")
    texts[f"{criterion}, {ratio:.0%}"] = prompts.written(small, tokenizer)

# %% experiment
for ratio in ratios:
    found["random"][ratio] += [perplexity(drawn(seed, ratio), token_windows) for seed in (1, 2)]
    print(f"{ratio:.0%}  random, three draws:", *(f"{value:.1f}" for value in found["random"][ratio]))

# %% experiment
plots.perplexity_by_criterion(
    found,
    dense_perplexity,
    "Perplexity by criterion (random: three draws, the middle one and the range)",
    guess=(list(found).index("random"), guess),
)
for ratio in ratios:
    chance = found["random"][ratio]
    print(
        f"{ratio:.0%}: the highest of three random draws is {max(chance) / min(chance):.2f} times the lowest"
    )
    for criterion in ("l1", "l2", "taylor"):
        (value,) = found[criterion][ratio]
        place = "above" if value > max(chance) else "below" if value < min(chance) else "among"
        print(f"     {criterion} lies {place} the three")

# %% [markdown]
# On the course model l1 is worse than random numbers at both ratios: random pruning hits an important channel now and
# then; l1 hits every important channel whose weights are small. At 35 % a head goes with the channels, chosen at
# random too, and the highest of the three draws is six times the lowest: a single draw would have told us nothing. (No
# model was trained afterwards; lab 06 does that.)
#
# **What if** the first layers and the last were pruned as well? In a new cell, set `layers = range(depth)` and look at
# `perplexity(pruned("taylor", 0.2), token_windows)`. Then set `layers = range(depth * 2 // 15, depth - depth * 2 // 15)`
# again.

# %% [markdown]
# ### Channels or heads?
#
# At the larger ratio both went. Which hurts more, for the same number of weights? One model loses one
# key-value head of each layer, with its query heads; another one loses as many weights, all in channels. Taylor chooses.

# %% experiment
one_head = 2 * head_dim * (1 + config.num_attention_heads // kv_heads)  # rows and columns of a head
as_many = round(one_head / 3)  # a channel has three
count = count_parameters(config)


def loss_of(what: str, channels: int, heads: int) -> float:
    """Keep this many channels and heads of each layer: by how much perplexity rises, in percent."""
    fresh = models.load()
    for index in layers:
        cut(fresh, index, *map(structured.most_important, by_loss[index], (channels, heads)))
    gone = count - sum(weight.numel() for weight in fresh.parameters())
    rise = 100 * perplexity(fresh, token_windows) / dense_perplexity - 100
    print(f"{what:22} {gone / 1e6:5.2f} M weights gone, perplexity {rise:+.1f} %")
    return rise / gone


by_channels = loss_of(f"{as_many} channels a layer", width - as_many, kv_heads)
by_heads = loss_of("one KV head a layer", width, kv_heads - 1)
print(f"per weight, the heads cost {by_heads / by_channels:.1f} times as much as the channels")

# %% [markdown]
# ### Save it, load it, let it write
#
# The last one, `small`, was pruned by taylor. Save it, load it in its new shape, and compare.

# %% experiment
before_saving = perplexity(small, token_windows[:1])
with tempfile.TemporaryDirectory() as folder:
    small.save_pretrained(folder)
    small = models.load(folder)
left = sum(weight.numel() for weight in small.parameters())
print(f"{left:,} parameters, {1 - left / count:.0%} fewer")
print(f"layer {layers[0]}: {small.model.layers[layers[0]].mlp}")
print(f"perplexity of one window before saving {before_saving!r}")
print(f"                         after loading {perplexity(small, token_windows[:1])!r}")

# %% experiment
print(prompts.side_by_side(texts))

# %% [markdown]
# Is it still a sentence, and is it still true? Ask the model yourself: this cell keeps it in your cache folder, and
# says how to talk to it beside the dense one.

# %% experiment
chat.keep(small, f"{settings.current().model}-taylor-{ratios[-1]:.0%}".rstrip("%"))

# %% [markdown]
# ## Your numbers beside ours

# %% experiment
ours, report = expected.structured(), expected.REPORT  # the report's: TinyLlama
rows = []
for criterion, points in found.items():
    mine = [
        (f"{sorted(draws)[len(draws) // 2]:.2f}", ours.get((criterion, r), "-"))
        for r, draws in points.items()
    ]
    rows.append([criterion, *mine[0], *mine[1], *report[criterion]])
header = ["criterion", "20 %", "reference", "35 %", "reference", "report, wikitext2", "report, ptb"]
print(columns(header, rows))

# %% [markdown]
# "Random" is the middle one of three draws. The last two columns are the report's: TinyLlama, 30 % of layers 4
# to 17, other texts, float16, windows of 2,048 tokens, and by the tool's default 10 windows of 64 for taylor. So
# the numbers cannot be compared (the page *The report, step by step* names every difference). Can the order? Taylor is best and l1 worst in both. The report's l2 and random lie
# closer together than any two of our draws at 35 %: nothing follows from their order.

# %% [markdown]
# ## Question 2
#
# Random pruning beats l1 here and in the report. Does that mean that magnitudes carry no information about a weight's
# importance? Lab 02 pruned single weights by magnitude, and not at all badly up to 30 %. What is different here?

# %% [markdown] written="criteria_reflection" points=2
# No. Inside one matrix, or one row, a small weight usually does less than a large one on the same input: that is what
# lab 02 used. Here whole channels are compared, by sums over thousands of weights of three matrices. These sums are
# much alike for most channels (four in five lie within an eighth of the middle one), so their order says little about weights and nothing about how large a channel's
# inputs are or how sensitive the loss is to it. In some layers the order is even reversed: channels with small
# weights and large effect. A rule that is wrong in a systematic way removes all of those, chance only its share.

# %% [markdown] answer
# **Rubric (2 points).** One point for the difference: single weights within a matrix against sums over coupled
# structures (the sums lie close together; the size of the inputs and the loss are left out). One for why chance can
# win: a systematic error removes the important channels in every layer, random numbers remove only the ratio's share
# of them; the figure by depth may serve as evidence.

# %% [markdown]
# ## 5.7 compensation ★
#
# **Goal** put back, as a bias, what cut channels added on average. | **Points** none, for the fun of it | **Minutes** 10
#
# ### What a constant can replace
#
# Channel $c$ adds $w_c\, x_c$ to the output of the MLP: column $c$ of down, times a number that changes from token to
# token. Where the channel is cut, a constant can replace the mean of that. All these constants together are one *bias*
# for each output:
#
# $$b = \sum_{c\ \text{cut}} w_c\, \mu_c, \qquad \mu_c = \text{the mean of}\ x_c\ \text{over all tokens.}$$
#
# With it the smaller layer is right *on average*. What no constant can replace is the *fluctuation*: for channel $c$
# alone, the mean squared error falls from $\lVert w_c\rVert^2\, \overline{x_c^2}$ to
# $\lVert w_c\rVert^2\, \mathrm{Var}(x_c)$. FLAP (An et al. 2024) cuts the channels for which the latter is small, and
# adds the bias.
#
# By hand: one output, `down_weight` [[2, 3]], and two tokens, `x` [[1, 4], [1, 6]]. If channel 0 is cut, the bias is
# 2 * 1 = 2, and nothing is lost. If channel 1 is cut, it is 3 * 5 = 15, where the tokens needed 12 and 18.
#
# `x` is the input of down, [..., channels]. All axes but the last are tokens; a single token has none of these axes.
# Compute in float32, whatever the inputs are.
#
# <details><summary>Hint 1</summary>
#
# `keep` names what stays. A bool vector over all channels, True at first and False at `keep`, names the others.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `x.reshape(-1, x.shape[-1])` is [tokens, channels] for every x. Its mean has one number per channel. A matrix times
# this vector is the sum of the formula.
#
# </details>


# %% exercise="compensation"
def compensation(down_weight: torch.Tensor, x: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """The bias that replaces the mean contribution of the channels that are not in `keep`: float32 [hidden].

    down_weight: [hidden, channels]; x: [..., channels], the input of down, all axes but the last are tokens;
    keep: LongTensor of channels, in any order. Source: An et al. 2024 (FLAP), baseline bias compensation.
    """
    ### BEGIN SOLUTION
    cut_away = torch.ones(x.shape[-1], dtype=torch.bool, device=keep.device).index_fill(0, keep, False)
    mean = x.float().reshape(-1, x.shape[-1]).mean(dim=0)  # [channels]
    return down_weight[:, cut_away].float() @ mean[cut_away]
    ### END SOLUTION


# %% check="compensation" points=0
check.compensation(compensation)

# %% [markdown]
# ### How much is a constant?
#
# Cut 30 % of one layer's channels, chosen in four ways. The bias comes from the calibration windows, and the error is
# measured on two evaluation windows.

# %% experiment
small, model = None, models.load()  # memory for one model at a time
mlp = structured.mlp(model, layers[-1])
down = list(mlp.values())[-1]  # a Linear


def inputs_of(linear, windows: torch.Tensor) -> torch.Tensor:
    """What reaches a Linear of the model: [windows, L, in_features]."""
    found = []
    hook = linear.register_forward_pre_hook(lambda _module, inputs: found.append(inputs[0]))
    with torch.no_grad():
        for each in windows:
            model.model(each[None].to(model.device))  # without the head
    hook.remove()
    return torch.cat(found).float()


# %% experiment
weight = down.weight.detach().float()
x, new = inputs_of(down, calibration), inputs_of(down, token_windows[:2])
column, per_channel = weight.square().sum(dim=0), x.flatten(0, 1)  # [channels], [tokens, channels]
choices = {
    "by chance": torch.rand(width, generator=torch.Generator().manual_seed(0)).to(x.device),
    "l1": channel_importance(*structured.weights(mlp), "l1"),
    "mean square": column * per_channel.square().mean(dim=0),
    "fluctuation": column * per_channel.var(dim=0),
}

# %% experiment
rows, whole = [], (new @ weight.T).square().sum()
for choice, importance in choices.items():
    keep = structured.most_important(importance, width * 7 // 10)
    lost = new @ weight.T - new[..., keep] @ weight[:, keep].T  # [windows, L, hidden]
    errors = [(lost - bias).square().sum() / whole for bias in (0, compensation(weight, x, keep))]
    rows.append([choice, *(f"{error:.1%}" for error in errors), f"{1 - errors[1] / errors[0]:.0%}"])
print("squared error of the MLP's output, as a share of the output's own square")
print(columns(["channels chosen", "without bias", "with it", "repaired"], rows))

# %% [markdown]
# On the course model the bias repairs a fifth of l1's error and a few percent of the others', and a better choice saves
# far more than any bias. A channel is a product, $\mathrm{silu}(\mathrm{gate}\,x) \odot \mathrm{up}\,x$, and up has both
# signs: most means are close to zero, and nearly all of a channel is fluctuation. Then the two last choices hardly
# differ, either.
#
# **What if** you take another layer? Change `layers[-1]` where `mlp` is chosen, and run the cells below it again.

# %% [markdown]
# ## Read on
#
# - X. Ma et al. 2023, *LLM-Pruner* ([arXiv:2305.11627](https://arxiv.org/abs/2305.11627)): the tool of the report.
# - J. Ainslie et al. 2023, *GQA* ([arXiv:2305.13245](https://arxiv.org/abs/2305.13245)): why heads share keys.
# - S. Ashkboos et al. 2024, *SliceGPT* ([arXiv:2401.15024](https://arxiv.org/abs/2401.15024)): the residual stream
#   gets narrower, too.
# - Y. An et al. 2024, *Fluctuation-based adaptive structured pruning for large language models*
#   ([arXiv:2312.11983](https://arxiv.org/abs/2312.11983)): FLAP, of 5.7.
#
# **Open question.** Every layer, and every kind of structure, was given the same ratio. How many channels is a head
# worth, and how much of a late layer is as good as an early one? Can one know it without trying?
#
# **Finished?** Press the button below: the lab gives its memory back, and all that you see stays. (Under `start.py`, a
# lab whose tab you closed does so by itself after half an hour.)
#
# **Next:** [lab 06, recovery](../06_recovery/06_recovery.ipynb) trains pruned models, for a minute.

# %% experiment
closing.button()
