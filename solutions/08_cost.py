# %% [markdown]
# # 08  What it costs
#
# So far a pruned model was good or bad by its perplexity. But nobody prunes for perplexity: one prunes to save
# something. What, exactly? Multiplications, bytes, memory and time are four different things, and a method can
# save one of them and none of the others. This lab counts the first two and measures the last two.
#
# | | |
# |---|---|
# | **You learn** | MACs and FLOPs, four storage formats, peak memory, how to measure a latency, and why zeros alone make nothing faster |
# | **You need** | lab 02 (masks) and lab 05 (sliced models; the given `labsupport.given.blocks` makes them here) |
# | **It takes** | an hour of your time; all cells together run a minute or two on two CPU cores, and the closing table five more the first time |
# | **Sources** | K. D. Herbst and S. Viet, report on pruning TinyLlama (FOM, 2025), chapter on compute requirements; Mishra et al. 2021, *Accelerating sparse deep neural networks* (2:4); the PyTorch documentation of sparse tensors |

# %%
import torch
from labsupport import check, comparison, corpora, cost, errors, expected, given
from labsupport import linears, models, plots, settings
from labsupport.given.blocks import prune_blocks
from labsupport.table import columns
from torch.nn import functional

# %% [markdown]
# ## Three models
#
# All three come from the course model. One stays *dense*. One gets *zeros*: in every matrix, the
# half with the smaller magnitudes, as in lab 02. One is *sliced*, as in lab 05: half of the
# channels and of the KV heads of every layer are cut out (only whole heads can go, so of 3 KV heads
# it is 1). Other labs ask how well they still speak; here we ask what they cost.

# %% experiment
dense, zeros, sliced = models.load(), models.load(), models.load()
tokenizer = models.tokenizer()
halves = {name: weight.abs() > weight.abs().median() for name, weight in linears.weights(zeros).items()}
linears.apply_masks(zeros, halves)
prune_blocks(sliced, 0.5, range(sliced.config.num_hidden_layers), "l1")
three = {"dense": dense, "zeros": zeros, "sliced": sliced}

# %% experiment
parameters = {name: sum(w.numel() for w in model.parameters()) for name, model in three.items()}
rows = [
    [name, f"{parameters[name]:,}", f"{linears.model_sparsity(model):.1%}", f"{cost.weight_bytes(model):,}"]
    for name, model in three.items()
]
print(columns(["model", "parameters", "zeros in its layers", "bytes of weights"], rows))

# %% [markdown]
# Every zero is still a parameter: it has its place in the tensor and takes as many bytes as any other number.
# Only the sliced model is smaller as it stands.

# %% [markdown]
# ## 8.1 linear_macs
#
# **Goal** count the multiplications of one layer. | **Points** 1 | **Minutes** 5
#
# ### Once for every token
#
# A linear layer computes $y_i = \sum_j W_{ij}\, x_j$ for every token. Multiplying two numbers and adding the
# product to a sum is one *multiply-accumulate*, a MAC. Each weight is used once for each token. Papers also count
# *FLOPs*, where multiplication and addition are two; so FLOPs are twice the MACs, and mixing them up is a factor
# of two. In this course we count MACs. A bias is added and multiplies nothing.
#
# The answer is an `int`, exact to the last digit.
#
# <details><summary>Hint 1</summary>
#
# Write down the layer with 2 outputs and 3 inputs. How many products are there for one token?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# As many as the matrix has entries. And for 64 tokens?
#
# </details>


# %% exercise="linear_macs"
def linear_macs(out_features: int, in_features: int, tokens: int) -> int:
    """Multiply-accumulates of one Linear layer for so many tokens."""
    ### BEGIN SOLUTION
    return out_features * in_features * tokens
    ### END SOLUTION


# %% check="linear_macs" points=1
check.linear_macs(linear_macs)

# %% [markdown]
# ## 8.2 model_macs
#
# **Goal** count the multiplications of a whole Llama from its config alone. | **Points** 3 | **Minutes** 15
#
# ### Which layers multiply?
#
# Print a model and tick off its `Linear` layers: some in attention, some in the MLP, in each decoder layer, and
# `lm_head` at the end. Look at their shapes while you are there:
#
# - attention's widths come from `num_attention_heads`, `num_key_value_heads` and `head_dim`. Under
#   *grouped-query attention* several query heads share one KV head, so not all four matrices are equally wide;
# - `head_dim` is a number of its own; it need not be `hidden_size / num_attention_heads`;
# - `embed_tokens` is a table: a token's row is looked up, not multiplied. `lm_head` may share its weight
#   (`tie_word_embeddings`), which saves memory. Does it save a multiplication?
#
# The exercise asks for the sum over all Linear layers and nothing else: no norms, no biases, and not attention's
# own products (queries by keys, weights by values), which have no weights. They come in right below.
#
# <details><summary>Hint 1</summary>
#
# `print(models.shape("tinyllama-1.1b-chat"))` shows a Llama without loading a weight. Call `linear_macs` once for
# each line that says Linear.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `q_proj` makes heads x head_dim numbers, `o_proj` takes them back; `k_proj` and `v_proj` make KV heads x
# head_dim. The MLP has three matrices. All that once for each decoder layer; `lm_head` once.
#
# </details>


# %% exercise="model_macs"
def model_macs(config, tokens: int) -> int:
    """Multiply-accumulates of all Linear layers of a Llama for so many tokens, lm_head included.

    config: a transformers.LlamaConfig, all its decoder layers alike. Biases, norms, the embedding and
    attention's own products do not count.
    """
    ### BEGIN SOLUTION
    hidden, channels = config.hidden_size, config.intermediate_size
    queries = config.num_attention_heads * config.head_dim
    keys = config.num_key_value_heads * config.head_dim
    attention = 2 * linear_macs(queries, hidden, tokens) + 2 * linear_macs(keys, hidden, tokens)
    mlp = 3 * linear_macs(channels, hidden, tokens)
    return config.num_hidden_layers * (attention + mlp) + linear_macs(config.vocab_size, hidden, tokens)
    ### END SOLUTION


# %% check="model_macs" points=3
check.model_macs(model_macs)

# %% [markdown]
# ### Does torch agree?
#
# PyTorch can watch a model run and count for itself. It also sees attention's own products: each head multiplies
# $[T, d]$ by $[d, T]$ and then $[T, T]$ by $[T, d]$ for $T$ tokens and a head of width $d$, which makes
#
# $$2 \cdot \mathrm{heads} \cdot T^2 \cdot d$$
#
# MACs in each layer. (On a CPU the counter does not know the fused attention kernel and would miss them;
# the given `counted_macs` runs attention as plain products meanwhile.)

# %% experiment
from labsupport.given.macs import attention_macs, counted_macs

tokens = 128
macs = {name: model_macs(model.config, tokens) for name, model in three.items()}
rows = []
for name, model in three.items():
    attention, counted = attention_macs(model, tokens), counted_macs(model, tokens)
    rows.append([name, f"{macs[name]:,}", f"{attention:,}", f"{macs[name] + attention:,}", f"{counted:,}"])
print(columns(["model", "Linear (yours)", "attention", "sum", "torch counts"], rows))

# %% [markdown]
# Equal to the last digit. And look at the second line: a model half of whose weights are zero costs exactly as
# many multiplications as before. A matrix product does not look at a number before it multiplies. Slicing saves,
# but less than half: `lm_head` was not sliced, and one of three KV heads is less than a half.

# %% [markdown]
# ### The report's count
#
# The report's seventh chapter prunes 30 % of TinyLlama's layers 4 to 17 and then measures what that saved, for texts
# of 64 tokens. Here are the totals that it prints, beside yours.

# %% experiment
from labsupport.given import plans

config = models.shape("tinyllama-1.1b-chat").config
plan = plans.plan(config, 0.3, range(4, 18), tokens=64)
print(
    columns(
        ["TinyLlama", "parameters", "report", "MACs", "report"],
        [
            ["before", f"{plan.parameters_before:,}", "1261.53 M", f"{model_macs(config, 64):,}", "77.32 G"],
            ["after", f"{plan.parameters_after:,}", "921.65 M", f"{plan.macs_after:,}", "54.8 G"],
        ],
    )
)

# %% [markdown]
# "After" agrees to a tenth of a percent. "Before" does not, and not by a little. The report's listing names every
# layer, so the difference can be found. Layers 18 to 21 were not pruned; this is what it prints for their attention:

# %% experiment
listing = {
    "q_proj": ("4.19 M", "268.44 MMac", "4.19 M", "268.44 MMac"),
    "k_proj": ("4.19 M", "268.44 MMac", "524.29 k", "33.55 MMac"),
    "v_proj": ("4.19 M", "268.44 MMac", "524.29 k", "33.55 MMac"),
    "o_proj": ("4.19 M", "268.44 MMac", "4.19 M", "268.44 MMac"),
}
names = ["a layer that was not pruned", "before", "", "after", ""]
print(columns(names, [[name, *found] for name, found in listing.items()]))
print(f"a layer of 2048 x 2048 at 64 tokens: {linear_macs(2048, 2048, 64) / 1e6:.2f} MMac")

# %% [markdown]
# Question 1 at the end asks what happened there. Keep these two tables.

# %% [markdown] answer
# `k_proj` and `v_proj` of a layer that nobody touched have 2048 outputs before and 256 after: "before" ignores
# grouped-query attention. Over 22 layers that is $22 \cdot 2 \cdot (2048 \cdot 2048 - 2048 \cdot 256) =
# 161{,}480{,}704$ parameters too many (14.7 %), and times 64 tokens $10.33$ G MACs (15.6 % of 66.20 G): 76.54 G.
# The rest up to 77.32 G is not in Linear layers.

# %% [markdown]
# ## 8.3 storage_bytes
#
# **Goal** say how many bytes a matrix takes when its zeros are left out. | **Points** 3 | **Minutes** 20
#
# ### How many stay?
#
# A matrix of `shape` (out_features, in_features) has $n$ weights. At a sparsity $s$ from 0 to 1,
# $\mathrm{round}(s \cdot n)$ of them are zero, as in lab 02; the other $k = n - \mathrm{round}(s \cdot n)$ are
# kept. A value takes `dtype_bytes` bytes.
#
# ### Four formats
#
# Whoever leaves out the zeros must write down where they were. A file holds:
#
# | format | values | and where they stood |
# |---|---|---|
# | `"dense"` | all $n$, zeros too | nothing |
# | `"bitmask"` | the $k$ kept | one bit for each of the $n$ weights, kept or not |
# | `"csr"` | the $k$ kept | the column of each, an `int32` (4 bytes); and for each row where it begins among the values, and once more where the last one ends: rows + 1 `int32` |
# | `"2:4"` | the $k$ kept | for each kept value its place among its four neighbours, 0 to 3: 2 bits |
#
# Bits are collected over the whole matrix and rounded *up* to whole bytes once. The 2:4 format exists only at a
# sparsity of exactly 0.5 and when 4 divides in_features. Raise `ValueError` for 2:4 elsewhere, for a format of
# another name, and for a sparsity outside 0 to 1, whatever the format.
#
# <details><summary>Hint 1</summary>
#
# Check the arguments first. Then count the values, then the rest, and add. A matrix of 3 x 4 at 50 %, 2 bytes a
# value, takes 24 bytes dense and 14 as a bitmask.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Rounding up without a float: `-(-bits // 8)`. A `dict` from format to bytes of "where they stood" keeps the function
# short.
#
# </details>


# %% exercise="storage_bytes"
def storage_bytes(shape: tuple[int, int], sparsity: float, format: str, dtype_bytes: int) -> int:
    """Bytes of a matrix [out_features, in_features] of this sparsity when it is stored.

    format: "dense", "bitmask", "csr" (int32 indices) or "2:4" (2 bits an index). Raises ValueError for another
    format, for a sparsity outside 0 to 1, and for "2:4" at a sparsity other than 0.5 or when 4 does not
    divide in_features.
    """
    ### BEGIN SOLUTION
    rows, inputs = shape
    count = rows * inputs
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity is {sparsity}: it must be from 0 to 1")
    if format == "2:4" and (sparsity != 0.5 or inputs % 4):
        raise ValueError("2:4 keeps two of every four inputs: sparsity 0.5, and 4 divides in_features")
    kept = count - round(sparsity * count)
    if format == "dense":
        return count * dtype_bytes
    if format == "bitmask":
        return kept * dtype_bytes + -(-count // 8)
    if format == "csr":
        return kept * dtype_bytes + 4 * kept + 4 * (rows + 1)
    if format == "2:4":
        return kept * dtype_bytes + -(-2 * kept // 8)
    raise ValueError(f"there is no format called {format!r}")
    ### END SOLUTION


# %% check="storage_bytes" points=3
check.storage_bytes(storage_bytes)

# %% [markdown]
# ### When does it pay?

# %% experiment
shape = tuple(dense.model.layers[0].mlp.up_proj.weight.shape)
sparsities = [s / 100 for s in range(0, 101, 5)]
curves = {
    f"{form}, {size} bytes a value": {
        s: storage_bytes(shape, s, form, size) / storage_bytes(shape, s, "dense", size) for s in sparsities
    }
    for form in ("csr", "bitmask")
    for size in (2, 4)
}
two_of_four = {size: storage_bytes(shape, 0.5, "2:4", size) / (shape[0] * shape[1] * size) for size in (2, 4)}
plots.storage_against_sparsity(
    curves,
    two_of_four,
    "A sparse format pays only below the line at 1: for CSR that takes half zeros, or more",
)

# %% [markdown]
# Follow CSR. With 4-byte values each kept weight takes 8 bytes, so the matrix must lose half of its
# weights before one byte is saved. With the 2-byte values that most models have, a kept weight
# takes 6 bytes instead of 2, and two thirds must go. At 50 %, *the* sparsity of this course, CSR in
# half precision makes the file 50 % larger than the dense one. The bitmask pays almost at once.
#
# And 2:4? Its two stars (0.56 for 2-byte values, 0.53 for 4-byte values) lie on the bitmask's
# lines: two bits for each kept weight, of which there are half as many, is one bit a weight. As a
# file 2:4 wins nothing over a bitmask. What it wins is order: each group of four has the same size,
# so a kernel knows where everything is.

# %% [markdown]
# Now the real thing: all decoder layers of the model with zeros. Is the formula what a real file would take?
# The given `packed` packs a weight and returns the tensors one would save.

# %% experiment
from labsupport.given import packing

name = next(iter(halves))
weight = linears.pruned_linears(zeros)[name].weight
share = (weight == 0).sum().item() / weight.numel()
for form in ("dense", "bitmask", "csr"):
    tensors = packing.packed(weight, form)
    print(f"{form:8} {storage_bytes(tuple(weight.shape), share, form, 4):9,} bytes by your formula,", end=" ")
    print(f"{packing.bytes_of(tensors):9,} in {len(tensors)} tensors")


# %% experiment
def stored(form: str, dtype_bytes: int) -> int:
    """Bytes of all decoder layers of the model with zeros in this format, each at its own sparsity."""
    total = 0
    for linear in linears.pruned_linears(zeros).values():
        gone = (linear.weight == 0).sum().item() / linear.weight.numel()
        total += storage_bytes(tuple(linear.weight.shape), 0.5 if form == "2:4" else gone, form, dtype_bytes)
    return total


files = {form: {size: stored(form, size) for size in (4, 2)} for form in ("dense", "bitmask", "csr", "2:4")}
rows = [[form, *(f"{sizes[size] / 1e6:.1f} MB" for size in (4, 2))] for form, sizes in files.items()]
print(columns(["decoder layers", "float32", "float16"], rows))

# %% [markdown]
# (The line 2:4 is for a model of the same shape whose zeros stand two in four; ours stand
# anywhere.) So zeros can make a *file* smaller than float32 or float16 does. To compute with it,
# ordinary kernels need the dense matrix again. And zeros are not the only way to a small file: our
# model arrived in blocks of 4-bit numbers, about 5 bits a weight, and loses nothing when it is
# stored so again.

# %% [markdown]
# ## Peak memory
#
# ### Allocated is not peak
#
# What does a model need to run? One is tempted to look before and after: how much memory is in use? But the
# intermediate results live and die in between, and the machine must hold them at the worst moment.
# `cost.peak_memory` watches that moment: on a GPU by the allocator's own mark, on a CPU by the process's
# high-water mark.

# %% experiment
text = corpora.windows(settings.current().text, tokenizer, "evaluation", tokens, 8).to(settings.device())


@torch.no_grad()
def run(model, batch: int, length: int = tokens) -> None:
    """One pass over `batch` texts of `length` tokens, as for a perplexity; what it makes is thrown away."""
    model(text[:batch, :length], use_cache=False)


run(dense, 8)  # the first pass loads code, which is not what we ask about
before = cost.allocated()
_, peak = cost.peak_memory(lambda: run(dense, 8))
after = cost.allocated()
print(
    f"in use before {before / 1e6:,.0f} MB, after {after / 1e6:,.0f} MB; at the worst moment {peak / 1e6:+,.0f} MB"
)

# %% [markdown]
# (On a CPU that is the whole process: Python, torch and three models.) Before and after differ by next to nothing,
# and in between there was much more. Most of it is one tensor: the
# logits, one number for each token and each word of the vocabulary. (That is why `labsupport.given.perplexity` makes
# them in chunks.) A figure such as "GPU memory requirement" is worth little until it says which of the two it is.

# %% experiment
size = 8 * tokens * dense.config.vocab_size * 4
print(f"the logits of 8 texts alone: {size / 1e6:,.0f} MB")
peaks = {
    name: {batch: cost.peak_memory(lambda m=model, b=batch: run(m, b))[1] for batch in (1, 8)}
    for name, model in three.items()
}
rows = [
    [name, f"{cost.weight_bytes(model) / 1e6:,.0f} MB", *(f"+{peaks[name][b] / 1e6:,.0f} MB" for b in (1, 8))]
    for name, model in three.items()
]
print(columns(["model", "weights", "peak, batch 1", "peak, batch 8"], rows))

# %% [markdown]
# Zeros save no memory while running either. Slicing saves weights and some of what flows between them; the logits
# stay.

# %% [markdown]
# ## Latency
#
# A time is not a number but a distribution: other programs run, clocks change, caches are cold. So: warm up once,
# repeat, take the median, and show the spread. We also take the three models in turns, so that a busy moment of
# the machine hits all of them. (A GPU returns from a call before it has done the work; `cost.latencies` waits for
# it.)

# %% experiment
sizes = {"1 text of 1 token": (1, 1, 25), "1 text of 128": (1, 128, 11), "8 texts of 128": (8, 128, 5)}
times = {}
for what, (batch, length, repeats) in sizes.items():
    actions = {name: lambda m=model, b=batch, n=length: run(m, b, n) for name, model in three.items()}
    times[what] = cost.latencies(actions, repeats)

# %% experiment
plots.latency_bars(times, "Zeros make nothing faster; slicing does (lines: the middle half of the repeats)")

# %% [markdown]
# The bars of *zeros* stand where those of *dense* stand, at every size, give or take a few percent: no trace of the
# half that is gone. The sliced model is faster, by nearly what it saves in MACs.
#
# Compare the first two groups as well. A single token needs 1/128 of the multiplications of 128 tokens and takes far
# more than 1/128 of the time: there is hardly anything to compute, and one waits for the weights to come from memory.
# That is how a model runs that writes one token after the other. What helps it are fewer *bytes*, and in a
# dense tensor a zero has as many as any other number.

# %% [markdown]
# ### But with a sparse format?
#
# Could one not multiply with the CSR matrix itself and skip the zeros? Let us try, on one layer.

# %% experiment
layer = max(linears.pruned_linears(dense).values(), key=lambda linear: linear.in_features)  # a down_proj
weight = layer.weight
x = torch.randn(weight.shape[1], tokens, device=weight.device)  # [in_features, tokens]
matrices = {"dense": weight}
for sparsity in (0.5, 0.9, 0.99):
    threshold = weight.abs().flatten().kthvalue(round(sparsity * weight.numel())).values
    matrices[f"csr at {sparsity:.0%}"] = packing.csr(weight * (weight.abs() > threshold))

# %% experiment
products = cost.latencies({name: lambda m=matrix: m @ x for name, matrix in matrices.items()}, 15)
for name, (median, (low, high)) in products.items():
    print(f"{name:11} {median * 1e3:7.2f} ms   (middle half {low * 1e3:.2f} to {high * 1e3:.2f})")

# %% [markdown]
# At 50 % the sparse product is *slower* than the dense one, although it does half of the multiplications. It has
# to look up a column for every value and to fetch inputs from here and there, while the dense kernel reads in a
# straight line and fills the vector units of the processor. Irregular zeros pay in time only beyond the
# sparsity that a language model survives well, and with a hundredth of the multiplications left they are still nowhere
# near a hundred times as fast.

# %% [markdown]
# ### Zeros in order: 2:4 on a GPU
#
# GPUs since 2020 multiply 2:4 matrices directly. PyTorch has the kernels for half precision. For the time it does
# not matter *which* two of four stay, so this takes the simplest pattern: the larger one of each pair.

# %% experiment
larger = weight.abs().view(-1, 2).diff(dim=1) > 0  # [pairs, 1]: is the second one larger?
paired = weight * torch.cat([~larger, larger], dim=1).view_as(weight)
try:
    packed = cost.semi_structured(paired)
    inputs, half = torch.randn(4096, weight.shape[1], device=weight.device).half(), paired.half()
    kernels = {
        "dense": lambda: functional.linear(inputs, half),
        "2:4": lambda: functional.linear(inputs, packed),
    }
    for name, (median, (low, high)) in cost.latencies(kernels, 50).items():
        print(f"{name:6} {median * 1e6:7.1f} us   (middle half {low * 1e6:.1f} to {high * 1e6:.1f})")
except errors.LabError as reason:
    print(f"{reason} This cell measures nothing here; the rest of the lab does not need it.")

# %% [markdown]
# Where the kernel runs, expect less than the factor of two that the hardware promises, and for small matrices
# such as ours perhaps nothing at all: a product must be large enough to keep the GPU busy before its arithmetic
# is what one waits for.

# %% [markdown]
# ## Your numbers beside ours
#
# Counts must agree exactly. Times and peaks belong to your machine and have no reference.

# %% experiment
ours = expected.cost()
found = {f"parameters, {name}": value for name, value in parameters.items()}
found |= {f"MACs of Linear layers at 128 tokens, {name}": value for name, value in macs.items()}
found |= {f"bytes of decoder layers, {form}, float32": sizes[4] for form, sizes in files.items()}
rows = [[what, f"{value:,}", f"{ours[what]:,}" if what in ours else "-"] for what, value in found.items()]
print(columns(["what", "yours", "reference"], rows))

# %% [markdown]
# ## Every method in one table
#
# That was the last piece. Here is the whole course in one table: every method at one setting, half of the
# weights, or 30 % of all blocks but the first and last four, each measured in the same way. The accuracy is
# that of lab 07's task on 48 documents, chance is 0.25. Peak memory, MACs and time belong to one pass over 128 tokens; each time
# is taken in turns with the dense model's.
#
# The first run takes about five minutes on two CPU cores. Each method is written down as soon as it is measured: interrupt it,
# and it goes on where it was; run it again, and it reads. `python -m labsupport compare` does the same outside a
# notebook, and for TinyLlama it puts the report's published numbers beside ours.

# %% experiment
setting = comparison.setting()
methods = comparison.compare(setting)
print(comparison.as_text(setting, methods))

# %% experiment
plots.comparison(methods, "The choice of weights decides the quality; only smaller matrices save anything")

# %% [markdown]
# Read it column by column. *Perplexity*: what is removed matters more than how much of it; by magnitude (or l1) a
# model is lost, by Wanda or Taylor it is not, and two dozen steps of LoRA take back much of what they cost. *Accuracy* says
# the same, with wider error bars: 48 documents cannot tell neighbours apart. *MACs, memory and time*: all methods that set
# zeros stand on the dense line, whatever they dropped; only smaller matrices move to the left, by about as much
# as they lost.
#
# So there is no best line in this table. There is a question to ask first: is it the file that is too large, the memory, or
# the wait?

# %% [markdown]
# ## Question 1
#
# By the totals of the report, pruning saved 29 % of the MACs (77.32 G to 54.8 G) and 27 % of the parameters
# (1261.53 M to 921.65 M). Which mistake is in the numbers "before", and which line of the listing gives it away?
# How much too high are they, and how much was really saved? (Lab 05 asked about the parameters: start from what you
# found there.) The report also prints a "GPU memory requirement" of 2427.31 MiB before and 1793.30 MiB after, for
# weights of 2 bytes: does that agree with the numbers "before" or with yours, and is it a peak?

# %% [markdown] written="report_reflection" points=3
# The numbers "before" ignore grouped-query attention: `k_proj` and `v_proj` are listed with 4.19 M
# weights, 2048 x 2048, in layers that nobody pruned and that have 524.29 k, 2048 x 256, "after".
# That is 22 x 2 x (2048 x 2048 - 2048 x 256) = 161,480,704 parameters too many: 14.7 % of the right
# 1,100,048,384. Times 64 tokens it makes 10.33 G MACs, 15.6 % of the right 66.20 G; a further 0.78
# G is not in Linear layers: attention's own products, 0.37 G, counted twice, and 0.03 G of norms
# and rotations. Really saved were 1 - 54.785 / 66.203 = 17.2 % of the MACs and 16.2 % of the
# parameters. The memory fits the wrong numbers: 1261.53 M x 2 bytes are 2406 MiB, while the right
# count takes 2098 MiB; so the model that was measured "before" really had the wide layers and was
# not TinyLlama. It is hardly more than the weights (21 and 35 MiB), so it is what was allocated,
# not a peak with the activations in it.

# %% [markdown] answer
# **Rubric (3 points).** One point for the mistake and its line: k_proj and v_proj (4.19 M, 268.44 MMac) in an
# unpruned layer are as wide as q_proj before, and 256 wide after. One for the numbers: about 15 % too high (14.7
# % of the parameters, 15.6 to 16.8 % of the MACs, depending on whether the rest is counted) and 17 % of the MACs
# saved (16 % of the parameters). One for the memory: 2427 MiB agrees with 1261.53 M weights of 2 bytes and not
# with 1100.05 M, and it is allocated memory, since next to nothing is left for activations.

# %% [markdown]
# ## Question 2
#
# A company has a model with 50 % zeros from Wanda and wonders why its answers come no faster. Explain it in two
# or three sentences. Then name two ways to turn sparsity into time, and say for each what it costs.

# %% [markdown] written="zeros_reflection" points=2
# A matrix product multiplies every entry without looking at it, and reads every entry from memory; a zero takes
# as long as any other number. A format that skips zeros has to look up where each value belongs, which at 50 %
# costs more than it saves. Two ways out: 2:4 sparsity, whose order a GPU kernel can use; it costs perplexity,
# because two of *every* four must go (lab 04), and works on such GPUs alone. Or structured pruning: whole
# channels and heads go and the matrices become smaller, so that every machine is faster with the kernels it has;
# it costs the most perplexity at the same share of weights, and usually needs recovery training (lab 06).

# %% [markdown] answer
# **Rubric (2 points).** One point for the reason: dense kernels multiply and load zeros like any other value, and
# irregular sparse formats pay overhead for their indices. One for two ways with their prices: 2:4 (needs special
# hardware, restricts the choice, higher perplexity than unstructured), structured or sliced (highest loss of
# quality at equal sparsity, needs recovery), or a sparse format at very high sparsity (quality is gone). Smaller
# files alone are no answer: they save disk and transfer, not time.
