# %% [markdown]
# # 08  What it costs
#
# Take a phone with 8 GB of memory that reads 50 GB a second from it and multiplies a trillion times a second. A model of a
# billion weights in half precision fills 2 GB. To write one token it makes a billion multiplications, which take one
# millisecond, and reads every weight from memory, which takes forty. Nobody prunes for a better perplexity: one prunes to
# save something. What, exactly? Multiplications, bytes, memory and time are four different things, and a method can
# save one of them and none of the others. This lab counts the first two and measures the last two.
#
# | | |
# |---|---|
# | **You learn** | MACs and FLOPs, the cost of attention, four storage formats, peak memory, the KV cache, how to measure a latency, and why zeros alone make nothing faster |
# | **You need** | lab 02 (masks) and lab 05 (sliced models; the given `labsupport.given.blocks` makes them here) |
# | **Level** | middle: whole models, by masks, hooks and gradients |
# | **It takes** | an hour and a quarter of your time; all cells together run a minute or two on two CPU cores, and the closing tables seven more the first time |
# | **Sources** | K. D. Herbst and S. Viet, report on pruning TinyLlama (FOM, 2025), chapter on compute requirements; Mishra et al. 2021, *Accelerating sparse deep neural networks* (2:4); the PyTorch documentation of sparse tensors |

# %%
import torch
from labsupport import amounts, check, closing, comparison, corpora, cost, errors, expected, given
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
# one goes). Other labs ask how well they still speak; here we ask what they cost.

# %% experiment
dense, zeros, sliced = models.load(), models.load(), models.load()
tokenizer = models.tokenizer()
for name, weight in linears.weights(zeros).items():
    linears.apply_masks(zeros, {name: weight.abs() > weight.abs().median()})
prune_blocks(sliced, 0.5, range(sliced.config.num_hidden_layers), "l1")
for model in (zeros, sliced):  # the embedding stays as it is: one tensor serves all three
    model.model.embed_tokens, model.lm_head = dense.model.embed_tokens, dense.lm_head
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
# Only the sliced model is smaller in memory.

# %% [markdown]
# ## 8.1 linear_macs
#
# **Goal** count the multiplications of one layer. | **Points** 1 | **Minutes** 5
#
# ### Once for every token
#
# A linear layer computes $y_i = \sum_j W_{ij}\, x_j$ for every token. Multiplying two numbers and adding the
# product to a sum is one *multiply-accumulate*, a MAC. Each weight is used once for each token. Papers also count
# *FLOPs*, where a multiplication and an addition are two operations: FLOPs are twice the MACs, so whoever confuses them
# is wrong by a factor of two. In this course we count MACs. A bias is added and multiplies nothing.
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
# The given `model_macs` adds this up over a whole model: the seven Linear layers of each decoder layer, and `lm_head`,
# which multiplies even where it shares the weight of the embedding. The embedding itself is a table: a token's
# row is looked up, not multiplied.

# %% [markdown]
# ## 8.2 attention_macs
#
# **Goal** count the multiplications that no weight shows. | **Points** 2 | **Minutes** 10
#
# ### Where tokens meet
#
# In a Linear layer no token meets another one. In attention all of them meet. For a text of $T$ tokens, each query
# head of width $d$ makes two products of matrices:
#
# | | shapes | result |
# |---|---|---|
# | queries by keys | $[T, d]$ by $[d, T]$ | $[T, T]$, a score for each pair of tokens |
# | weights by values | $[T, T]$ by $[T, d]$ | $[T, d]$, the values mixed by those weights |
#
# The weights of the second line are the softmax of the scores. No parameter of the model is in either product, so no
# parameter count shows them. Three things to know:
#
# - under *grouped-query attention* several query heads share the keys and values of one KV head, but each query head
#   makes its own products;
# - `head_dim` is a number of its own; it need not be `hidden_size / num_attention_heads`;
# - a token sees itself and those before it, so nearly half of the pairs are never used. Some kernels skip them;
#   PyTorch's counter counts the whole square, and so do we.
#
# Count both products of all heads in all layers, and nothing else: no Linear layer, no softmax. The answer is an
# exact `int`.
#
# <details><summary>Hint 1</summary>
#
# On paper: $[2, 3]$ by $[3, 2]$. How many entries does the result have, and how many products are in the sum of each?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Both products of a head cost the same. How many heads make them, and how often? `print(config)` lists the names.
#
# </details>


# %% exercise="attention_macs"
def attention_macs(config, tokens: int) -> int:
    """Multiply-accumulates of attention's own two products, over all layers, for one text of so many tokens.

    config: a transformers.LlamaConfig, all its decoder layers alike. Every position meets every position,
    as torch's counter has it.
    """
    ### BEGIN SOLUTION
    one_product = tokens * config.head_dim * tokens  # [T, D] by [D, T], or [T, T] by [T, D]
    return config.num_hidden_layers * config.num_attention_heads * 2 * one_product
    ### END SOLUTION


# %% check="attention_macs" points=2
check.attention_macs(attention_macs)

# %% [markdown]
# ### Does torch agree?
#
# PyTorch can watch a model run and count for itself, Linear layers and products of attention. (On a CPU the counter
# does not know the fused attention kernel and would miss them; the given `counted_macs` runs attention as
# plain products meanwhile.)

# %% experiment
from labsupport.given.macs import counted_macs, model_macs

tokens = 128
macs = {name: model_macs(model, tokens) for name, model in three.items()}
rows = []
for name, model in three.items():
    attention, counted = attention_macs(model.config, tokens), counted_macs(model, tokens)
    rows.append([name, f"{macs[name]:,}", f"{attention:,}", f"{macs[name] + attention:,}", f"{counted:,}"])
print(columns(["model", "Linear layers", "attention (yours)", "sum", "torch counts"], rows))

# %% [markdown]
# Equal to the last digit. And look at the second line: a model with half of its weights at zero costs exactly as
# many multiplications as before. A matrix product does not look at a number before it multiplies. Slicing saves, but
# less than half in the Linear layers: `lm_head` was not sliced, and of three KV heads one went. (In attention's products
# a third went with it.)
#
# At 128 tokens attention hardly counts on the course model. But it grows with the square of the tokens, and the Linear
# layers only in proportion to them.

# %% experiment
for length in (128, 1024, 4096, 8192):
    ratio = attention_macs(dense.config, length) / model_macs(dense, length)
    print(f"{length:5,} tokens: attention's products are {ratio:.0%} of the Linear layers'")

# %% [markdown]
# ### The report's count
#
# The report prunes 30 % of TinyLlama's layers 4 to 17; its chapter 7 counts MACs at 64 tokens: 77.32 G before, 54.8 G
# after. Lab 05 found its first mistake: the model "before" has `k_proj` and `v_proj` as wide as `q_proj`. Does that
# explain the whole 77.32 G? The report prints two totals before pruning: the sum of the lines of its listing, and a
# larger one at the very end.

# %% experiment
tinyllama = models.shape("tinyllama-1.1b-chat").config
wide = type(tinyllama)(**{**tinyllama.to_dict(), "num_key_value_heads": tinyllama.num_attention_heads})
counts = {
    "Linear layers": model_macs(tinyllama, 64),
    "Linear layers, k and v too wide": model_macs(wide, 64),
    "attention's own products": attention_macs(tinyllama, 64),
    "the report: all lines of the listing": 76.94e9,
    "the report: computational complexity": 77.32e9,
}
print(columns(["TinyLlama, dense, 64 tokens", "GMACs"], [[k, f"{v / 1e9:.3f}"] for k, v in counts.items()]))

# %% [markdown]
# The wide Linear layers make 76.54 G. The lines of the listing add up to 0.40 G more, and the total at the end is another
# 0.38 G higher. Of the 0.40 G, 0.02 G are norms and activation functions. Question 1 asks what the rest is. After pruning,
# the listing adds up to 54.79 G and the total is 54.8 G; the Linear layers alone are 54.785 G.

# %% [markdown]
# ## 8.3 storage_bytes
#
# **Goal** say how many bytes a matrix takes when its zeros are left out. | **Points** 4 | **Minutes** 20
#
# ### How many stay?
#
# A matrix of `shape` (out_features, in_features) has $n$ weights. At a sparsity $s$ from 0 to 1,
# $\mathrm{round}(s \cdot n)$ of them are zero, as in lab 02; the other $k = n - \mathrm{round}(s \cdot n)$ are
# kept. A value takes `dtype_bytes` bytes.
#
# ### Four formats
#
# A file that leaves the zeros out must say where they were. It holds:
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
#
# <details><summary>A smaller problem, solved</summary>
#
# A matrix of 2 x 8 at 50 %, 4 bytes a value: 8 values stay, 32 bytes. A bitmask adds 16 bits, 2 bytes. CSR
# adds 8 columns and 3 beginnings of 4 bytes each, 44 bytes. 2:4 adds 8 places of 2 bits, 2 bytes.
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


# %% check="storage_bytes" points=4
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
    "Bytes of a matrix in a sparse format, over those of the dense one",
)

# %% [markdown]
# Look at CSR. With 4-byte values each kept weight takes 8 bytes, so the matrix must lose half of its
# weights before one byte is saved. With the 2-byte values that most models have, a kept weight
# takes 6 bytes instead of 2, and two thirds must go. At 50 %, *the* sparsity of this course, CSR in
# half precision makes the file 50 % larger than the dense one. The bitmask pays almost at once.
#
# And 2:4? It takes 0.56 of dense with 2-byte values and 0.53 with 4-byte values, and lies on the bitmask's
# lines: two bits for each kept weight are one bit for each of all weights, because half are kept. As a
# file 2:4 is no smaller than a bitmask. What it gains is order: each group of four has the same size,
# so a kernel knows where everything is.

# %% [markdown]
# Now the real thing: all decoder layers of the model with zeros. Is the formula what a real file would take?
# The given `packed` packs a weight and returns the tensors one would save.

# %% experiment
from labsupport.given import packing

name = next(iter(linears.weights(zeros)))
weight = linears.pruned_linears(zeros)[name].weight
share = (weight == 0).sum().item() / weight.numel()
for form in ("dense", "bitmask", "csr"):
    tensors = packing.packed(weight, form)
    yours = storage_bytes(tuple(weight.shape), share, form, weight.element_size())
    print(f"{form:8} {yours:9,} bytes by your formula,", end=" ")
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
count = sum(linear.weight.numel() for linear in linears.pruned_linears(zeros).values())
print(f"dense, 5 bits a weight: {count * 5 / 8 / 1e6:.1f} MB")

# %% [markdown]
# (The line 2:4 is for a model of the same shape with two zeros in every four; our zeros stand anywhere.) So zeros can
# make a *file* smaller than a dense one in float32 or float16. To compute with it, ordinary kernels need the dense
# matrix again. And zeros are not the only way to a small file: the dense course model was stored in blocks of 32
# numbers of 4 bits with a scale and an offset, 5 bits a weight. Its weights still lie on that grid, so a file of the
# size in the last line holds the dense model without any loss (lab 11 writes it, and measures). The bitmask in float16 takes nearly twice as much, for
# a model with 16 times the perplexity (lab 02). Compare zeros with fewer *bits*, not with float32 alone.

# %% [markdown]
# ## Peak memory
#
# ### Allocated is not peak
#
# How much memory does a model need to run? It is not enough to look before and after a run. Intermediate results
# are made and freed in between, and at the worst moment the machine must hold them all.
# `cost.peak_memory` finds that moment: on a GPU by the allocator's record of its highest value, on a CPU by that of the
# process.

# %% experiment
text = corpora.windows(settings.current().text, tokenizer, "evaluation", tokens, 8).to(settings.device())


@torch.no_grad()
def run(model, batch: int, length: int = tokens) -> None:
    """One pass over `batch` texts of `length` tokens, as for a perplexity; what it makes is thrown away."""
    model(text[:batch, :length], use_cache=False)


run(dense, 8)  # the first pass also loads code, which we do not want to measure
before = cost.allocated()
_, peak = cost.peak_memory(lambda: run(dense, 8))
after = cost.allocated()
print(
    f"in use before {before / 1e6:,.0f} MB, after {after / 1e6:,.0f} MB; at the worst moment {peak / 1e6:+,.0f} MB"
)

# %% [markdown]
# (On a CPU that is the whole process: Python, torch and three models.) Before and after hardly differ,
# but in between much more was in use. Most of it is one tensor: the
# logits, one number for each token of the text and each token of the vocabulary. (That is why
# `labsupport.given.perplexity` makes them in chunks.) A "GPU memory requirement" means little until it says which of the
# two it is, allocated or peak.

# %% experiment
size = 8 * tokens * dense.config.vocab_size * dense.dtype.itemsize
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
# Zeros save no memory at run time either. Slicing saves weights and some intermediate results; the logits stay as
# large as they are.

# %% [markdown]
# ## 8.4 kv_cache_bytes
#
# **Goal** say how much memory a text takes while a model continues it. | **Points** 2 | **Minutes** 10
#
# ### What a model keeps of a text
#
# A model that writes takes one new token at a time. Its query meets the keys of all tokens before it, and mixes their values.
# These keys and values do not change any more, so they are not computed again: every layer keeps them, in the
# *KV cache*. It holds, for every token, what `k_proj` and `v_proj` put out. A query is used once and thrown away.
#
# Under *grouped-query attention* only the KV heads have keys and values, each of `head_dim` numbers per token. A smaller
# cache is its purpose. A number takes `dtype_bytes` bytes. The answer is an exact `int`.
#
# <details><summary>Hint 1</summary>
#
# `models.describe(models.shape("tiny"))` prints how wide `k_proj` and `v_proj` are. How many numbers does one token add in
# one layer?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The names in the config are `num_key_value_heads`, `head_dim` and `num_hidden_layers`. A layer of 2 KV heads of width 3
# keeps 12 numbers for each token.
#
# </details>


# %% exercise="kv_cache_bytes"
def kv_cache_bytes(config, tokens: int, dtype_bytes: int) -> int:
    """Bytes of the keys and values of so many tokens of one text, over all layers.

    config: a transformers.LlamaConfig, all its decoder layers alike; dtype_bytes: bytes of one number.
    """
    ### BEGIN SOLUTION
    keys = config.num_key_value_heads * config.head_dim  # numbers a token, in one layer
    return config.num_hidden_layers * 2 * keys * tokens * dtype_bytes
    ### END SOLUTION


# %% check="kv_cache_bytes" points=2
check.kv_cache_bytes(kv_cache_bytes)

# %% [markdown]
# What does a real cache hold? And how much would it take on a phone, for TinyLlama and a long text?


# %% experiment
@torch.no_grad()
def kept(model) -> int:
    """Bytes of the keys and values that a model keeps of one text."""
    layers = model(text[:1], use_cache=True).past_key_values.layers
    return sum(layer.keys.nbytes + layer.values.nbytes for layer in layers)


size = next(dense.parameters()).element_size()
for name, model in three.items():
    yours = kv_cache_bytes(model.config, tokens, size)
    print(f"{name:7} {kept(model):9,} bytes for {tokens} tokens, {yours:9,} by your count")

# %% experiment
for what, config in {"4 KV heads": tinyllama, "one for each query head": wide}.items():
    size = kv_cache_bytes(config, 2048, 2)
    print(f"TinyLlama, {what:23} {size / 1e6:4,.0f} MB for 2,048 tokens in half precision")

# %% [markdown]
# Again the zeros change nothing, and with a KV head its keys and values go too. TinyLlama's weights, 2,200 MB, are read
# once for every token, whatever the text is; the cache grows with the text, and is read for every token as well.

# %% [markdown]
# ## Latency
#
# A time differs from run to run: other programs run, the clock of the processor changes, caches are cold. So: warm up
# once, repeat, take the median, and show the spread. We also run the three models in turns, so that a busy moment of
# the machine slows all of them. (On a GPU a call returns before its work is done; `cost.latencies` waits for it.)

# %% experiment
guess = None  # your guess: the time of the model with zeros for 8 texts of 128, where dense takes 1

# %% experiment
sizes = {"1 text of 1 token": (1, 1, 25), "1 text of 128": (1, 128, 11), "8 texts of 128": (8, 128, 5)}
times = {}
for what, (batch, length, repeats) in sizes.items():
    actions = {name: lambda m=model, b=batch, n=length: run(m, b, n) for name, model in three.items()}
    times[what] = cost.latencies(actions, repeats)

# %% experiment
title = "Time of one pass, over that of the dense model (lines: the middle half of the repeats)"
plots.latency_bars(times, title, guess)

# %% experiment
for what, found in times.items():
    zeros_take, sliced_take = (found[name][0] / found["dense"][0] for name in ("zeros", "sliced"))
    print(f"{what:17} zeros take {zeros_take:.2f} of dense's time, sliced {sliced_take:.2f}")
print(f"sliced has {macs['sliced'] / macs['dense']:.2f} of dense's MACs")
one, many = (times[what]["dense"][0] for what in ("1 text of 1 token", "1 text of 128"))
print(f"dense: a single token takes 1/{many / one:.0f} of the time of 128")

# %% [markdown]
# On our CPU *zeros* take as long as *dense* at every size, within the spread: no trace of the half that is gone.
# What *sliced* gains depends on what one waits for. On a CPU that is mostly the multiplications, and it gains nearly what it
# saves in MACs. On a GPU a model as small as ours waits for its hundreds of small kernels to start, and those are as many as
# before: the more texts at once, the more is gained.
#
# Compare the single token with 128 as well. It needs 1/128 of the multiplications and takes far more than 1/128 of
# the time: there is hardly anything to compute. On a CPU one waits for the weights to come from memory; so does a GPU
# with a large model. That is how a model runs that writes one token after the other. What helps is fewer *bytes*;
# in a dense tensor a zero takes as many as any other number.
#
# **What if** only two texts come at a time? Put `"2 texts of 128": (2, 128, 9)` into `sizes`, and run the three cells again:
# from how many tokens on does *sliced* gain what it saves in MACs?

# %% [markdown]
# ### But with a sparse format?
#
# Can we multiply with the CSR matrix itself and skip the zeros? Let us try it on one layer.

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
    print(f"{name:11} {median * 1e3:7.2f} ms   (middle half {low * 1e3:.2f} to {high * 1e3:.2f})", end="")
    print(f"   {median / products['dense'][0]:6.2f} of dense")

# %% [markdown]
# At 50 % the sparse product does half of the multiplications and saves no time: on our CPU the last column is above 1. It has
# to look up a column for every value and to fetch inputs from here and there, while the dense kernel reads in a
# straight line and fills the units of the processor that multiply many numbers at once. Irregular zeros pay in time only
# beyond the sparsity that a language model survives well, and with a hundredth of the multiplications left they are still
# nowhere near a hundred times as fast.

# %% [markdown]
# ### Zeros in order: 2:4 on a GPU
#
# GPUs since 2020 multiply 2:4 matrices directly. PyTorch has the kernels for half precision. For the time it does
# not matter *which* two of four stay, so we keep the larger one of each pair: that is the simplest 2:4 pattern.

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
# Where the kernel runs, expect less than the factor of two that the hardware promises (Mishra et al. 2021), and for
# matrices as small as ours perhaps nothing at all: only in large products is arithmetic what takes the time.

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
# ## How much is removed
#
# Which method costs least perplexity? One can compare only at the same amount. In the table at the end masks take half of
# the weights, but slicing takes 30 % of all layers but the first and last four, a sixth of the decoder. So first every
# method at the *same* share: a sixth, a third and a half of all weights of the decoder. The first and last four layers stay
# whole when blocks are cut, as in lab 05, so the layers between them lose more: 30, 50 and 69 %.
#
# These measurements load models of their own, so we first remove the three models above from memory. The nine measurements take
# about two minutes on two CPU cores the first time; each is saved as soon as it is made.

# %% experiment
guess = None  # your guess: the perplexity of Wanda with a third of the weights gone; dense: 24, or 26 with the GPU settings

# %% experiment
above = ("dense", "zeros", "sliced", "three", "model", "layer", "weight", "matrices", "actions")
for name in above:
    globals().pop(name, None)
print(f"in use after that: {cost.allocated() / 1e6:,.0f} MB")

# %% experiment
setting = comparison.setting()
curves = amounts.measure(setting)

# %% experiment
rows = []
for share in amounts.shares(setting).values():
    mine = [f"{points[share]:,.1f}" if points else "-" for points in curves.values()]
    ours = [f"{value:,.1f}" for value in expected.by_share(share)]
    rows.append([f"{share:.1%}", *mine, *(ours or ["-"] * len(curves))])
print(columns(["gone", *curves, *(f"{name} (ours)" for name in curves)], rows))

# %% [markdown]
# ## Every method in one table
#
# Now all methods of labs 02 to 06 in one table: each at one setting, half of the weights, or 30 % of all
# blocks but the first and last four, and each measured in the same way. The accuracy is that of lab 07's task on 48
# documents, plus or minus one standard error; chance is 0.25. Peak memory, MACs and time belong to one pass over
# 128 tokens; each time is taken in turns with the dense model's. The last two columns are a file with 16 bits a value: bits
# for each weight of the dense decoder, a bitmask or the places of 2:4 included, and megabytes in all.
#
# Each of the next two cells takes under three minutes on two CPU cores the first time: the first sets zeros, the second
# cuts out. Each method is saved as soon as it is measured: an interrupted cell goes on where it stopped, and a second run
# only reads. `python -m labsupport compare` does the same outside a notebook, with the methods of labs 09 and 10 as well,
# and for TinyLlama it puts the report's published numbers beside ours.

# %% experiment
names = list(comparison.UNTIL_LAB_08)
methods = comparison.compare(setting, methods=[name for name in names if "blocks" not in name])

# %% experiment
methods = comparison.compare(setting, methods=names)
print(comparison.as_text(setting, methods))

# %% [markdown]
# First the amounts. Each line begins at the dense model. Dashed lines are ours: the other methods that can remove any
# amount, measured for the course. Where random numbers decide, there are three draws: the line goes through the middle one, and a
# pale bar reaches from the lowest to the highest. A mark without a line is a method of the table that was measured at one amount only.

# %% experiment
shares = list(amounts.shares(setting).values()) if methods else []
plots.perplexity_by_share(
    curves, methods, "Perplexity by how much is zero or gone", (0.336, guess), expected.other_curves()
)

# %% experiment
for share in shares:
    names = sorted(curves, key=lambda name, at=share: curves[name][at])  # the least loss first
    times = [f"{name} {curves[name][share] / methods[0].perplexity:.2f}" for name in names]
    print(f"{share:5.1%} gone, perplexity over dense: {', '.join(times)}")
for method, points in expected.other_curves().items():
    if all(len(draws) > 1 for draws in points.values()):
        apart = [f"{share:.1%}: {max(draws) / min(draws):.2f}" for share, draws in points.items()]
        print(f"{method}, highest of our three draws over the lowest, at {', at '.join(apart)}")

# %% [markdown]
# Read it from left to right. On the course model, zeros are all but free at a sixth, whichever score chooses them. Blocks of the same weight
# cost half as much again, although taylor chooses them with care. A mask may pick the least useful weight anywhere; a
# slice takes a whole channel, its useful weights too. At a third the score begins to matter: Wanda loses little,
# magnitude more, and blocks several times the dense perplexity. At a half it decides everything: Wanda doubles the
# dense perplexity, the others multiply it by more than ten, and a good choice of blocks beats a bad choice of single
# weights.
#
# In the table magnitude looks much worse than blocks by taylor, but that compares a half with a sixth. At each of the
# three amounts Wanda's zeros cost least on this model. At a sixth, norms choose blocks worse than any of three random
# draws. At a half, one draw is thirty times another, and both norms lie between them. The lines of LoRA show how much 24
# steps of training take back, hardly different from draw to draw; after them Wanda at a sixth lies *below* the dense model, since training also teaches the
# style of the text (lab 06, question 2). What blocks give in return is in the next figure.

# %% experiment
plots.comparison(methods, "What each method costs, at the amount that it removes")
measures = {
    "perplexity": lambda row: row.perplexity,
    "MACs": lambda row: row.macs,
    "peak memory": lambda row: row.memory,
    "time": lambda row: row.seconds / row.dense_seconds,
}
for what, of in measures.items():
    least = min(methods[1:], key=of, default=None)  # without the dense model
    if least:
        print(f"least {what:11} {least.method}, {of(least) / of(methods[0]):.2f} of dense")

# %% [markdown]
# Read it column by column. *Perplexity* holds for the amount in the first column, so compare it along the curves above, not
# down this one. *Accuracy* says the same, with wider bars: 48 documents cannot tell neighbours apart. *MACs, memory and time*: all
# methods that set zeros stand on the dense line, whatever they dropped; only smaller matrices move to the left, in MACs and
# memory by about as much as they lost, in time as far as multiplications are what one waits for.
#
# So there is no best method in this table. Ask first what must become smaller: the file, the memory, or the time?

# %% [markdown]
# ## Question 1
#
# Three numbers of the report's compute chapters have no explanation there.
#
# 1. Its 77.32 GMac before: which two amounts, about 0.38 G each, are added to the wide Linear layers, one in the lines of
#    the listing and one in none of them? Use the table in "The report's count". The report subtracts 54.8 G from 77.32 G. Name
#    all that differs between the two counts besides the pruning.
# 2. It prints a "GPU memory requirement" of 2427.31 MiB before and 1793.30 MiB after, for weights of 2 bytes. Which number of
#    parameters does the first agree with, 1261.53 M or 1100.05 M? Is it a peak?
# 3. Its logs of the pruning end with 1783.69 MiB for l1 and 4130.38 MiB for taylor, and the model that both leave has
#    921.65 M parameters. Taylor's loss was still in memory then, and its graph keeps the weights that the layers 4 to 17
#    had before, and their gradients. How many MiB are these, and do they explain the difference?

# %% [markdown] written="report_reflection" points=3
# 1: Attention's own products, 0.369 G, are counted twice. Once they are in the listing, in the lines of the attention
# blocks; with 0.03 G of norms, activations and rotations they make the 0.40 G between 76.54 G and 76.94 G. Then they are
# counted again, in no line, because the tool also watches the products themselves: 0.38 G up to 77.32 G. After pruning they are counted
# not at all: 54.8 G is the Linear layers' 54.785 G and the activation functions. So the two counts differ in three ways besides pruning:
# keys and values too wide, attention twice before, and after it neither attention nor norms.
# 2: The memory fits the wide model: 1261.53 M x 2 bytes are 2406 MiB, while 1100.05 M take 2098 MiB; so the model that was measured
# "before" really had wide keys and values and was not TinyLlama. It is hardly more than the weights (21 MiB before, 35 MiB
# after), so it is what was allocated, not a peak with the activations in it.
# 3: A layer has 2 x 2048 x 2048 + 2 x 2048 x 256 + 3 x 2048 x 5632 = 44.04 M weights in its matrices, and 14 of them 616.56 M.
# Once as weights and once as gradients, with 2 bytes each, they take 2352 MiB. The difference is 2347 MiB, so they explain it. l1
# needs no gradients: its 1783.69 MiB are the pruned weights, 1758 MiB, and little else.

# %% [markdown] answer
# **Rubric (3 points).** One point for attention's products, 0.37 G, counted twice before and not at all after (one of
# the two halves: half a point; "the tool counts attention differently" without a number: none). One for the first memory: 2427 MiB agrees
# with 1261.53 M weights of 2 bytes and not with 1100.05 M, and it is allocated memory, since next to nothing is left for activations.
# One for the 2352 MiB of old weights and old gradients, which agree with the difference of 2347 MiB; half a point for
# one of the two alone, 1176 MiB, or for the gradients of all weights, 2098 MiB, which do not agree.

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

# %% [markdown]
# ## Read on
#
# - Mishra et al. 2021, *Accelerating sparse deep neural networks*, [arXiv:2104.08378](https://arxiv.org/abs/2104.08378): 2:4 in hardware
# - Ainslie et al. 2023, *GQA*, [arXiv:2305.13245](https://arxiv.org/abs/2305.13245): fewer KV heads, for the cache
# - Pope et al. 2022, *Efficiently scaling transformer inference*, [arXiv:2211.05102](https://arxiv.org/abs/2211.05102): when arithmetic takes the time, and when memory
# - Frantar and Alistarh 2023, *SparseGPT*, [arXiv:2301.00774](https://arxiv.org/abs/2301.00774): half of the weights gone in one shot, together with fewer bits
# - Xia et al. 2024, *Sheared LLaMA*, [arXiv:2310.06694](https://arxiv.org/abs/2310.06694): structured pruning, and then much training
# - Gholami et al. 2024, *AI and memory wall*, [arXiv:2403.14123](https://arxiv.org/abs/2403.14123)
# - The PyTorch documentation, *torch.sparse*, [its page](https://docs.pytorch.org/docs/stable/sparse.html): what sparse tensors store, and 2:4
#
# **Open question.** Half of the weights are zero, and the file is larger than one of 4-bit numbers that lost nothing. Both could be had at once:
# zeros *and* few bits. Does the order matter? Think of what Wanda's score needs to know of a weight, and of what rounding does to small
# ones. Then: which share of zeros and how many bits would you give a model that must fit into 40 MB, and what
# would you measure to find out?
#
# **Finished?** Press the button below: the lab gives its memory back, and all that you see stays. (Under `start.py`, a
# lab whose tab you closed does so by itself after half an hour.)
#
# **Next:** every method here leaves the kept weights as they were, or trains them.
# [Lab 09, SparseGPT](../09_sparsegpt/09_sparsegpt.ipynb), does neither: after each weight that it drops, it adjusts the
# others of the row by a formula.

# %% experiment
closing.button()
