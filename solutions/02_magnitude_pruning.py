# %% [markdown]
# # 02  Magnitude pruning
#
# A trained network holds many weights close to zero. The oldest idea in pruning is to drop just
# those: what is multiplied by almost nothing cannot matter much. In this lab you do that to a real
# language model, watch its perplexity rise, and find out which of its layers suffer most.
#
# | | |
# |---|---|
# | **You learn** | to rank weights, to cut at a sparsity, to prune a whole model, and to read the damage |
# | **You need** | lab 01 (what perplexity is); the given `labsupport.given.perplexity` measures it from here on |
# | **It takes** | an hour of your time; all cells together run about a minute and a half on two CPU cores |
# | **Sources** | Han et al. 2015, *Learning both weights and connections*; D. Shin, *On-Device AI* lab deck on LLM pruning (Sungkyunkwan University), exercise 1 |
#
# **Words used in every lab.** A *mask* is a bool tensor of its weight's shape: `True` means *keep*.
# *Sparsity* is the share of weights that are dropped. We prune the `Linear` layers of the decoder
# and count sparsity over those alone; embeddings, norms and the head stay as they are.

# %%
import torch
from labsupport import check, corpora, expected, given, linears, models, plots, settings
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
# equally likely ones. Every number below is to be read against this one.

# %% [markdown]
# ## 2.1 magnitude_mask
#
# **Goal** decide which weights of one matrix stay. | **Points** 3 | **Minutes** 15
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
# `kth_smallest(values, k)` is given and finds $t$: what `torch.kthvalue` does as well, only several times
# faster on a CPU. You will rank the 106 million weights of this model a few times.
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


# %% check="magnitude_mask" points=3
check.magnitude_mask(magnitude_mask)

# %% [markdown]
# What did you just cut? Here is one layer of the model at 50 %.

# %% experiment
name = list(dense)[len(dense) // 2]
mask = magnitude_mask(dense[name], 0.5)
threshold = dense[name].abs()[~mask].max().item()
plots.weight_histogram(dense[name], threshold, name)

# %% [markdown]
# The weights look like a bell around zero, and the cut takes the middle out of it. Half of the weights
# go, but far less than half of the bell's *width*: their sum of squares is a small part of the whole.
# That is the hope behind magnitude pruning.

# %% experiment
lost = dense[name][~mask].square().sum() / dense[name].square().sum()
print(f"half of the weights of {name} hold {lost:.1%} of its sum of squares")

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
# Collect the masks in a dict under the same names, then `linears.apply_masks(model, masks)` sets the
# dropped weights to zero.
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
# is pruned already, a lower sparsity silently does nothing. `with linears.masked(model, masks):` sees to
# it: inside the block the model is pruned, after it the model is dense again, even if you interrupt.

# %% experiment
magnitude = {0.0: dense_perplexity}
for sparsity in (0.3, 0.4, 0.5, 0.6):
    masks = {name: magnitude_mask(weight, sparsity) for name, weight in dense.items()}
    with linears.masked(model, masks):
        magnitude[sparsity] = perplexity(model, token_windows)
    if sparsity == 0.5:
        half = masks  # the two experiments below start from these
    print(f"sparsity {sparsity:.0%}  perplexity {magnitude[sparsity]:8.2f}")

# %% experiment
plots.perplexity_against_sparsity(
    {"magnitude, per matrix": magnitude}, "The first 30 % cost little; the next 30 % cost everything"
)

# %% [markdown]
# The scale is logarithmic, and still the line bends upwards: at 30 % the perplexity is half as high
# again; at 60 % it is more than 150 times as high. Numbers hide what that means, so let the model
# speak: the same beginning, continued with all weights and with half of them.


# %% experiment
def continuation(prompt: str) -> str:
    """What the model says next, always taking the likeliest token."""
    ids = tokenizer(prompt, return_tensors="pt").to(model.device)
    both = model.generate(**ids, max_new_tokens=16, do_sample=False, pad_token_id=0)[0]
    return repr(tokenizer.decode(both[ids.input_ids.shape[1] :]))


prompt = "The capital of France is"
print(f"dense       {prompt} {continuation(prompt)}")
with linears.masked(model, half):
    print(f"50 % gone   {prompt} {continuation(prompt)}")

# %% [markdown]
# ### Which layers suffer most?
#
# Now prune one kind of layer at a time, all others dense. The kinds differ in size, so this asks what
# a kind is worth as a whole.

# %% experiment
by_kind = {}
for kind in dict.fromkeys(map(linears.layer_kind, half)):
    masks = {name: mask for name, mask in half.items() if linears.layer_kind(name) == kind}
    with linears.masked(model, masks):
        by_kind[kind] = perplexity(model, token_windows)

# %% experiment
plots.bars(by_kind, dense_perplexity, "Half of one kind of layer dropped: the MLP minds most", "perplexity")

# %% [markdown]
# The three matrices of the MLP hold three quarters of the pruned weights and do most of the damage, but
# size is not all: compare `v_proj`, a third of the size of `q_proj`, with `q_proj` itself. What a
# weight's size does not tell is *how large the numbers are that it gets multiplied with*. Lab 03
# measures those.

# %% [markdown]
# ## 2.3 global_magnitude_masks
#
# **Goal** let all layers share one threshold. | **Points** 3 | **Minutes** 15
#
# ### One threshold for all
#
# Until now every layer lost the same share. We could instead rank *all* weights of the model together
# and let each layer lose what falls below the one threshold $t$: with $n = \sum_\ell n_\ell$ weights in
# all layers, again $k = \mathrm{round}(s \cdot n)$ go, wherever they are. A layer with small weights then
# loses more. Is that fair? First write it, then look.
#
# <details><summary>Hint 1</summary>
#
# The problem is the one of 2.1 with a longer list: join the magnitudes of all layers to find the
# threshold, then compare each layer with it.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `torch.cat` joins flattened tensors. Mind $k = 0$ and the range here too.
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


# %% check="global_magnitude_masks" points=3
check.global_magnitude_masks(global_magnitude_masks)

# %% experiment
masks = global_magnitude_masks(dense, 0.5)
with linears.masked(model, masks):
    global_perplexity = perplexity(model, token_windows)
print(f"at 50 %: one threshold a matrix {magnitude[0.5]:.1f}, one for all layers {global_perplexity:.1f}")

# %% experiment
lost = {name: 1 - mask.float().mean().item() for name, mask in masks.items()}
plots.layer_sparsities(lost, 0.5, "One threshold for all: layers with small weights lose most")

# %% [markdown]
# The black line is the 50 % that all layers lose together. Where a curve runs high, the layer was cut
# deeper than its share. A small weight in one layer and a small weight in another are not worth the same, because
# their *inputs* are not the same size. Keep that in mind for Wanda.

# %% [markdown]
# ## Your numbers beside ours

# %% experiment
ours = expected.perplexity("dense") | expected.perplexity("magnitude")
rows = [
    [f"{s:.0%}", f"{value:.2f}", f"{ours[s]:.2f}" if s in ours else "-"] for s, value in magnitude.items()
]
print(columns(["sparsity", "your perplexity", "reference"], rows))

# %% [markdown]
# Equal to within a percent? Then your pruning and ours made the same cuts. The last digits may differ
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
