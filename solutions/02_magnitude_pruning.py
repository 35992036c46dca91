# %% [markdown]
# # 02  Magnitude pruning
#
# To write one token, a phone reads every weight of the model once. With 7 billion weights of 2 bytes that
# is 14 GB, and its memory delivers 51 GB a second (LPDDR5, JEDEC standard JESD209-5: 64 bits, 6.4 billion
# times a second): fewer than 4 tokens a second. A weight that is removed need not be read.
#
# So which weights can go? A trained network holds many weights close to zero. The oldest idea in pruning
# is to drop just those: a weight near zero adds almost nothing to a sum. In this lab you do that
# to a real language model, watch its perplexity rise, and find out which of its layers suffer most.
#
# | | |
# |---|---|
# | **You learn** | to rank weights, to cut at a sparsity, to prune a whole model, and to read the damage |
# | **You need** | lab 01 (what perplexity is); the given `labsupport.given.perplexity` measures it from here on |
# | **Level** | basic: tensors, their axes, sums |
# | **It takes** | an hour of your time; all cells together run about two minutes on two CPU cores |
# | **Sources** | Han et al. 2015, *Learning both weights and connections*; D. Shin, *On-Device AI* lab deck on LLM pruning (Sungkyunkwan University), exercise 1 |
#
# **Words used in every lab.** A *mask* is a bool tensor of its weight's shape: `True` means *keep*.
# *Sparsity* is the share of weights that are dropped. We prune the `Linear` layers of the decoder
# and count sparsity over those alone; embeddings, norms and the head stay as they are.

# %%
import torch
from labsupport import check, closing, corpora, expected, given, linears, models, plots, settings
from labsupport.given.perplexity import perplexity
from labsupport.selection import kth_smallest
from labsupport.table import columns

# %% [markdown]
# ## The model, the text, and where we start
#
# The course model is a small Llama. Its sizes, the text and the number of windows come from one file
# of settings, so that your numbers and ours can be compared.

# %%
now = settings.current()
model, tokenizer = models.load(), models.tokenizer()
dense = linears.weights(model)  # [out_features, in_features] each, by name
token_windows = corpora.windows(now.text, tokenizer, "evaluation", now.window, now.evaluation_windows)
models.describe(model)

# %% experiment
linears.must_be_dense(model)
dense_perplexity = perplexity(model, token_windows)
print(f"{now.model} on {now.text}: perplexity {dense_perplexity:.2f} with all its weights")

# %% [markdown]
# On average the model is as unsure about the next token as if it had to choose between that many
# equally likely ones. Compare every number below with this one.

# %% [markdown]
# ## 2.1 magnitude_mask
#
# **Goal** decide which weights of one matrix stay. | **Points** 5 | **Minutes** 20
#
# ### The smallest go first
#
# Let $W$ be a matrix with $n$ entries and $s$ a sparsity from 0 to 1. We want to drop
#
# $$k = \mathrm{round}(s \cdot n)$$
#
# entries: those with the smallest magnitude $|W_{ij}|$. If $t$ is the $k$-th smallest magnitude, then
#
# $$\mathrm{mask}_{ij} = \big[\, |W_{ij}| > t \,\big].$$
#
# For $W = \begin{pmatrix} 1 & -4 \\ 2 & 3 \end{pmatrix}$ and $s = 0.5$, $k$ is 2 and $t$ is 2; -4 and 3 stay, and the mask is
# `[[False, True], [False, True]]`.
#
# `kth_smallest(values, k)` is given and finds $t$. It does what `torch.kthvalue` does, several times
# faster on a CPU: you will rank all the weights of the model's layers a few times.
#
# Three things to decide before you write a line:
#
# - *Which way round is the mask?* `True` means keep, in all labs.
# - *What happens at a tie?* If several weights have magnitude $t$, they may all go. This is no
#   corner case here: the course model was stored in 4-bit blocks, and equal magnitudes are common.
# - *What is at the ends?* Sparsity 0 drops nothing (and then there is no 0-th smallest). Sparsity 1
#   drops everything. Anything outside is a `ValueError`.
#
# <details><summary>Hint 1</summary>
#
# `kth_smallest` looks along the last axis, so that a matrix would give one threshold for each row: flatten
# the magnitudes first.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `kth_smallest` counts from 1. Treat $k = 0$ before you call it. `round`, not `int`:
# `int(0.29 * 100)` is 28.
#
# </details>
#
# <details><summary>A smaller problem, solved</summary>
#
# Four values, two of them go: `kth_smallest(torch.tensor([5, 1, 4, 2]), 2)` is [2], and `torch.tensor([5, 1, 4,
# 2]) > 2` is [True, False, True, False]. What has to happen before, so that -5 in place of 5 changes nothing?
#
# </details>


# %% exercise="magnitude_mask"
def magnitude_mask(weight: torch.Tensor, sparsity: float) -> torch.BoolTensor:
    """Which weights stay when the smallest magnitudes of the matrix are dropped.

    weight: [out_features, in_features]. Returns bool of the same shape, True = keep.
    Drops round(sparsity * n) entries; entries that tie at the cut may all go.
    Raises ValueError for a sparsity outside 0 to 1.
    """
    ### BEGIN SOLUTION
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity is {sparsity}: it must be from 0 to 1")
    k = round(sparsity * weight.numel())
    if k == 0:
        return torch.ones_like(weight, dtype=torch.bool)
    magnitude = weight.abs()
    return magnitude > kth_smallest(magnitude.flatten(), k)
    ### END SOLUTION


# %% check="magnitude_mask" points=5
check.magnitude_mask(magnitude_mask)

# %% [markdown]
# What did you just cut? Here is one layer of the model at 50 %.

# %% experiment
name = list(dense)[len(dense) // 2]
mask = magnitude_mask(dense[name], 0.5)
threshold = dense[name].abs()[~mask].max().item()
plots.weight_histogram(dense[name], threshold, name)

# %% [markdown]
# The histogram looks like a bell around zero, and the cut takes its middle out. Magnitude pruning hopes that
# many small weights add up to little. Is that so? Compare the sums of squares.

# %% experiment
lost = dense[name][~mask].square().sum() / dense[name].square().sum()
print(f"dropped: {1 - mask.float().mean():.1%} of the weights, {lost:.1%} of their sum of squares")

# %% [markdown]
# **What if** you cut at 70 %? Write `0.7` for `0.5` and run the two cells again.

# %% [markdown]
# ## 2.2 prune_magnitude
#
# **Goal** prune every layer of a model, in place, and return its masks. | **Points** 4 | **Minutes** 15
#
# ### Which layers, and what "in place" means
#
# A Llama's decoder layer has seven matrices: `q_proj`, `k_proj`, `v_proj`, `o_proj` in the attention,
# `gate_proj`, `up_proj`, `down_proj` in the MLP. All of them are pruned, each with its own threshold,
# by the same sparsity. Embeddings, norms and `lm_head` are not touched; in this model `lm_head` *is*
# the embedding table, so pruning it would damage both ends at once.
#
# The weights that stay must stay *bit-identical*: pruning chooses, it does not change.
#
# <details><summary>Hint 1</summary>
#
# `linears.pruned_linears(model)` gives every layer that is to be pruned, by its full name.
# Your `magnitude_mask` does the rest, one weight at a time.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The masks are a dict. Which names does it need? `linears.apply_masks(model, masks)` sets what the masks drop to
# zero.
#
# </details>


# %% exercise="prune_magnitude"
def prune_magnitude(model, sparsity: float) -> dict[str, torch.BoolTensor]:
    """Prune every Linear of the decoder layers by magnitude, in place.

    Each layer drops the same share of its own weights. Returns the masks by full module name,
    True = keep. Embeddings, norms and lm_head stay as they are; kept weights are bit-identical.
    """
    ### BEGIN SOLUTION
    masks = {
        name: magnitude_mask(linear.weight, sparsity)
        for name, linear in linears.pruned_linears(model).items()
    }
    linears.apply_masks(model, masks)
    return masks
    ### END SOLUTION


# %% [markdown]
# This check prunes a tiny model first and then the course model itself, whose perplexity it measures
# twice: half a minute.

# %% check="prune_magnitude" points=4
check.prune_magnitude(prune_magnitude)

# %% [markdown]
# ### How much can go?
#
# Prune, measure, put the dense weights back, prune again. Putting them back matters: on a model that
# is pruned already, a lower sparsity silently does nothing. `with linears.masked(model, masks):` does
# it for you: inside the block the model is pruned, after it the model is dense again, even if you
# interrupt it. First a guess, for the fun of it:

# %% experiment
guess = None  # your guess: the perplexity when half of all weights are gone

# %% experiment
linears.must_be_dense(model)
magnitude = {0.0: dense_perplexity}
for sparsity in (0.3, 0.4, 0.5, 0.6):
    masks = {name: magnitude_mask(weight, sparsity) for name, weight in dense.items()}
    with linears.masked(model, masks):
        magnitude[sparsity] = perplexity(model, token_windows)
    if sparsity == 0.5:
        half = masks  # the experiments below start from these
    print(f"sparsity {sparsity:.0%}  perplexity {magnitude[sparsity]:8.2f}")

# %% experiment
plots.perplexity_against_sparsity(
    {"magnitude, per matrix": magnitude},
    "Perplexity when every matrix loses its smallest weights",
    guess=(0.5, guess),
)

# %% experiment
before = 0.0
for after in list(magnitude)[1:]:
    factor = magnitude[after] / magnitude[before]
    print(f"from {before:.0%} to {after:.0%} of the weights: perplexity times {factor:.1f}")
    before = after

# %% [markdown]
# On the course model, the first 30 % cost less than each 10 % that follow. (The scale is logarithmic: on
# it, equal factors are equal steps.)
#
# **What if** you drop more? Add `0.7` to the sparsities of the loop above and run it and these two cells again.
# A model that knows nothing has a perplexity as large as its vocabulary: can a pruned model do worse?
#
# Numbers hide what that means, so let the model speak: three beginnings, continued with all weights, with
# 70 % of them and with half.


# %% experiment
def continuation(prompt: str) -> str:
    """What the model says next, always taking the likeliest token."""
    ids = tokenizer(prompt, return_tensors="pt").to(model.device)
    both = model.generate(**ids, max_new_tokens=12, do_sample=False, pad_token_id=0)[0]
    return repr(tokenizer.decode(both[ids.input_ids.shape[1] :]))


prompts = ("The capital of France is", "Once upon a time, there was", "To make a cup of tea, first")
texts = {"dense": [continuation(prompt) for prompt in prompts]}
for sparsity in (0.3, 0.5):
    masks = {name: magnitude_mask(weight, sparsity) for name, weight in dense.items()}
    with linears.masked(model, masks):
        texts[f"{sparsity:.0%} gone"] = [continuation(prompt) for prompt in prompts]

# %% experiment
for place, prompt in enumerate(prompts):
    print(prompt, "...")
    for label, said in texts.items():
        print(f"    {label:9} {said[place]}")

# %% [markdown]
# The first beginning has one right answer, the others have many. A text can be fluent and wrong, and
# perplexity hardly shows that: lab 07 counts right answers instead.

# %% [markdown]
# ### Which layers suffer most?
#
# Now prune one kind of layer at a time; all others stay dense. The kinds differ in size, so this shows what
# each kind as a whole contributes.

# %% experiment
linears.must_be_dense(model)
by_kind = {}
for kind in dict.fromkeys(map(linears.layer_kind, half)):
    masks = {name: mask for name, mask in half.items() if linears.layer_kind(name) == kind}
    with linears.masked(model, masks):
        by_kind[kind] = perplexity(model, token_windows)

# %% experiment
plots.bars(
    by_kind, dense_perplexity, "Perplexity when one kind of layer loses half of its weights", "perplexity"
)

# %% experiment
sizes = {kind: sum(mask.numel() for name, mask in half.items() if name.endswith(kind)) for kind in by_kind}
rows = [
    [kind, f"{sizes[kind] / sum(sizes.values()):.0%}", f"{value - dense_perplexity:+.2f}"]
    for kind, value in sorted(by_kind.items(), key=lambda found: -found[1])
]
print(columns(["kind", "of all weights", "perplexity rises by"], rows))
print(f"\n{rows[0][0]} suffers most, {rows[-1][0]} least")

# %% [markdown]
# Does the kind with more weights suffer more? Compare `v_proj` with `q_proj`, which is three times its size on
# the course model. The size of a weight does not tell *how large the numbers are that it multiplies*.
# Lab 03 measures those.
#
# **What if** each kind loses 30 % and not half? Put the line
# `half = {name: magnitude_mask(weight, 0.3) for name, weight in dense.items()}` on top of the cell that makes
# `by_kind`, and run that cell and the two below it again: is the order the same?

# %% [markdown]
# ## 2.3 global_magnitude_masks
#
# **Goal** let all layers share one threshold. | **Points** 1 | **Minutes** 5
#
# ### One threshold for all
#
# Until now every layer lost the same share. Now rank the weights of *all* layers together. If there are $n$ of them,
# the $k = \mathrm{round}(s \cdot n)$ smallest go, wherever they are. Of two layers with the weights
# `[[1, 2], [3, 4]]` and `[[5, 6]]`, at 50 % the first loses 1, 2 and 3, the second nothing.
#
# <details><summary>Hint 1</summary>
#
# It is 2.1 with a longer list: join the weights of all layers, then cut the mask into layers again.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `torch.cat` joins flattened tensors; `split` takes a list of lengths and cuts a tensor into such pieces.
#
# </details>
#
# <details><summary>A smaller problem, solved</summary>
#
# Two lists of unequal length, joined and cut again: `torch.cat([torch.tensor([7, 8]), torch.tensor([9])])` is
# [7, 8, 9], and its `split([2, 1])` gives [7, 8] and [9] back. A piece of 6 numbers becomes a matrix again by
# `view(2, 3)`.
#
# </details>


# %% exercise="global_magnitude_masks"
def global_magnitude_masks(weights: dict[str, torch.Tensor], sparsity: float) -> dict[str, torch.BoolTensor]:
    """Masks that drop the smallest magnitudes of all layers together.

    weights: by full module name, [out_features, in_features] each. Returns masks under the same names,
    True = keep; round(sparsity * n) entries go, n counting all layers; ties at the cut may all go.
    Raises ValueError for a sparsity outside 0 to 1.
    """
    ### BEGIN SOLUTION
    every = torch.cat([weight.flatten() for weight in weights.values()])
    keep = magnitude_mask(every, sparsity)
    parts = keep.split([weight.numel() for weight in weights.values()])
    return {
        name: part.view(weight.shape) for (name, weight), part in zip(weights.items(), parts, strict=True)
    }
    ### END SOLUTION


# %% check="global_magnitude_masks" points=1
check.global_magnitude_masks(global_magnitude_masks)

# %% [markdown]
# Let all layers together lose half. Those with small weights lose more: how unequal does it become?

# %% experiment
guess = None  # your guess: the share that the layer cut deepest loses, from 0 to 1

# %% experiment
linears.must_be_dense(model)
share = 0.5
masks = global_magnitude_masks(dense, share)
with linears.masked(model, masks):
    global_perplexity = perplexity(model, token_windows)

# %% experiment
lost = {name: 1 - mask.float().mean().item() for name, mask in masks.items()}
least, deepest = min(lost, key=lost.get), max(lost, key=lost.get)
plots.layer_sparsities(
    lost, share, "What each layer loses to one threshold for all", guess=(int(deepest.split(".")[2]), guess)
)

# %% experiment
print(f"{deepest} loses {lost[deepest]:.0%} of its weights, {least} {lost[least]:.0%}")
verdict = "worse" if global_perplexity > magnitude[share] else "better"
print(
    f"one threshold for all is {verdict}: perplexity {global_perplexity:.1f}, by matrix {magnitude[share]:.1f}"
)

# %% [markdown]
# The black line is what all layers lose together. Where a curve lies above it, the layer lost more than
# its share. A small weight in one layer and a small weight in another may matter differently, because
# their *inputs* differ in size. Keep that in mind for Wanda.
#
# **What if** only 30 % go? Write `share = 0.3`, and run that cell and the two below it again: does the verdict
# change?

# %% [markdown]
# ## Your numbers beside ours

# %% experiment
ours = expected.perplexity("dense") | expected.perplexity("magnitude")
rows = [
    [f"{s:.0%}", f"{value:.2f}", f"{ours[s]:.2f}" if s in ours else "-"] for s, value in magnitude.items()
]
print(columns(["sparsity", "your perplexity", "reference"], rows))

# %% [markdown]
# Equal to within a percent? Then your masks and ours agree, up to ties. The last digits may differ
# from machine to machine, because sums of floating-point numbers depend on their order.

# %% [markdown]
# ## Question
#
# At 30 % sparsity the model still works, and at 60 % it is useless. A friend concludes:
# *"So 30 % of the weights do nothing, and the model could have been trained without them."*
# Name one thing that this experiment does show, one that it does not, and one experiment that would tell.
# Five sentences are enough.

# %% [markdown] written="magnitude_reflection" points=3
# It shows that the 30 % smallest weights of this trained model can be set to zero together, without
# retraining, at a bearable cost on this text. It does not show that each of them does nothing: perplexity on
# a few thousand tokens of one kind of text is a narrow test, and rare knowledge may be gone. Nor does it show that a
# smaller network would have learned the same: the small weights may have been needed while training, and
# which ones end up small is known only afterwards. To tell, train the sparse network from scratch with the
# same mask and compare, or measure on other texts and tasks before and after pruning.

# %% [markdown] answer
# **Rubric (3 points).** One point for a claim that the experiment supports (these weights, this text, no
# retraining, a bearable rise). One for a claim that it does not (useless during training; harmless on other
# text; 30 % of the *knowledge*). One for an experiment that could come out either way, such as retraining from
# scratch under the mask, other texts, or a random mask of the same sparsity as a control.

# %% [markdown]
# ## 2.4 sensitivity_budgets ★
#
# **Goal** let each kind of layer lose a share of its own. | **Points** none, for the fun of it | **Minutes** 15
#
# ### From a rise to a budget
#
# You have measured what the model suffers when one kind of layer alone loses half. So let a kind that suffers
# little lose more, and one that suffers much lose less, at the same sparsity for all of them together.
#
# A *group* $g$ has $n_g$ weights, and pruned alone it raises the loss, the logarithm of the perplexity, by $r_g$. A
# large group has more to lose, so what counts is the rise per weight, $r_g / n_g$. The budget of the group, its own
# sparsity, is
#
# $$s_g = \frac{c}{\sqrt[3]{r_g / n_g}},$$
#
# with the one $c$ for which all groups together drop the share $s$ of all weights: $\sum_g n_g s_g = s \sum_g n_g$.
#
# Why the cube root? Suppose that the rise of a group grows with the fourth power of its sparsity. Then dropping a
# little more costs $4 r_g s_g^3 / n_g$ for each weight, up to a factor. If that were less in one group than in another, it would
# pay to drop more there and less here; with the budgets above it is equal everywhere.
#
# | group | weights | rise | rise per weight | 1 / cube root | budget at $s = 0.35$ | at $s = 0.9$ |
# |---|---|---|---|---|---|---|
# | A | 100 | 0.1 | 0.001 | 10 | 0.4 | 1 |
# | B | 100 | 0.8 | 0.008 | 5 | 0.2 | 0.6 |
# | C | 200 | 0.2 | 0.001 | 10 | 0.4 | 1 |
#
# At $s = 0.35$, $c$ is 0.04: the groups drop 40, 20 and 80 weights, which is 35 % of 400.
#
# ### No group loses more than all
#
# At $s = 0.9$ the formula alone gives A and C more than 1. A group that would lose more than all is *full*: its budget
# is 1, and what is left to drop goes to the other groups by the same formula, with a $c$ of their own. A and C lose
# their 300 weights, and 60 of 360 are left for B. Now another group may be above 1: go on until none is.
#
# <details><summary>Hint 1</summary>
#
# Begin without full groups. Compute $1 / \sqrt[3]{r_g / n_g}$ for all groups, then $c$ from the sum of these times the sizes.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Keep a bool tensor `full`, all `False` at first, and a loop. Each turn computes the weights that are left to drop,
# and $c$ from the groups that are not full; then it adds those above 1 to `full`, or ends.
#
# </details>


# %% exercise="sensitivity_budgets"
def sensitivity_budgets(rise: torch.Tensor, sizes: torch.Tensor, sparsity: float) -> torch.Tensor:
    """A sparsity for each group of weights, lower where the loss rises more per weight.

    rise: float32 [groups], of the loss when the group alone is pruned, all above 0; sizes: int64 [groups], the
    weights of each group; sparsity: from 0 to 1, of all weights together. Returns float32 [groups], each from
    0 to 1: proportional to 1 over the cube root of rise / sizes, but 1 for a group that would be above it.
    """
    ### BEGIN SOLUTION
    ease = (sizes / rise) ** (1 / 3)  # [groups]
    full = torch.zeros_like(ease, dtype=torch.bool)
    while True:
        left = sparsity * sizes.sum() - sizes[full].sum()  # weights that the other groups drop
        budgets = torch.where(full, 1.0, ease * left / (ease * sizes)[~full].sum())
        above = budgets > 1
        if not above.any():
            return budgets
        full = full | above
    ### END SOLUTION


# %% check="sensitivity_budgets" points=0
check.sensitivity_budgets(sensitivity_budgets)

# %% [markdown]
# Now give each kind its budget, from the perplexities that you measured above, and prune the model by them. (A kind
# whose loss does not rise, as in a model of random weights, is given a very small rise.)

# %% experiment
rise = (torch.tensor(list(by_kind.values())) / dense_perplexity).log().clamp(min=1e-3)  # [kinds]
counts = torch.tensor([sizes[kind] for kind in by_kind])  # [kinds]
budget = dict(zip(by_kind, sensitivity_budgets(rise, counts, 0.5).tolist(), strict=True))
rows = [
    [kind, f"{each:.2f}", f"{sizes[kind] / counts.sum():.0%}", f"{budget[kind]:.0%}"]
    for kind, each in zip(by_kind, rise, strict=True)
]
print(columns(["kind", "rise of the loss", "of all weights", "its budget"], rows))

# %% experiment
linears.must_be_dense(model)
masks = {name: magnitude_mask(weight, budget[linears.layer_kind(name)]) for name, weight in dense.items()}
with linears.masked(model, masks):
    budget_perplexity = perplexity(model, token_windows)
gone = 1 - sum(mask.sum().item() for mask in masks.values()) / counts.sum().item()
print(
    f"{gone:.1%} of all weights are gone; perplexity {budget_perplexity:.1f}, with equal budgets {magnitude[0.5]:.1f}"
)

# %% experiment
together = torch.tensor(magnitude[0.5] / dense_perplexity).log()
print(
    f"the rises of the kinds add up to {rise.sum():.2f}; all kinds together, at 50 % each, have {together:.2f}"
)

# %% [markdown]
# The same number of weights is gone, only from other places, and on the course model the perplexity is a quarter
# lower. The budgets rest on two guesses: that the kinds do not
# disturb each other, so that their rises add up, and that a rise grows with the fourth power of the sparsity. The last
# line tests the first guess, and your curve the second: by which factor does the loss rise more at 60 % than at 30 %? A
# cube would make it 8, a fourth power 16.
#
# **What if** the budgets went by $n_g / r_g$ itself, without the root, as if a rise grew with the square? Write
# `rise**3 / counts**2` for `rise` in the call, which does just that, and run the two cells again. Which kind pays for it?

# %% [markdown]
# ## Read on
#
# - S. Han et al. 2015, *Learning both Weights and Connections for Efficient Neural Networks*
#   ([arXiv:1506.02626](https://arxiv.org/abs/1506.02626)): prune by magnitude, train again, repeat.
# - J. Frankle and M. Carbin 2019, *The Lottery Ticket Hypothesis*
#   ([arXiv:1803.03635](https://arxiv.org/abs/1803.03635)): could it have been trained sparse?
# - D. Blalock et al. 2020, *What is the State of Neural Network Pruning?*
#   ([arXiv:2003.03033](https://arxiv.org/abs/2003.03033)): why 81 papers are hard to compare.
#
# **Open question.** Magnitude works well on image networks that are trained again afterwards, and badly on
# language models that are not. How much of that is the training, and how much the model?
#
# **Finished?** Press the button below: the lab gives its memory back, and all that you see stays. (Under `start.py`, a
# lab whose tab you closed does so by itself after half an hour.)
#
# **Next:** [lab 03, Wanda calibration](../03_wanda_calibration/03_wanda_calibration.ipynb) measures what the
# weights are multiplied with.

# %% experiment
closing.button()
