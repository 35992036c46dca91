# %% [markdown]
# # 05  Structured pruning
#
# The masks of labs 02 and 04 leave every matrix as large as it was: zeros are stored, loaded and multiplied like
# any other number. Structured pruning removes whole rows and columns instead, so that the model really gets
# smaller. For that one must know which rows and columns belong together, and that is what this lab is about. On
# the way you will find a mistake in a published table.
#
# | | |
# |---|---|
# | **You learn** | to count a Llama's weights, coupled structures, four criteria of importance, slicing, and why a sliced model equals a masked one |
# | **You need** | lab 01 (perplexity) and an idea of what a gradient is |
# | **It takes** | an hour and a half of your time; all cells together run about two and a half minutes on two CPU cores |
# | **Sources** | Ma et al. 2023, *LLM-Pruner: On the structural pruning of large language models*; Ainslie et al. 2023, *GQA*; K. D. Herbst and S. Viet, report on pruning TinyLlama (FOM, 2025) |

# %%
import tempfile

import torch
from labsupport import check, corpora, cost, expected, given, linears, models, plots
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
# To say "17 % smaller" one needs two counts, before and after. So let us count first. On the meta
# device a model has shapes and no weights; here is TinyLlama, the model of the report, without a
# byte of it:

# %%
tinyllama = models.shape("tinyllama-1.1b-chat")
models.describe(tinyllama)

# %% [markdown]
# A decoder layer holds seven matrices and two norms. With hidden size $h$, intermediate size $m$, head size $d$,
# $n_q$ query heads and $n_{kv}$ key-value heads:
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
# $n_{kv}$ is often smaller than $n_q$: that is *grouped-query attention* (GQA), where several query heads share
# one key-value head. Around the layers stand the embedding (vocabulary $\times\ h$), a final norm, and the
# output head (vocabulary $\times\ h$). If `tie_word_embeddings` is set, head and embedding are the same tensor.
# The linear layers have no biases.
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
# The report removes 30 % of layers 4 to 17 of TinyLlama. What a ratio will do can be said without any weight:
# the given `plan` builds both shapes and counts.

# %% experiment
from labsupport.given.plans import plan

preview = plan(tinyllama.config, ratio=0.3, layers=range(4, 18), tokens=64)
before, after = preview.parameters_before, preview.parameters_after
print(f"parameters      {before:>14,}  ->  {after:>14,}  ({after / before:.4%})")
print(f"MACs, 64 tokens {preview.macs_before:>14,}  ->  {preview.macs_after:>14,}")
print(f"a dense layer: {preview.layers[0]}\na pruned one:  {preview.layers[4]}")

# %% [markdown]
# MACs are multiply-accumulates, one for each weight of a Linear layer and each token. Here is what the
# report prints for the same two models:
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
# One of its two columns agrees with ours and one does not. The next question is yours; your function and the table of
# TinyLlama's layers above are all you need.

# %% [markdown]
# ## Question 1
#
# Which column is wrong, and which line of the listing shows it? Derive the surplus of parameters to the last digit, and
# say what share of the MACs was really saved. (The report concludes 29 %.)

# %% [markdown] written="report_mistake" points=3
# "Before" is wrong. The listing shows `k_proj` and `v_proj` with 2048 outputs, as wide as `q_proj`.
# TinyLlama has 4 key-value heads of 64, so they have 256. The surplus is 22 layers x 2 matrices x
# (2048 x 2048 - 2048 x 256) = 161,480,704 parameters: 1,100,048,384 + 161,480,704 = 1,261,529,088,
# which is the report's 1261.53 M. The same matrices add 161,480,704 x 64 tokens = 10.33 GMac to the
# 66.20 G of the Linear layers; the rest, 0.78 G, is attention's own products (0.37 G, counted
# twice) and 0.03 G of norms and rotations, which the tool counted in that run. "After" agrees with
# ours, 921,651,200 and 54.785 G, because the pruned model was counted as it is. Saved are 1 -
# 54.785 / 66.203 = 17 % of the MACs (and 16 % of the parameters), not 29 %.

# %% [markdown] answer
# **Rubric (3 points).** One point for the column "before" and the line of `k_proj` or `v_proj` (grouped-query attention
# ignored). One for 22 * 2 * (2048 * 2048 - 2048 * 256) = 161,480,704, or for calling `count_parameters` with
# `num_key_value_heads = 32` and taking the difference. One for 17 % of the MACs (16 to 18 % accepted, with 54.785 and 66.203 or their
# equivalents named). How could it happen? A tool that was written before GQA, or one that measured a model in which the
# key-value heads had been repeated, has no line for narrow keys. The report's own log of the pruning run,
# elsewhere in it, says `#Param before: 1100048384`: a second count would have told.

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
# Between the two steps lie $m$ numbers; each is called a *channel*. Channel $c$ is made by row $c$
# of gate and row $c$ of up, and used by column $c$ of down:
#
#          gate [m, h]        up [m, h]          down [h, m]
#        . . . . . .        . . . . . .        . . # . .
#        # # # # # #   x    # # # # # #   ->   . . # . .      # = channel c
#        . . . . . .        . . . . . .        . . # . .
#
# Remove one of the three and the other two are useless. So they are *coupled*: they are scored together, and they go together.
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
# Why the third? Setting $w$ to zero changes the loss by about $w \cdot \partial L/\partial w$: the first term of its Taylor series.
# It is the only one of the four that knows the data.
#
# float16 ends at 65504, and a sum of squares is soon beyond; bfloat16 keeps only three digits of
# one: add up in float32.
#
# <details><summary>Hint 1</summary>
#
# First a value for every single weight, then sums: over which axis for gate and up, over which for down? The result
# has one number a channel. The first step is the same in 5.3, so a small function of its own will serve you twice.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `dim` of a sum is the axis that *vanishes*. gate is [channels, hidden], and channels must stay. For "random", `torch.rand` takes
# a `generator`.
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
# **Goal** score each key-value head with all that hangs on it. | **Points** 3 | **Minutes** 15
#
# ### Who serves whom
#
# In attention the smallest thing that we remove is a key-value head *with the query heads that it
# serves*: queries without keys have nothing to look at. Query heads are served in order. With 6
# query heads and 3 key-value heads:
#
# | key-value head | 0 | 1 | 2 |
# |---|---|---|---|
# | serves query heads | 0, 1 | 2, 3 | 4, 5 |
#
# So group $g$ owns `head_dim` rows of k and of v, `head_dim` times as many rows of q as heads are served, and the columns
# of o that read those heads. Its score is the sum over all of these.
#
# Order matters. The tool that was published with the LLM-Pruner paper scores key-value head $j$
# with the query heads $j, j + n_{kv}, j + 2 n_{kv}, \ldots$ and then removes the neighbours. Where
# all heads have keys of their own that is the same; with grouped queries its counts are right, but
# the score that decides about a head was computed from other heads' weights.
#
# <details><summary>Hint 1</summary>
#
# First a number for each row of q, k and v and for each column of o, as in 5.2. Then add up the neighbours that
# belong to one group.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A vector of `kv_heads * n` numbers in the shape [kv_heads, n] has one group a row: `view`.
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
# A channel is an *output* of gate and up, and outputs are rows. It is an *input* of down, and inputs are columns. `keep`
# holds the indices of the channels that stay, sorted. The numbers themselves do not change, not by a bit.
#
# <details><summary>Hint 1</summary>
#
# A tensor can be indexed with a LongTensor: it picks those rows.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `weight[:, keep]` picks columns.
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
# **Goal** cut key-value heads out, with their query heads. | **Points** 3 | **Minutes** 15
#
# ### A group is a block of rows
#
# `keep` now names key-value heads, and a head is a block of `head_dim` neighbouring rows of k and v. The block of q is larger: all the
# heads that the group serves. o reads the heads, so it loses columns, the same ones as q's rows.
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
# Write a small function that turns `keep` into row numbers, given how many rows one group has. It serves all four.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Group $g$ with $n$ rows starts at $g \cdot n$. `keep[:, None] * n + torch.arange(n, device=keep.device)` has shape [kept, n]; flatten
# it. $n$ is `len(q) // kv_heads` for q.
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
# Does a smaller model compute what a masked one does? Take two copies of the model. In one we slice. In the
# other we set only the rows of up and of v to zero that the slices lack, and leave gate, down, q, k and o whole.


# %% experiment
@torch.no_grad()
def slice_and_mask_mlp(small, large, count: int) -> None:
    """Keep `count` channels of one layer; in its twin set the other rows of up to zero."""
    linears = [small.mlp.gate_proj, small.mlp.up_proj, small.mlp.down_proj]
    weights = [linear.weight for linear in linears]
    keep = structured.most_important(channel_importance(*weights, "l1"), count)
    for linear, weight in zip(linears, shrink_mlp(*weights, keep), strict=True):
        widths.replace(linear, weight)
    gone = torch.ones(len(weights[0]), dtype=torch.bool).index_fill(0, keep.cpu(), False)
    large.mlp.up_proj.weight[gone.to(model.device)] = 0


# %% experiment
@torch.no_grad()
def slice_and_mask_attention(small, large, head_dim: int, kv_heads: int, count: int) -> None:
    """Keep `count` key-value heads of one layer; in its twin set the other rows of v to zero."""
    linears = [small.q_proj, small.k_proj, small.v_proj, small.o_proj]
    weights = [linear.weight for linear in linears]
    importance = kv_group_importance(*weights, head_dim, kv_heads, "l1")
    keep = structured.most_important(importance, count)
    for linear, weight in zip(linears, shrink_attention(*weights, keep, head_dim, kv_heads), strict=True):
        widths.replace(linear, weight)
    for head in set(range(kv_heads)) - set(keep.tolist()):
        large.v_proj.weight[head * head_dim : (head + 1) * head_dim] = 0


# %% experiment
sliced, masked = models.load(), models.load()
head_dim, kv_heads = model.config.head_dim, model.config.num_key_value_heads
for small, large in zip(sliced.model.layers, masked.model.layers, strict=True):
    slice_and_mask_mlp(small, large, model.config.intermediate_size * 7 // 10)
    slice_and_mask_attention(small.self_attn, large.self_attn, head_dim, kv_heads, kv_heads - 1)

# %% experiment
window = token_windows[:1, :128].to(model.device)
with torch.no_grad():
    one, other = sliced(window).logits, masked(window).logits  # [1, L, vocabulary]
smaller = sum(weight.numel() for weight in sliced.parameters()) / count_parameters(model.config)
print(f"the sliced model has {smaller:.0%} of the weights; logits up to {other.abs().max():.0f}")
print(f"largest difference between the logits of the two: {(one - other).abs().max():.5f}")
del sliced, masked

# %% [markdown]
# Equal up to rounding, to five or six digits: sums of another length are added up in another order.
# And that is the whole secret of coupling: once a row of up is zero, its channel is zero whatever
# gate says, and its column of down multiplies nothing but zeros; once the values of a head are
# zero, nobody can tell what its keys and queries were. All of that may go without any further loss.
# (Channels of the residual stream can be removed too, after a rotation: Ashkboos et al. 2024,
# *SliceGPT*.)

# %% [markdown]
# ## 5.6 prune_blocks
#
# **Goal** shrink a whole model in place, so that it can be used, saved and loaded. | **Points** 6 | **Minutes** 25
#
# ### Scores first
#
# All scores are those of the model *as it comes in*. For "taylor" that means: first the gradients of all these layers, in one
# go, then slice after slice. `structured.gradients(model, batches, layers)` returns them by the module's full
# name. How many channels and heads stay is given too, by the published tool's rule:
#
# * of $m$ channels `int(m * (1 - ratio))` stay;
# * of the key-value rows *whole heads* go, `(rows - int(rows * (1 - ratio))) // head_dim` of them;
# * one channel and one head stay in any case.
#
# ### In place
#
# A Linear with another weight must know its new sizes, and the config must say how wide each layer has become: from it
# a saved model is built again, before any weight is read. What is given for all this:
#
# | | |
# |---|---|
# | `widths.of_model(model)` | one `Widths(kv_heads, heads, channels)` for each layer |
# | `structured.narrowed(width, head_dim, ratio)` | the `Widths` that a ratio leaves of it |
# | `structured.most_important(importance, count)` | the sorted indices of the `count` highest scores |
# | `linears.pruned_linears(model)` | all Linears by full name, such as `model.layers.4.mlp.gate_proj` or `model.layers.4.self_attn.q_proj` |
# | `widths.replace(linear, weight)` | puts a smaller weight in, in place |
# | `widths.note(model)` | writes all widths into the config; once, at the end |
#
# For "random" make one generator, `torch.Generator().manual_seed(0)`, before the first layer.
#
# <details><summary>Hint 1</summary>
#
# For each layer, twice the same four steps: collect weights (and gradients), score, choose `keep`, replace each weight by its slice.
# `linear.weight.detach()` is the weight without its history.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Names first: `names = [f"model.layers.{index}.mlp.{name}_proj" for name in ("gate", "up", "down")]`. Then weights and gradients
# are two lists over `names`, and your functions take them with a star: `channel_importance(*weights, criterion, grads, generator)`.
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
    slopes = structured.gradients(model, batches, layers) if criterion == "taylor" else None
    generator = torch.Generator().manual_seed(0)
    head_dim, before, modules = model.config.head_dim, widths.of_model(model), linears.pruned_linears(model)

    def collected(names: list[str]) -> tuple:
        weights = [modules[name].weight.detach() for name in names]
        return weights, slopes and tuple(slopes[name] for name in names)

    def replaced(names: list[str], slices: tuple) -> None:
        for name, weight in zip(names, slices, strict=True):
            widths.replace(modules[name], weight)

    for index in layers:
        left = structured.narrowed(before[index], head_dim, ratio)

        names = [f"model.layers.{index}.mlp.{name}_proj" for name in ("gate", "up", "down")]
        weights, grads = collected(names)
        importance = channel_importance(*weights, criterion, grads, generator)
        replaced(names, shrink_mlp(*weights, structured.most_important(importance, left.channels)))

        names = [f"model.layers.{index}.self_attn.{name}_proj" for name in "qkvo"]
        weights, grads = collected(names)
        sizes = (head_dim, before[index].kv_heads)
        importance = kv_group_importance(*weights, *sizes, criterion, grads, generator)
        keep = structured.most_important(importance, left.kv_heads)
        replaced(names, shrink_attention(*weights, keep, *sizes))
    widths.note(model)
    ### END SOLUTION


# %% [markdown]
# This check prunes tiny models in seven ways and then the course model itself: a quarter of a minute.

# %% check="prune_blocks" points=6
check.prune_blocks(prune_blocks)

# %% [markdown]
# ### What a gradient costs
#
# Three criteria need nothing but the weights. Taylor needs the gradient of every weight that it scores, and a gradient is as large
# as its weight. So the memory is bounded: *once more the weights of these layers*, and on top the activations of one
# batch at a time, whatever the number of batches. As in the report, the first layers and the last ones stay whole.

# %% experiment
depth = model.config.num_hidden_layers
layers = range(depth * 2 // 15, depth - depth * 2 // 15)
ours = [name for name in linears.pruned_linears(model) if int(name.split(".")[2]) in layers]
bound = sum(linears.pruned_linears(model)[name].weight.nbytes for name in ours)
print(f"layers {layers.start} to {layers[-1]}: {len(ours)} weights of {bound / 1e6:.1f} MB in all")

# %% experiment
for some in (batches[:2], batches):
    slopes, peak = cost.peak_memory(lambda some=some: structured.gradients(model, some, layers))
    held = sum(slope.nbytes for slope in slopes.values())
    print(f"{len(some)} batches: gradients of {held / 1e6:.1f} MB, {peak / 1e6:.0f} MB at the worst moment")

# %% [markdown]
# The gradients take exactly the bound. What is above it at the worst moment are the activations of
# *one* batch, above all the logits with their own gradient: window length times vocabulary, in
# float32, several times over. More batches take more time and no more memory, give or take what the
# allocator holds back. No optimiser is needed, and no second copy of the model. (The report logged
# a peak of 4130.38 MiB for taylor against 1783.69 MiB for l1, 2347 MiB more: the published tool
# takes the gradients of *all* weights, in half precision about as much as the model itself.)

# %% [markdown]
# ### What the criteria see
#
# Do size and loss rank the channels of a layer alike? The rank correlation is 1 for equal orders, 0 for unrelated
# ones, and -1 where one order is the other reversed.


# %% experiment
def rank_correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    """Spearman's: the correlation of the ranks of two vectors [n]."""
    ranks = torch.stack([values.argsort().argsort().double() for values in (one, other)])  # [2, n]
    return torch.corrcoef(ranks)[0, 1].item()


def both_importances(index: int, slopes: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """Importance [channels] of a layer's MLP by l1 and by taylor."""
    names = [f"model.layers.{index}.mlp.{name}_proj" for name in ("gate", "up", "down")]
    weights = [linears.pruned_linears(model)[name].weight.detach() for name in names]
    by_loss = channel_importance(*weights, "taylor", tuple(slopes[name] for name in names))
    return channel_importance(*weights, "l1"), by_loss


agreement = {index: rank_correlation(*both_importances(index, slopes)) for index in layers}
plots.agreement_by_depth(
    agreement, "Size and loss agree a little at first; further up size is the wrong way round"
)

# %% [markdown]
# Now look into the layer where they disagree most. Every point below is a channel.

# %% experiment
index = min(agreement, key=agreement.get)
by_size, by_loss = both_importances(index, slopes)
plots.two_importances(
    by_size, by_loss, 0.3, f"Layer {index}: among the smallest channels are some of the most important"
)
del slopes

# %% [markdown]
# If size told importance, the points would lie on a rising line. In this layer, the extreme one,
# they do not: the l1 criterion drops everything left of the dashed vertical line, the taylor
# criterion everything below the dotted horizontal one, and many of the channels at the top are on
# the left. Such channels do a lot with small weights: because the channel is loud, or because the
# loss listens to it. Weights alone cannot tell, as in lab 04.

# %% [markdown]
# ### Four criteria, two ratios
#
# Beforehand, what will a ratio leave of *this* model?

# %% experiment
for ratio in (0.2, 0.3):
    preview = plan(model.config, ratio, layers)
    print(f"{ratio:.0%}: {preview.parameters_after / preview.parameters_before:.1%} of the parameters stay")
    print(*preview.notes, sep="\n")

# %% [markdown]
# A ratio that does not amount to a whole head leaves attention alone: with few key-value heads a head is a large
# step. (The published tool crashes there.) So below it is the MLPs that shrink. Every method starts from a freshly loaded model.


# %% experiment
def pruned(criterion: str, ratio: float):
    """A fresh model with this share of its inner layers removed."""
    fresh = models.load()
    prune_blocks(fresh, ratio, layers, criterion, batches)
    return fresh


# %% experiment
found = {criterion: {} for criterion in ("l1", "l2", "random", "taylor")}
for ratio in (0.2, 0.3):
    for criterion, points in found.items():
        small = pruned(criterion, ratio)
        points[ratio] = perplexity(small, token_windows)
        print(f"{ratio:.0%}  {criterion:7} {points[ratio]:8.2f}")

# %% experiment
plots.perplexity_by_criterion(
    found, dense_perplexity, "Size is a worse guide than chance; the loss itself is a good one"
)

# %% [markdown]
# One draw of random numbers is an accident. Two more, each with the same shares of the MLPs gone:

# %% experiment
draws = [found["random"][0.3]]
for seed in (1, 2):
    fresh, generator = models.load(), torch.Generator().manual_seed(seed)
    for layer in fresh.model.layers[layers.start : layers.stop]:
        mlp = [layer.mlp.gate_proj, layer.mlp.up_proj, layer.mlp.down_proj]
        channels = len(mlp[0].weight)
        keep = torch.randperm(channels, generator=generator)[: int(channels * 0.7)].sort().values
        for linear, weight in zip(
            mlp, shrink_mlp(*(each.weight.detach() for each in mlp), keep), strict=True
        ):
            widths.replace(linear, weight)
    draws.append(perplexity(fresh, token_windows))
print("random, 30 %, three draws:", ", ".join(f"{value:.1f}" for value in draws))

# %% [markdown]
# Taylor is far ahead. And l1 and l2 are *behind random numbers*: random pruning hits an important
# channel now and then; l1 hits every important channel whose weights are small. Note what is
# missing here, too: no model was trained afterwards. Lab 06 brings some of the loss back.

# %% [markdown]
# ### Channels or heads?
#
# In these runs attention stayed whole. What if one key-value head of each layer goes instead, the least important
# one by taylor, with its query heads? Your `kv_group_importance` and `shrink_attention` can tell.

# %% experiment
headless = models.load()
slopes, modules = structured.gradients(headless, batches, layers), linears.pruned_linears(headless)
for index in layers:
    names = [f"model.layers.{index}.self_attn.{name}_proj" for name in "qkvo"]
    weights = [modules[name].weight.detach() for name in names]
    grads = tuple(slopes[name] for name in names)
    importance = kv_group_importance(*weights, head_dim, kv_heads, "taylor", grads)
    keep = structured.most_important(importance, kv_heads - 1)
    for name, weight in zip(names, shrink_attention(*weights, keep, head_dim, kv_heads), strict=True):
        widths.replace(modules[name], weight)
widths.note(headless)

# %% experiment
count = sum(weight.numel() for weight in model.parameters())
for what, each in {"30 % of the channels": small, "one KV head a layer": headless}.items():
    gone, rise = (
        count - sum(w.numel() for w in each.parameters()),
        perplexity(each, token_windows) / dense_perplexity,
    )
    print(f"{what:21} {gone / 1e6:5.1f} M weights gone, perplexity times {rise:.2f}")
del headless, slopes, modules

# %% [markdown]
# Compare the two per weight that is gone: which of them would you take first?
#
# ### Save it, load it, let it write
#
# The last one, `small`, lost 30 % by taylor. The proof that it really is smaller: save it, load it in its new shape, and
# compare.

# %% experiment
with tempfile.TemporaryDirectory() as folder:
    small.save_pretrained(folder)
    small = models.load(folder)
reloaded = perplexity(small, token_windows)
print(f"{sum(weight.numel() for weight in small.parameters()):,} parameters")
print(f"layer {layers[0]}: {small.model.layers[layers[0]].mlp}")
print(f"perplexity before saving {found['taylor'][0.3]!r}\n          after loading {reloaded!r}")

# %% experiment
prompt = tokenizer("The state of our union is", return_tensors="pt", return_token_type_ids=False)
prompt = prompt.to(model.device)
for name, each in {"dense": model, "taylor, 30 %": small, "l1, 30 %": pruned("l1", 0.3)}.items():
    tokens = each.generate(**prompt, max_new_tokens=24, do_sample=False)
    print(f"{name:13} {tokenizer.decode(tokens[0])!r}")

# %% [markdown]
# Same perplexity to the last digit, 13 % of the model gone, and it still writes English where it was pruned with care. What it
# says has suffered; perplexity alone would not have told you how.

# %% [markdown]
# ## Your numbers beside ours

# %% experiment
ours, report = expected.structured(), expected.REPORT  # the report's: TinyLlama
rows = []
for criterion, points in found.items():
    mine = [cell for ratio in points for cell in (f"{points[ratio]:.2f}", ours.get((criterion, ratio), "-"))]
    rows.append([criterion, *mine, *report[criterion]])
header = ["criterion", "20 %", "reference", "30 %", "reference", "report, wikitext2", "report, ptb"]
print(columns(header, rows))

# %% [markdown]
# The last two columns are the report's: TinyLlama, 30 % of layers 4 to 17.
# Another model, other texts and other windows, so the numbers do not compare; the *order* does.

# %% [markdown]
# ## Question 2
#
# Random pruning beats l1 here and in the report. Does that mean that magnitudes carry no information about a weight's
# importance? Lab 02 pruned single weights by magnitude, and not at all badly up to 30 %. What is different here?

# %% [markdown] written="criteria_reflection" points=2
# No. Inside one matrix, or one row, a small weight usually does less than a large one on the same input: that is what lab 02 used. Here whole
# channels are compared, by sums over thousands of weights of three matrices. These sums are nearly equal for most channels, so their
# order says little about weights and nothing about how loudly a channel is driven or how much the loss listens to it. In some layers the order is even
# reversed: channels with small weights and large effect. A rule that is wrong in a systematic way removes all of those, chance only its share.

# %% [markdown] answer
# **Rubric (2 points).** One point for the difference: single weights within a matrix against sums over coupled structures (the sums lie close
# together; the input's loudness and the loss are left out). One for why chance can win: a systematic error removes the important channels
# in every layer, random numbers remove only the ratio's share of them; the figure of one layer may serve as evidence.
