# %% [markdown]
# # 04  Wanda pruning
#
# A phone has 6 to 12 GB of memory and can spare about a tenth of it for one app (Liu et al. 2024, *MobileLLM*);
# a billion weights of 2 bytes fill 2 GB, and at 50 GB a second they are read 25 times a second, once for each token.
# So at least half of them should go, and training them again costs too much.
#
# Magnitude pruning looks at the weights alone. But a weight never works alone: it multiplies an input,
# and lab 03 showed that some inputs are dozens of times louder than others. Wanda (*pruning by weights
# and activations*) puts the two together: one more multiplication, no retraining, no gradient. On the
# course model that makes the perplexity at 50 % eight times lower.
#
# | | |
# |---|---|
# | **You learn** | the Wanda score, why it is ranked inside rows, one-shot and sequential calibration, and 2:4 sparsity |
# | **You need** | lab 02 (masks, ties) and lab 03 (input norms; the given `labsupport.given.input_norms` measures them from here on) |
# | **Level** | middle: whole models, by masks, hooks and gradients |
# | **It takes** | an hour and a quarter of your time; all cells together run two to three minutes on two CPU cores |
# | **Sources** | Sun et al. 2024, *A simple and effective pruning approach for large language models* (Wanda); Mishra et al. 2021, *Accelerating sparse deep neural networks* (2:4); D. Shin, *On-Device AI* lab deck on LLM pruning (Sungkyunkwan University), exercises 2 and 3 |

# %%
import torch
from labsupport import check, closing, corpora, expected, given
from labsupport import linears, models, plots, prompts, settings, slider
from labsupport.given.input_norms import input_norms
from labsupport.given.perplexity import perplexity
from labsupport.selection import kth_smallest
from labsupport.table import columns

# %% [markdown]
# ## The model, two texts, and the norms
#
# Evaluation and calibration take their windows from different years, so that no method is measured on
# text that it has seen. Calibration takes *batches*; ours hold one window each.
#
# The course model, SmolLM2-135M, was stored in blocks of 4-bit numbers: 32 neighbouring weights share 16 possible
# values. So equal weights are common here, scores tie, and a rule for ties matters more than in most models.

# %%
now = settings.current()
model, tokenizer = models.load(), models.tokenizer()
dense = linears.weights(model)  # [out_features, in_features] each, by name
token_windows = corpora.windows(now.text, tokenizer, "evaluation", now.window, now.evaluation_windows)
calibration = corpora.windows(now.text, tokenizer, "calibration", now.window, now.calibration_windows)
batches = list(calibration[:, None])  # LongTensors [1, length]

# %% experiment
linears.must_be_dense(model)
dense_perplexity = perplexity(model, token_windows)
norms = input_norms(model, batches)
print(f"{now.model} on {now.text}: perplexity {dense_perplexity:.2f} with all its weights")
print(f"input norms of {len(norms)} layers from {calibration.numel():,} tokens")

# %% [markdown]
# ## 4.1 wanda_score
#
# **Goal** say how much each weight matters, given its input. | **Points** 1 | **Minutes** 5
#
# ### Loud inputs count
#
# Output $i$ of a linear layer is $y_i = \sum_j W_{ij}\, x_j$. Run the calibration text through the layer
# and write all values of input $j$, one per token, as a vector $X_j$. If $W_{ij}$ is dropped, then $y_i$ changes by
# $W_{ij} X_j$, and the length of that change is
#
# $$S_{ij} = |W_{ij}| \cdot \lVert X_j \rVert_2.$$
#
# So the score is no rule of thumb: it *is* the error that dropping this one weight makes. A weight of 1
# on an input of norm 8 matters twice as much as a weight of 4 on an input of norm 1.
#
# `weight` is [out_features, in_features] and `input_norm` is [in_features]: one norm for each *column*.
# The root is already taken in `input_norm`. (In the deck, the hook squares the norm to add up batches,
# and the root is taken at the end.) For the weights `[[1, -4]]` and the norms `[8, 1]` the scores are `[[8, 4]]`.
#
# <details><summary>Hint 1</summary>
#
# No loop is needed: torch repeats a smaller tensor along the missing axis (*broadcasting*). Which axis is it here?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Broadcasting lines shapes up from the right: [out, in] with [in] multiplies each row, entry by entry.
# With a square matrix the wrong axis would go unnoticed, so check yours with 2 x 3.
#
# </details>


# %% exercise="wanda_score"
def wanda_score(weight: torch.Tensor, input_norm: torch.Tensor) -> torch.Tensor:
    """The Wanda score of every weight: its magnitude times the norm of its input.

    weight: [out_features, in_features]; input_norm: float32 [in_features], not negative.
    Returns [out_features, in_features]. Source: Sun et al. 2024, equation 1.
    """
    ### BEGIN SOLUTION
    return weight.abs() * input_norm
    ### END SOLUTION


# %% check="wanda_score" points=1
check.wanda_score(wanda_score)

# %% [markdown]
# Is it really the error? Take a small layer, drop one weight, and compare.

# %% experiment
generator = torch.Generator().manual_seed(4)
x, weight = torch.randn(100, 3, generator=generator), torch.randn(2, 3, generator=generator)
without = weight.clone()
without[1, 2] = 0
error = (x @ weight.T - x @ without.T).norm()
print(f"error {error:.4f}, score {wanda_score(weight, x.norm(dim=0))[1, 2]:.4f}")

# %% [markdown]
# They agree to the last digit shown. For *several* weights of one row the errors add up like vectors, so the sum of
# their scores is only an upper bound. Methods that do better here (SparseGPT) need the whole matrix $X^T X$ instead of
# its diagonal, and cost far more.

# %% [markdown]
# ## 4.2 row_mask
#
# **Goal** turn scores into a mask, row by row. | **Points** 3 | **Minutes** 15
#
# ### Why rows?
#
# A row of the weight makes one output. Its weights are terms of the same sum, so their scores can be
# compared. Scores of *different* rows cannot: all weights of a row may be small because the next layer
# scales its output up again. Ranked over the whole matrix, such a row loses nearly all of its inputs, and
# its output is lost. Ranked inside rows, every output keeps the same number of inputs.
#
# With $n$ inputs and sparsity $s$, each row drops its $k = \mathrm{round}(s \cdot n)$ lowest scores. On
# $S = \begin{pmatrix} 8 & 4 & 2 & 3 \\ 40 & 1 & 7 & 6 \end{pmatrix}$ at 50 % that gives
#
# | | row 1 keeps | row 2 keeps |
# |---|---|---|
# | inside rows | 8, 4 | 40, 7 |
# | over the whole matrix | 8 | 40, 7, 6 |
#
# The rules are those of `magnitude_mask`: `True` means keep; scores that tie at the cut may all go;
# sparsity 0 keeps all and 1 drops all; anything outside is a `ValueError`.
#
# <details><summary>Hint 1</summary>
#
# You need one threshold for each row. `kth_smallest` of lab 02 looks along the last axis.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# How many weights does *one* row drop? And which $k$ has no $k$-th smallest at all?
#
# </details>
#
# <details><summary>A smaller problem, solved</summary>
#
# One row, [8, 4, 2, 3], drops two. Its second smallest score is 3, and what is above 3 stays:
# `torch.tensor([8, 4, 2, 3]) > 3` is [True, True, False, False]. Two rows have two thresholds, one below the
# other: `torch.tensor([[8, 4], [1, 7]]) > torch.tensor([[4], [1]])` compares each row with its own.
#
# </details>


# %% exercise="row_mask"
def row_mask(score: torch.Tensor, sparsity: float) -> torch.BoolTensor:
    """Which weights stay when every output row drops its lowest scores.

    score: [out_features, in_features]. Returns bool of the same shape, True = keep.
    Each row drops round(sparsity * in_features) entries; entries that tie at the cut may all go.
    Raises ValueError for a sparsity outside 0 to 1.
    """
    ### BEGIN SOLUTION
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity is {sparsity}: it must be from 0 to 1")
    k = round(sparsity * score.shape[1])
    if k == 0:
        return torch.ones_like(score, dtype=torch.bool)
    return score > kth_smallest(score, k)  # [out, in] > [out, 1]
    ### END SOLUTION


# %% check="row_mask" points=3
check.row_mask(row_mask)

# %% [markdown]
# How unequal do the rows become when the whole matrix is ranked at once? Such a matrix is one long row for your
# function, so it can do that too.


# %% experiment
def matrix_mask(score: torch.Tensor, sparsity: float) -> torch.BoolTensor:
    """As row_mask, but all scores of the matrix are ranked together."""
    return row_mask(score.reshape(1, -1), sparsity).view(score.shape)


queries = [name for name in dense if linears.layer_kind(name) == "q_proj"]
name = queries[len(queries) // 2]
kept = matrix_mask(wanda_score(dense[name], norms[name]), 0.5).float().mean(dim=1)
print(f"{name}: ranked at once, rows keep from {kept.min():.0%} to {kept.max():.0%} of their inputs")

# %% [markdown]
# Each of these rows makes one number of the layer's output. The two ends of that range are outputs made from
# few inputs, and outputs made from many.

# %% [markdown]
# ## 4.3 prune_wanda
#
# **Goal** prune a whole model by Wanda, in place. | **Points** 4 | **Minutes** 15
#
# ### One shot
#
# Two steps, in this order:
#
# 1. run the calibration batches through the *dense* model and note all input norms;
# 2. score, rank and prune every layer with them.
#
# That is *one-shot* calibration: all norms are known before the first weight goes. If you prune one layer after
# the other and measure in between, the deeper layers see the outputs of pruned layers. That is
# *sequential* calibration, another method with other masks; you meet it below. This exercise asks for one shot.
#
# <details><summary>Hint 1</summary>
#
# `input_norms(model, batches)` gives the norms under the same names as `linears.pruned_linears(model)`.
# The rest is `prune_magnitude` of lab 02 with another mask.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# What must be known before the first weight goes, and so may not stand in the loop? One mask takes both of your
# functions. As in lab 02, `linears.apply_masks` drops the weights.
#
# </details>


# %% exercise="prune_wanda"
def prune_wanda(model, batches: list[torch.Tensor], sparsity: float) -> dict[str, torch.BoolTensor]:
    """Prune every Linear of the decoder layers by Wanda, in place, calibrated in one shot.

    batches: LongTensors [B, L] of token ids. Norms are those of the model as it comes in; every row of
    every layer drops the same share. Returns the masks by full module name, True = keep. Embeddings,
    norms and lm_head stay as they are; kept weights are bit-identical.
    """
    ### BEGIN SOLUTION
    norms = input_norms(model, batches)
    masks = {
        name: row_mask(wanda_score(linear.weight, norms[name]), sparsity)
        for name, linear in linears.pruned_linears(model).items()
    }
    linears.apply_masks(model, masks)
    return masks
    ### END SOLUTION


# %% [markdown]
# This check prunes a tiny model first and then the course model itself: half a minute.

# %% check="prune_wanda" points=4
check.prune_wanda(prune_wanda)

# %% [markdown]
# ### Against magnitude
#
# The norms of the dense model do not depend on the sparsity. We have them already, so each point costs a
# ranking and a perplexity.

# %% experiment
guess = None  # your guess: Wanda's perplexity at 50 %; in lab 02 magnitude had 395 there, on the course model


# %% experiment
def measured(masks: dict[str, torch.Tensor]) -> float:
    """The perplexity of the dense model under these masks; the model is dense again afterwards."""
    with linears.masked(model, masks):
        return perplexity(model, token_windows)


def by_magnitude(rule, *amount) -> dict[str, torch.Tensor]:
    """The masks of all layers by a rule such as row_mask; the scores are magnitudes."""
    return {name: rule(weight.abs(), *amount) for name, weight in dense.items()}


def by_wanda(rule, *amount, norms: dict[str, torch.Tensor] = norms) -> dict[str, torch.Tensor]:
    """The same with Wanda's scores."""
    return {name: rule(wanda_score(weight, norms[name]), *amount) for name, weight in dense.items()}


# %% experiment
magnitude, wanda = {0.0: dense_perplexity}, {0.0: dense_perplexity}
for sparsity in (0.3, 0.4, 0.5, 0.6):
    magnitude[sparsity] = measured(by_magnitude(matrix_mask, sparsity))
    wanda[sparsity] = measured(by_wanda(row_mask, sparsity))
    print(f"sparsity {sparsity:.0%}  magnitude {magnitude[sparsity]:8.2f}  Wanda {wanda[sparsity]:8.2f}")

# %% experiment
plots.perplexity_against_sparsity(
    {"magnitude, per matrix": magnitude, "Wanda, per row": wanda},
    "Perplexity against sparsity: the same number of weights is gone, but not the same ones",
    guess=(0.5, guess),
)
print(f"At 50 % magnitude has {magnitude[0.5] / wanda[0.5]:.2f} times the perplexity of Wanda.")

# %% [markdown]
# All that Wanda adds is one multiplication, by a norm that takes seconds to measure. Nothing was
# retrained. What it saves are small weights that multiply large inputs.
#
# **What if** there were less text to calibrate on? Run
# `measured(by_wanda(row_mask, 0.5, norms=input_norms(model, batches[:1])))`, and then the same with
# `[calibration[:1, :16]]`, sixteen tokens.

# %% [markdown]
# Where does the advantage come from: from the few loud channels, or from the differences among all the others? Keep
# the norms of the five loudest inputs of each layer and set the others to the median; then do the opposite.


# %% experiment
def evened(norm: torch.Tensor, kept: str) -> torch.Tensor:
    """Norms [in]: the five "loudest", all "others" or "none" as measured, the rest at the median."""
    loud = torch.zeros_like(norm, dtype=torch.bool).index_fill(0, norm.topk(5).indices, True)
    stay = {"loudest": loud, "others": ~loud, "none": torch.zeros_like(loud)}[kept]
    return torch.where(stay, norm, norm.median())


print(f"all norms as measured          perplexity {wanda[0.5]:6.2f}")
for kept in ("loudest", "others", "none"):
    some = {name: evened(norm, kept) for name, norm in norms.items()}
    value = measured(by_wanda(row_mask, 0.5, norms=some))
    print(f"{kept:7} as measured            perplexity {value:6.2f}, {value / wanda[0.5]:.2f} times that")

# %% [markdown]
# "None" is magnitude, ranked inside rows. On the course model the five loudest channels do most of the work,
# and the norms of the others still lower the perplexity by more than a third.

# %% [markdown]
# ### Sequential calibration
#
# Once the first layers are pruned, the later ones see other inputs than before. Wanda's own code
# therefore goes through the model block by block and calibrates each block on the outputs of the pruned
# blocks before it; within a block, all seven norms are measured while the block is still
# dense. A finer variant is short to write when all windows are in one batch: a hook prunes each layer
# at the moment when its input arrives, so that `o_proj` sees the outputs of pruned q, k and v.

# %% experiment
guess = None  # your guess: the share of the last o_proj's mask that will differ from one shot, 0 to 1


# %% experiment
@torch.no_grad()
def prune_in_passing(batch: torch.Tensor, sparsity: float) -> dict[str, torch.Tensor]:
    """Sequential calibration in one forward pass: each layer is pruned before it runs; dense again afterwards."""
    masks, hooks = {}, []

    def prune(name: str, x: torch.Tensor) -> None:  # x: [B, L, in_features]
        norm = x.flatten(0, 1).norm(dim=0)
        masks[name] = row_mask(wanda_score(dense[name], norm), sparsity)
        linears.apply_masks(model, {name: masks[name]})

    everything = by_magnitude(torch.ge, 0)  # masks that keep all
    try:
        with linears.masked(model, everything):  # whatever is pruned in this block comes back after it
            for name, layer in linears.pruned_linears(model).items():
                hooks.append(layer.register_forward_pre_hook(lambda _, x, name=name: prune(name, x[0])))
            model.model(batch.to(model.device), use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    return masks


# %% experiment
sequential = prune_in_passing(calibration, 0.5)
one_shot = by_wanda(row_mask, 0.5)
differ = {name: (sequential[name] != one_shot[name]).float().mean().item() for name in one_shot}
last = model.config.num_hidden_layers - 1
plots.mask_differences(
    differ, "Share of the mask that differs between sequential and one-shot calibration", guess=(last, guess)
)
kinds = {}
for each, share in differ.items():
    kinds.setdefault(linears.layer_kind(each), []).append(share)
for kind in sorted(kinds, key=lambda kind: -max(kinds[kind]))[:2]:
    print(f"{kind} differs most: {max(kinds[kind]):.1%} in one layer, {kinds[kind][-1]:.1%} in the last")

# %% experiment
sequential_perplexity = measured(sequential)
del sequential, one_shot
print(f"at 50 %: one shot {wanda[0.5]:.2f}, sequential {sequential_perplexity:.2f}")

# %% [markdown]
# The very first `q_proj`, `k_proj` and `v_proj` see the embeddings, which are not pruned: their
# masks are equal. In deeper layers the masks differ, in this variant most of all where an input comes
# straight out of a pruned layer of the same block, with no norm layer in between: in `o_proj` and
# `down_proj`. Yet the perplexities are close; on another model, text or sparsity the other one may be lower.
# So a paper's number belongs to one of the two methods, and so does a check: ours asks for one shot.
#
# **What if** more weights go? Try 0.7 in the lines that make `sequential` and `one_shot`, and run that cell alone: do
# the masks differ more, or less? Then put the old number back and run it again.

# %% [markdown]
# ## 4.4 n_of_m_mask
#
# **Goal** keep the $n$ best of every $m$ neighbouring inputs. | **Points** 4 | **Minutes** 15
#
# ### Two of every four
#
# Zeros scattered anywhere make a model smaller on paper, not faster: hardware needs a regular pattern. GPUs since
# 2020 multiply matrices at up to twice the speed if of every *four consecutive* weights in a row *two* are zero.
# The kernel stores the two that stay and, in 2 bits each, their places. It has no room for a third.
#
# In general, with groups of $m$ inputs,
#
# $$\mathrm{group}\ g\ \text{of row}\ i:\quad S_{i,\,gm},\; S_{i,\,gm+1},\; \ldots,\; S_{i,\,gm+m-1}$$
#
# keeps its $n$ highest scores. Because *exactly* $n$ must stay, ties need a rule: the lower index stays. Of the
# scores `[8, 4, 2, 3, 5, 5, 5, 1]`, 2:4 keeps 8 and 4, and the first two of the 5s.
# If $m$ does not divide the number of inputs, that is a `ValueError`.
#
# <details><summary>Hint 1</summary>
#
# Reshape [out, in] so that each group is a row of its own. The last axis is already the one along which inputs
# are neighbours.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A threshold cannot break ties; indices can. `torch.topk` promises no order among equals, a sort with
# `stable=True` does. `scatter_` turns indices into a mask.
#
# </details>
#
# <details><summary>A smaller problem, solved</summary>
#
# One group. `torch.tensor([[8, 5, 9, 5]]).sort(dim=1, descending=True, stable=True).indices` is [[2, 0, 1,
# 3]]: the two 5s stand in their old order. And marks at two places of a row: `torch.zeros(1, 4).scatter_(1,
# torch.tensor([[2, 0]]), 1)` is [[1, 0, 1, 0]].
#
# </details>


# %% exercise="n_of_m_mask"
def n_of_m_mask(score: torch.Tensor, n: int, m: int) -> torch.BoolTensor:
    """Which weights stay when every m consecutive inputs keep their n highest scores.

    score: [out_features, in_features]. Returns bool of the same shape, True = keep, exactly n in each
    group; of equal scores those with the lower index stay. Raises ValueError if m does not divide
    in_features. Source: Mishra et al. 2021 (2:4 sparsity).
    """
    ### BEGIN SOLUTION
    if score.shape[1] % m:
        raise ValueError(f"{score.shape[1]} inputs cannot be cut into groups of {m}")
    groups = score.reshape(-1, m)  # [groups, m]
    best = groups.sort(dim=1, descending=True, stable=True).indices[:, :n]
    mask = torch.zeros_like(groups, dtype=torch.bool).scatter_(1, best, True)
    return mask.view(score.shape)
    ### END SOLUTION


# %% check="n_of_m_mask" points=4
check.n_of_m_mask(n_of_m_mask)

# %% [markdown]
# ### Four ways to drop a half
#
# Here they are on a patch of one weight of the model, around its loudest input. White is dropped.

# %% experiment
name = queries[len(queries) // 2]
weight, score = dense[name], wanda_score(dense[name], norms[name])
loudest = int(norms[name].argmax())
patches = {
    "magnitude, whole matrix": matrix_mask(weight.abs(), 0.5),
    "Wanda, whole matrix": matrix_mask(score, 0.5),
    "Wanda, inside rows": row_mask(score, 0.5),
    "Wanda, 2:4": n_of_m_mask(score, 2, 4),
}
first = max(0, min(loudest - 24, weight.shape[1] - 48)) // 4 * 4
plots.masks_side_by_side(
    patches, f"{name}: four masks of one half, around the loudest input (black = kept)", first
)

# %% [markdown]
# Look for three things. *Columns*: Wanda keeps nearly all of a loud input's weights and few of a quiet one's;
# magnitude knows nothing of inputs. *Stripes*: ranked over the whole matrix, some rows stay dark and some fade, and the
# bars on the right are ragged; inside rows they all end at the same line. *Fabric*: 2:4 keeps no run of more than
# four weights and drops none of more than four, so a loud region cannot keep more than a quiet one.

# %% [markdown]
# ### What each of them costs

# %% experiment
at_half = {"magnitude, per matrix": magnitude[0.5], "Wanda, inside rows": wanda[0.5]}
at_half["Wanda, sequential"] = sequential_perplexity
at_half["Wanda, per matrix"] = measured(by_wanda(matrix_mask, 0.5))
at_half["Wanda, 2:4"] = measured(by_wanda(n_of_m_mask, 2, 4))
at_half["magnitude, 2:4"] = measured(by_magnitude(n_of_m_mask, 2, 4))

# %% experiment
plots.bars(
    at_half, dense_perplexity, "Perplexity at 50 %, by score and by where the zeros may stand", "perplexity"
)
for what in ("Wanda, per matrix", "Wanda, 2:4", "magnitude, per matrix", "magnitude, 2:4"):
    print(f"{what:21} {at_half[what] / wanda[0.5]:5.2f} times the perplexity of Wanda inside rows")

# %% [markdown]
# Read the chart from the bottom up. Ranked over the whole matrix, some outputs keep few inputs: compare the first
# number printed with 1. The 2:4 pattern costs more, because it leaves less choice. On the course model it costs
# most to leave out the norms: Wanda restricted to 2:4 is still better than magnitude that may drop any weight.
#
# ### What it writes
#
# A number does not show *how* a model fails. Here are three prompts, one of them with a single right answer.

# %% experiment
texts = {"dense": prompts.written(model, tokenizer)}
for method, masks in (
    ("Wanda 50 %", by_wanda(row_mask, 0.5)),
    ("magnitude 50 %", by_magnitude(matrix_mask, 0.5)),
):
    with linears.masked(model, masks):
        texts[method] = prompts.written(model, tokenizer)
print(prompts.side_by_side(texts))

# %% [markdown]
# Ask two things of each line: is it still a sentence, and is it still true? One can be lost without the other.

# %% [markdown]
# ### Try any sparsity
#
# The slider sets the sparsity, the buttons the method. Perplexity is measured on 128 tokens here, so that it is quick.

# %% experiment
slider.explore(
    model,
    tokenizer,
    token_windows[:1, :128],
    {
        "magnitude": lambda sparsity: by_magnitude(matrix_mask, sparsity),
        "Wanda": lambda sparsity: by_wanda(row_mask, sparsity),
    },
)

# %% [markdown]
# ## Your numbers beside ours

# %% experiment
ours = {
    method: expected.perplexity("dense") | expected.perplexity(method) for method in ("magnitude", "wanda")
}


def reference(method: str, sparsity: float) -> str:
    """The course's own number, or a dash where there is none for this model and text."""
    return f"{ours[method][sparsity]:.2f}" if sparsity in ours[method] else "-"


# %% experiment
rows = [
    [f"{s:.0%}", f"{magnitude[s]:.2f}", reference("magnitude", s), f"{wanda[s]:.2f}", reference("wanda", s)]
    for s in wanda
]
print(columns(["sparsity", "your magnitude", "reference", "your Wanda", "reference"], rows))

# %% [markdown]
# Equal to within a percent? Then your scores, ranks and norms agree with ours. The last digits may differ from
# machine to machine, because sums of floating-point numbers depend on their order.

# %% [markdown]
# ## Question 1
#
# A colleague multiplies one *row* of a weight by 10 (and lets the next layer divide by 10 again). Another multiplies one
# *column* by 10 and divides that input by 10, as happens when the scale of a norm layer is folded into the weight.
# Neither changes what the model computes. For each of the two: do the masks of magnitude per
# matrix, Wanda per matrix, and Wanda inside rows change? What does that say about the three methods?

# %% [markdown] written="wanda_reflection" points=3
# The row: inside a row all scores grow by the same factor, so Wanda inside rows keeps its mask. Ranked over the matrix,
# that row's scores pass those of other rows, so magnitude and Wanda per matrix change theirs. The column: the norm of its input
# falls by 10 while its weights grow by 10, so the Wanda score stays and with it both of Wanda's masks; the magnitudes of
# that column grow, so magnitude's mask changes. A rewriting that leaves the model's function alone should not decide
# which weights matter: Wanda inside rows is the one of the three that neither can fool.

# %% [markdown] answer
# **Rubric (3 points).** One point for the row: Wanda inside rows unchanged, the two per-matrix masks change, because a
# common factor does not alter the order inside the row. One for the column: both Wanda masks unchanged, since factor and norm
# cancel in the score; magnitude's changes. One for the conclusion: the function of the model is the same, so
# a method should not react, and only Wanda inside rows reacts to neither.

# %% [markdown]
# ## Question 2
#
# 2:4 and Wanda inside rows drop the same number of weights, and 2:4 has the higher perplexity. Why must it
# lose more, by its definition? And why would anyone choose it anyway?

# %% [markdown] written="two_of_four_reflection" points=2
# Every 2:4 mask also keeps half of each row, so it is one of the masks that row ranking chooses from, and ranking
# inside rows picks the one with the highest sum of scores. Where a group of four holds three or four high scores, 2:4 must drop
# some of them and keep low ones elsewhere. One chooses it because GPUs have kernels for just this pattern: the weight takes
# little more than half the memory and the multiplication can be faster, while zeros in irregular places save no time.

# %% [markdown] answer
# **Rubric (2 points).** One point for the constraint: 2:4 masks are a subset of the masks with half of every row, so
# the kept score can only be lower (or an example of a group with three high scores). One for the hardware: a regular pattern has
# kernels and a compact format; unstructured zeros do not make anything faster by themselves.

# %% [markdown]
# ## 4.5 score_alpha ★
#
# **Goal** put magnitude and Wanda on one scale, and go on from there. | **Points** none, for the fun of it | **Minutes** 5
#
# ### From magnitude to Wanda, and beyond
#
# Lab 02 ranked weights by $|W_{ij}|$, this lab by $|W_{ij}| \cdot \lVert X_j \rVert$. Both belong to one family:
#
# $$S_{ij} = |W_{ij}| \cdot \lVert X_j \rVert_2^{\,\alpha}$$
#
# With $\alpha = 0$ that is magnitude, with $\alpha = 1$ Wanda. Between the two a loud input counts, but less; above 1 it
# counts more than Wanda says. Only the norm gets the power: a power of the whole score would change no ranking. For
# the weights `[[2, -3]]` and the norms `[16, 1]` the scores are
#
# | exponent $\alpha$ | 0 | 0.5 | 1 | 1.5 |
# |---|---|---|---|---|
# | scores | 2, 3 | 8, 3 | 32, 3 | 128, 3 |
#
# An input that is always zero has norm 0. With $\alpha = 0$ its weights score their magnitude like all others, since
# $0^0 = 1$; with any $\alpha$ above 0 they score 0.
#
# <details><summary>Hint 1</summary>
#
# Your `wanda_score` is the case $\alpha = 1$. Which of its two factors changes?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `**` works on a tensor entry by entry, and `torch.zeros(1) ** 0` is 1: norms of 0 need no case of their own.
#
# </details>


# %% exercise="score_alpha"
def score_alpha(weight: torch.Tensor, input_norm: torch.Tensor, alpha: float) -> torch.Tensor:
    """The magnitude of every weight times a power of the norm of its input: 0 is magnitude, 1 is Wanda.

    weight: [out_features, in_features]; input_norm: float32 [in_features], not negative; alpha: 0 or more.
    Returns [out_features, in_features]. A norm of 0 makes the factor 0, and 1 where alpha is 0.
    """
    ### BEGIN SOLUTION
    return weight.abs() * input_norm**alpha
    ### END SOLUTION


# %% check="score_alpha" points=0
check.score_alpha(score_alpha)

# %% [markdown]
# Is Wanda's power the best one? Three more perplexities at 50 %, ranked inside rows; that of $\alpha = 1$ is known.

# %% experiment
linears.must_be_dense(model)
by_alpha = {1.0: wanda[0.5]}
for alpha in (0.0, 0.5, 1.5):
    masks = {name: row_mask(score_alpha(weight, norms[name], alpha), 0.5) for name, weight in dense.items()}
    by_alpha[alpha] = measured(masks)

# %% experiment
for alpha, value in sorted(by_alpha.items()):
    print(f"alpha {alpha:.1f}  perplexity {value:8.2f}, {value / wanda[0.5]:.2f} times that of Wanda")

# %% [markdown]
# Section 4.1 shows that $\alpha = 1$ gives the exact error of dropping *one* weight. A mask drops half of a row at once,
# where the errors add up like vectors, so another power may do as well or better. (Zhang et al. 2024 take 0.5, with
# another score of the weights.)
#
# **What if** you look closer? Put the powers around the best one into the loop: how flat is the valley?

# %% [markdown]
# ## Read on
#
# - M. Sun et al. 2024, *A Simple and Effective Pruning Approach for Large Language Models* (Wanda,
#   [arXiv:2306.11695](https://arxiv.org/abs/2306.11695)): the score, and why rows.
# - A. Mishra et al. 2021, *Accelerating Sparse Deep Neural Networks*
#   ([arXiv:2104.08378](https://arxiv.org/abs/2104.08378)): 2:4, and the hardware that wants it.
# - E. Frantar and D. Alistarh 2023, *SparseGPT*
#   ([arXiv:2301.00774](https://arxiv.org/abs/2301.00774)): the whole matrix in place of its diagonal.
# - Y. Zhang et al. 2024, *Plug-and-Play: An Efficient Post-training Pruning Method for Large Language Models*
#   ([ICLR 2024](https://iclr.cc/virtual/2024/poster/18549)): another power, and another score of the weight.
# - Z. Liu et al. 2024, *MobileLLM* ([arXiv:2402.14905](https://arxiv.org/abs/2402.14905)): what a phone can carry.
#
# **Open question.** The score is exact for one weight alone. Is there a score, nearly as cheap, that sees which
# weights compensate for each other, and that changes no other weight?
#
# **Finished?** Press the button below: the lab gives its memory back, and all that you see stays. (Under `start.py`, a
# lab whose tab you closed does so by itself after half an hour.)
#
# **Next:** [lab 05, structured pruning](../05_structured_pruning/05_structured_pruning.ipynb) makes the matrices
# themselves smaller: the zeros of this lab are still stored and multiplied.

# %% experiment
closing.button()
