# %% [markdown]
# # 11  What ships on a phone
#
# A phone of 8 GB lends one app a tenth of its memory or so (Liu et al. 2024, *MobileLLM*). A billion weights of 2 bytes
# fill 2 GB, and at 50 GB a second they are read 25 times a second, once for each token. With half of them zero and a bit for each place, they fill 1.125 GB: still too much. With 4 bits a weight
# they fill 0.625 GB, and most models hardly notice. So what ships on phones today is not pruned. It is *quantised*:
# fewer bits for each weight, not fewer weights.
#
# Was pruning in vain, then? Not if both can be had at once. But here comes a surprise of plain arithmetic. At 4 bits,
# half of the weights with a bitmask cost 2 + 1 bits a weight instead of 4. Half of the *weights* saves a quarter of the
# *codes*. So the fair question is this: the same bytes, once as half of the weights with 4 bits, once as all weights
# with 3. Which model speaks better?
#
# | | |
# |---|---|
# | **You learn** | to round weights to a few bits, to pack the bits, to prune and quantise together, what a weight costs in a file, and how fast a phone can write at best |
# | **You need** | lab 04 (Wanda) and lab 08 (bytes, the KV cache); the given `labsupport.given` has masks, norms and multiplications |
# | **Level** | advanced: several steps in one function |
# | **It takes** | an hour and a half of your time; all cells together run two to three minutes on two CPU cores |
# | **Sources** | Dettmers and Zettlemoyer 2023, *The case for 4-bit precision*; Frantar et al. 2023, *GPTQ*; Harma et al. 2025, *Effective interplay between sparsity and quantization* |

# %%
import torch
import tempfile
import warnings
from pathlib import Path
from labsupport import check, closing, corpora, cost, engine, expected, gguf_file
from labsupport import given, linears, models, plots, prompts, settings
from labsupport.errors import LabError
from labsupport.front import front
from labsupport.given.blocks import prune_blocks
from labsupport.given.input_norms import input_norms
from labsupport.given.macs import model_macs
from labsupport.given.masks import kept, magnitude_masks
from labsupport.given.perplexity import perplexity
from labsupport.given.wanda import n_of_m_masks
from labsupport.table import columns
from torch.nn import functional

# %% [markdown]
# ## The model, the texts, and the norms
#
# As in lab 04: calibration and evaluation come from different years, and Wanda needs the norms of the inputs.

# %%
now = settings.current()
model, tokenizer = models.load(), models.tokenizer()
dense = linears.weights(model)  # [out_features, in_features] each, by name
token_windows = corpora.windows(now.text, tokenizer, "evaluation", now.window, now.evaluation_windows)
calibration = corpora.windows(now.text, tokenizer, "calibration", now.window, now.calibration_windows)
batches = list(calibration[:, None])  # LongTensors [1, length]

# %% experiment
linears.must_be_dense(model)
dense_perplexity, texts = perplexity(model, token_windows), {"dense": prompts.written(model, tokenizer)}
norms = input_norms(model, batches)
print(f"{now.model} on {now.text}: perplexity {dense_perplexity:.2f}")

# %% [markdown]
# ## 11.1 quantise
#
# **Goal** write every weight as a whole number of a few bits. | **Points** 2 | **Minutes** 15
#
# ### A grid for each group
#
# With $b$ bits one can count from 0 to $2^b - 1$. So a weight of $b$ bits can have one of $2^b$ values, and we choose
# where they lie: evenly spaced, from the smallest weight to the largest. Such a set of values is a *grid*. It has a
# first value, the *zero* $z$, which code 0 stands for, and a distance from each value to the next, the *scale* $s$.
# Code $c$ stands for
#
# $$w \approx z + s \cdot c, \qquad s = \frac{\max w - \min w}{2^b - 1}, \qquad z = \min w.$$
#
# A weight gets the code of the nearest value. So it moves by at most half a step, $s / 2$.
#
# One grid for a whole matrix would be coarse: a single large weight stretches it for all others. So every *group* of
# neighbouring inputs has a grid of its own, 32 as a rule. A group never crosses rows: each row is cut by itself, from
# the left. If the group's size does not divide the row, the last group of the row is shorter.
#
# | weights of a group, 2 bits | smallest | largest | scale | codes | stand for |
# |---|---|---|---|---|---|
# | -3, 6, 0, 4 | -3 | 6 | 3 | 0, 3, 1, 2 | -3, 6, 0, 3 |
# | 5, 5, 5, 5 | 5 | 5 | 0 | 0, 0, 0, 0 | 5, 5, 5, 5 |
#
# The second line is the case that divides by zero. Every code will do there, as long as nothing becomes NaN.
#
# Return codes as `torch.uint8` of the weight's shape, scale and zero as `torch.float32`, [out, groups] each. Compute in
# float32, whatever the weight is: half precision has no digits to spare for a grid of 256 values. More than 8 bits do
# not fit into `uint8`, and fewer than 1 say nothing: both are a `ValueError`.
#
# <details><summary>Hint 1</summary>
#
# Cut first: `weight.split(group, dim=1)` gives pieces [out, group], the last one shorter if need be. Each has a
# smallest and a largest weight in every row.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Write the codes as a formula of $w$, $z$ and $s$, then ask which shapes meet. `repeat_interleave` makes [out, groups]
# as wide as the weight, and perhaps a little wider.
#
# </details>
#
# <details><summary>A smaller problem, solved</summary>
#
# One row of five weights, groups of two: `torch.tensor([[1., 4., 9., 7., 2.]]).split(2, dim=1)` gives three pieces, the
# last of one weight. Their smallest are 1, 7 and 2. `torch.tensor([[1., 7., 2.]]).repeat_interleave(2, dim=1)` is [1,
# 1, 7, 7, 2, 2]: six numbers, one more than the row has, and `[:, :5]` cuts it.
#
# </details>


# %% exercise="quantise"
def quantise(weight: torch.Tensor, bits: int, group: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Codes of a few bits, and the grid of every group: zero + scale * code is near the weight.

    weight: [out_features, in_features], of any floating type. Every `group` neighbours of a row share a grid,
    from their smallest weight to their largest; the last group of a row may be shorter.
    Returns codes, uint8 [out, in], from 0 to 2**bits - 1; scale and zero, float32 [out, groups].
    Raises ValueError for bits outside 1 to 8. Source: round to nearest, as in Dettmers and Zettlemoyer 2023.
    """
    ### BEGIN SOLUTION
    if not 1 <= bits <= 8:
        raise ValueError(f"bits is {bits}: it must be from 1 to 8")
    weight = weight.float()
    ends = [part.aminmax(dim=1) for part in weight.split(group, dim=1)]  # [out] each
    zero = torch.stack([end.min for end in ends], dim=1)  # [out, groups]
    scale = (torch.stack([end.max for end in ends], dim=1) - zero) / (2**bits - 1)  # [out, groups]
    start, step = (each.repeat_interleave(group, dim=1)[:, : weight.shape[1]] for each in (zero, scale))
    codes = ((weight - start) / torch.where(step > 0, step, 1)).round()  # [out, in]
    return codes.to(torch.uint8), scale, zero
    ### END SOLUTION


# %% check="quantise" points=2
check.quantise(quantise)

# %% [markdown]
# ## 11.2 dequantise
#
# **Goal** turn codes back into weights. | **Points** 1 | **Minutes** 5
#
# ### Back from the codes
#
# $z + s \cdot c$, each weight with the scale and the zero of its group. A file holds scale and zero as float16; you get
# them as they are, and the answer is float32 all the same.
#
# <details><summary>Hint 1</summary>
#
# You have spread [out, groups] over [out, in] once before.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `.float()` comes before the product: in half precision 255 steps add up to the wrong place.
#
# </details>


# %% exercise="dequantise"
def dequantise(codes: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor, group: int) -> torch.Tensor:
    """The weights that codes stand for: zero + scale * code, float32 [out, in].

    codes: uint8 [out, in]; scale, zero: [out, groups], of any floating type; a group has `group` neighbours of
    a row, the last one may have fewer.
    """
    ### BEGIN SOLUTION
    start, step = (
        each.float().repeat_interleave(group, dim=1)[:, : codes.shape[1]] for each in (zero, scale)
    )
    return start + step * codes
    ### END SOLUTION


# %% check="dequantise" points=1
check.dequantise(dequantise)

# %% [markdown]
# Here is one group of the model: its weights, and the grids of 4, 3 and 2 bits between the same two ends.

# %% experiment
name = next(name for name in dense if linears.layer_kind(name) == "gate_proj")
group = dense[name][:1, :32].clone()  # [1, 32]
grids = {}
for bits in (4, 3, 2):
    _, scale, zero = quantise(group, bits, 32)
    grids[f"{bits} bits"] = (zero + scale * torch.arange(2**bits, device=zero.device)).flatten()
    error = (dequantise(*quantise(group, bits, 32), 32) - group).abs().max()
    print(f"{bits} bits: half a step is {scale.item() / 2:.4f}, the largest error {error.item():.4f}")
plots.weights_on_grids(group[0], grids, f"The first 32 weights of {name}, and three grids")

# %% [markdown]
# Look at two things. First, on the course model every weight stands exactly over a mark of the grid of 4 bits. That is
# no accident: the model *arrives* in such groups of 32, with 4 bits a weight. So 4 bits cost it nothing, not even a
# rounding error, and you should remember that whenever its 4 bits look free below. Second, look at the dashed line. No
# grid has a mark at 0, or only by chance. That will matter in 11.5.
#
# ### Every matrix with fewer bits
#
# Now the whole decoder. `measured` puts other weights in place, takes the perplexity, and puts the dense
# weights back. Where the change gets a name, it also keeps what the model writes meanwhile.

# %% experiment
guess = None  # your guess: the perplexity with 3 bits a weight; with 4 it is 24 on the course model


# %% experiment
def measured(change, name: str = "") -> float:
    """The perplexity with change(name, weight) in place of each weight; the model is dense again afterwards."""
    everything = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in dense.items()}
    with linears.masked(model, everything):  # whatever is written in this block is undone after it
        for layer, weight in linears.weights(model).items():
            weight.copy_(change(layer, weight))
        if name:
            texts[name] = prompts.written(model, tokenizer)
        return perplexity(model, token_windows)


def rounded(weight: torch.Tensor, bits: int, group: int = 32) -> torch.Tensor:
    """The weight on its grids: quantised, and back."""
    return dequantise(*quantise(weight, bits, group), group)


# %% experiment
by_bits = {
    bits: measured(lambda _, weight, bits=bits: rounded(weight, bits), f"{bits} bits") for bits in (4, 3, 2)
}
plots.perplexity_against_bits(by_bits, dense_perplexity, "Perplexity against bits a weight", (3, guess))
for bits, value in by_bits.items():
    print(f"{bits} bits: perplexity {value:,.2f}, dense {dense_perplexity:.2f}")

# %% [markdown]
# On the course model 4 bits lose not a digit, for the reason above. 3 bits have nearly three times the perplexity. 2 bits
# have 172,185, worse than guessing among all 49,152 tokens of the vocabulary. One bit less doubles every error, and somewhere between 4 and 2
# the errors grow larger than what the weights say. Dettmers and Zettlemoyer 2023 found the same edge for models from 19
# million to 176 billion weights: at a fixed number of *bits in all*, a large model with 4 bits a weight did better than
# a smaller one with 8, and better than a larger one with 3, almost everywhere.
#
# **What if** the groups were larger? Try `measured(lambda _, weight: rounded(weight, 3, 128))`: the file has three
# quarters of a bit less a weight.

# %% [markdown]
# ## 11.3 pack_bits
#
# **Goal** put codes side by side, without wasting a bit. | **Points** 2 | **Minutes** 10
#
# ### Bits in a row
#
# A code of 3 bits in a `uint8` wastes five bits of eight. In a file the codes stand one after the other, each with its
# highest bit first, as one writes numbers, and the row of bits is cut into bytes. A code may begin in one byte and end
# in the next. Zeros fill the last byte.
#
# ```
# codes, 3 bits       5   2   7   6   1
# in bits           101 010 111 110 001
# cut into bytes    10101011 1110001|0          the last bit fills up
# bytes                  171      226
# ```
#
# $n$ codes of $b$ bits take $\lceil n b / 8 \rceil$ bytes. A matrix of codes is packed row after row, and filled up
# once, at its very end. A code of $2^b$ or more does not fit: that is a `ValueError`, for what would be cut off is lost
# for good. And with 1 bit the function packs a mask.
#
# <details><summary>Hint 1</summary>
#
# Two steps: from codes to a long row of single bits, from the row to bytes. Each step is a reshape and a handful of
# shifts.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `codes >> 2 & 1` is the bit with the value 4 of every code. `torch.stack` puts the bits of a code beside each other.
# `functional.pad(flags, (0, k))` appends `k` zeros; `-len(flags) % 8` says how many. For the bytes, shift each of eight
# columns to its place and add them.
#
# </details>
#
# <details><summary>A smaller problem, solved</summary>
#
# The code 5 in 3 bits: `[5 >> place & 1 for place in (2, 1, 0)]` is [1, 0, 1]. Eight bits to a byte: of 1, 0,
# 1, 0, 1, 0, 1, 1 the first is shifted by 7 places, the last by none, and 128 + 32 + 8 + 2 + 1 is 171.
#
# </details>


# %% exercise="pack_bits"
def pack_bits(codes: torch.Tensor, bits: int) -> torch.Tensor:
    """Codes of so many bits side by side in bytes: uint8 [ceil(n * bits / 8)].

    codes: uint8 of any shape, n in all, row after row; each has its highest bit first, and zeros fill the last
    byte. Raises ValueError for a code that does not fit into `bits` bits.
    """
    ### BEGIN SOLUTION
    if bool((codes.int() >= 2**bits).any()):  # 256 is no uint8
        raise ValueError(f"a code is too large for {bits} bits")
    codes = codes.flatten()
    flags = torch.stack(
        [codes >> place & 1 for place in reversed(range(bits))], dim=1
    ).flatten()  # [n * bits]
    flags = functional.pad(flags, (0, -len(flags) % 8)).view(-1, 8)  # [bytes, 8]
    return sum(flags[:, place] << 7 - place for place in range(8))
    ### END SOLUTION


# %% check="pack_bits" points=2
check.pack_bits(pack_bits)

# %% [markdown]
# ## 11.4 unpack_bits
#
# **Goal** get the codes back. | **Points** 1 | **Minutes** 5
#
# ### How many were there?
#
# Two bytes hold five codes of 3 bits, and one bit is left over. Three bytes hold six codes, or seven, or eight: the
# bytes do not say it. So the number of codes, `count`, is an argument; a file knows it from the shape of the matrix. If
# the bytes are not those that `count` codes need, something was lost on the way: that is a `ValueError`.
#
# <details><summary>Hint 1</summary>
#
# The same two steps backwards: from bytes to a row of bits, from the row to codes. Where must the row be cut?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A byte has eight bits as a code has `bits`. Your last function shows how to get at each of them.
#
# </details>


# %% exercise="unpack_bits"
def unpack_bits(packed: torch.Tensor, bits: int, count: int) -> torch.Tensor:
    """The codes that pack_bits has packed: uint8 [count].

    packed: uint8 [ceil(count * bits / 8)]. Raises ValueError for another number of bytes.
    """
    ### BEGIN SOLUTION
    if len(packed) != -(-count * bits // 8):
        raise ValueError(f"{count} codes of {bits} bits do not take {len(packed)} bytes")
    flags = torch.stack([packed >> place & 1 for place in reversed(range(8))], dim=1).flatten()  # [8 * bytes]
    flags = flags[: count * bits].view(count, bits)
    return sum(flags[:, place] << bits - 1 - place for place in range(bits))
    ### END SOLUTION


# %% check="unpack_bits" points=1
check.unpack_bits(unpack_bits)

# %% [markdown]
# ## 11.5 prune_then_quantise
#
# **Goal** zeros and few bits in one matrix. | **Points** 4 | **Minutes** 15
#
# ### Zero is no point of the grid
#
# Wanda drops weights, and then the rest is quantised. Take a group after pruning, 2 bits:
#
# | | | | | |
# |---|---|---|---|---|
# | pruned weights | -4 | 0 | 5 | 0 |
# | the grid | -4 | -1 | 2 | 5 |
# | rounded | -4 | -1 | 5 | -1 |
#
# Both zeros have become -1. A grid from the smallest to the largest weight has a value at 0 only by chance, so *half of
# the matrix* is suddenly back, each with the same wrong number. The mask must have the last word: what was dropped is
# exactly 0 in the result. (Code 0 does not help. It stands for -4.) In a file that is natural: the bitmask says where
# the zeros are, and zeros have no code.
#
# ### Which comes first?
#
# Two matrices meet, the mask and the grid, and each could be made first. *Prune first*: the scores see the weights as
# they are, and each grid spans what is left of its group, zeros included. *Quantise first*: the grid reaches to weights
# that are dropped a moment later, and it is as coarse as they made it; or even the scores see rounded weights, where
# many are equal and some have traded places. Harma et al. 2025 prove that pruning first makes the smaller error, and
# measure it on models up to 8 billion weights. So this is the order here:
#
# 1. score by Wanda, $|W_{ij}| \cdot \lVert X_j \rVert$, and drop in each row the lowest
#    `round(sparsity * in_features)`;
# 2. quantise the pruned weight with your function;
# 3. see to the zeros.
#
# The given `kept(score, sparsity)` ranks inside rows, as your `row_mask` of lab 04 did. Return the weight itself,
# float32, not its codes: we want to put it into a model.
#
# <details><summary>Hint 1</summary>
#
# A product with a mask drops weights. How often do you need one?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `quantise` returns three tensors, and `dequantise` wants those three and `group`: `dequantise(*quantise(...), group)`.
#
# </details>


# %% exercise="prune_then_quantise"
def prune_then_quantise(
    weight: torch.Tensor, norm: torch.Tensor, sparsity: float, bits: int, group: int
) -> torch.Tensor:
    """The weight pruned by Wanda, then rounded to the grids of what is left: float32 [out, in].

    weight: [out_features, in_features]; norm: [in_features], of the inputs; sparsity: 0 to 1, within each row;
    bits, group: as in quantise. What is dropped is exactly 0; what stays is within half a step of its weight.
    """
    ### BEGIN SOLUTION
    mask = kept(weight.abs() * norm, sparsity)  # [out, in]
    return dequantise(*quantise(weight * mask, bits, group), group) * mask
    ### END SOLUTION


# %% check="prune_then_quantise" points=4
check.prune_then_quantise(prune_then_quantise)

# %% [markdown]
# ### What the traps cost
#
# Half of the weights by Wanda, the others with 3 bits, and the same with each of the two mistakes.


# %% experiment
def joint(sparsity: float, bits: int):
    """A change for `measured`: your function, with the norms of the layer."""
    return lambda name, weight: prune_then_quantise(weight, norms[name], sparsity, bits, 32)


def zeros_lost(name: str, weight: torch.Tensor) -> torch.Tensor:
    """Pruned and rounded; nobody sees to the zeros."""
    return rounded(weight * kept(weight.abs() * norms[name], 0.5), 3)


def quantised_first(name: str, weight: torch.Tensor) -> torch.Tensor:
    """Rounded, then pruned by the scores of the rounded weights."""
    on_grid = rounded(weight, 3)
    return on_grid * kept(on_grid.abs() * norms[name], 0.5)


# %% experiment
half_of_three = measured(joint(0.5, 3))
print(f"half of 3 bits, pruned first    perplexity {half_of_three:12,.2f}")
print(f"half of 3 bits, quantised first perplexity {measured(quantised_first):12,.2f}")
print(f"half of 3 bits, zeros lost      perplexity {measured(zeros_lost):12,.2f}")

# %% [markdown]
# ## 11.6 bits_per_weight
#
# **Goal** say what a weight takes in the file, everything counted. | **Points** 2 | **Minutes** 8
#
# ### What a weight costs
#
# A file of a quantised matrix holds three things. Count their bits and divide by *all* weights of the matrix, dropped
# ones too, so that the number can be compared with that of a dense matrix.
#
# | | which | bits |
# |---|---|---|
# | codes | one for each weight that is stored | `bits` each |
# | grids | scale and zero of each group, however many of its weights stay | two float16, 32 in all |
# | places | where the stored weights belong | by pattern, see below |
#
# | pattern | stored | places |
# |---|---|---|
# | `"dense"` | all weights, zeros too, whatever the sparsity | none |
# | `"bitmask"` | the share `1 - sparsity` | one bit for each weight of the matrix |
# | `"2:4"` | two of every four | 2 bits for each that is stored |
#
# Dense with 4 bits in groups of 32 takes 4 + 32/32 = 5 bits a weight. Take groups as full. As in lab 08, `ValueError`
# goes to a pattern of another name, a sparsity outside 0 to 1, and 2:4 at a sparsity other than 0.5.
#
# <details><summary>Hint 1</summary>
#
# Take one group of 32 weights at 50 % with a bitmask, and count all its bits on paper. Then divide by 32.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Three terms, and only two depend on the pattern. Check the arguments first.
#
# </details>


# %% exercise="bits_per_weight"
def bits_per_weight(sparsity: float, bits: int, group: int, pattern: str) -> float:
    """Bits of a pruned and quantised matrix in a file, over all of its weights.

    pattern: "dense", "bitmask" or "2:4". Each group has a scale and a zero in float16. Raises ValueError for
    another pattern, for a sparsity outside 0 to 1, and for "2:4" at a sparsity other than 0.5.
    """
    ### BEGIN SOLUTION
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity is {sparsity}: it must be from 0 to 1")
    if pattern == "2:4" and sparsity != 0.5:
        raise ValueError("2:4 keeps two of every four: sparsity 0.5")
    grids = 2 * 16 / group
    if pattern == "dense":
        return bits + grids
    if pattern == "bitmask":
        return (1 - sparsity) * bits + 1 + grids
    if pattern == "2:4":
        return 0.5 * (bits + 2) + grids
    raise ValueError(f"there is no pattern called {pattern!r}")
    ### END SOLUTION


# %% check="bits_per_weight" points=2
check.bits_per_weight(bits_per_weight)

# %% [markdown]
# Does a real file agree? One matrix, pruned to a half, packed with your own functions: the codes of what stays, the
# mask as codes of 1 bit, scale and zero in float16.

# %% experiment
name = next(name for name in dense if linears.layer_kind(name) == "down_proj")
weight = dense[name]
mask = kept(weight.abs() * norms[name], 0.5)  # [out, in]
codes, scale, zero = quantise(weight * mask, 4, 32)
stored = [pack_bits(codes[mask], 4), pack_bits(mask.to(torch.uint8), 1), scale.half(), zero.half()]
bits = 8 * sum(tensor.nbytes for tensor in stored) / weight.numel()
print(
    f"{bits:.3f} bits a weight in {len(stored)} tensors, {bits_per_weight(0.5, 4, 32, 'bitmask'):.3f} by your count"
)

# %% experiment
back = torch.zeros_like(codes)
places = unpack_bits(stored[1], 1, mask.numel()).view(mask.shape).bool()
back[places] = unpack_bits(stored[0], 4, int(places.sum()))
again = dequantise(back, *stored[2:], 32) * places
moved = (again - prune_then_quantise(weight, norms[name], 0.5, 4, 32)).abs().max()
print(f"unpacked, no weight is off by more than {moved / scale.max():.4f} steps: that is float16's share")

# %% [markdown]
# ### A quarter, not a half

# %% experiment
rows = [
    [
        f"{bits} bits",
        *(
            f"{bits_per_weight(s, bits, 32, p):.2f}"
            for s, p in ((0, "dense"), (0.5, "bitmask"), (0.5, "2:4"))
        ),
    ]
    for bits in (16, 8, 4, 3, 2)
]
print(columns(["codes of", "dense", "50 %, bitmask", "50 %, 2:4"], rows))

# %% [markdown]
# Read the table by diagonals. With 16 bits a value, half of the weights is nearly half of the file. With 4 bits it is a
# fifth less, grids and places counted: 4.00 bits instead of 5.00. The places do not shrink with the codes: a bit is a
# bit. And 4.00 bits is exactly what *dense with 3 bits* takes. So these two are rivals:

# %% experiment
half_of_four = measured(joint(0.5, 4), "50 % of 4 bits")
print(f"4.00 bits a weight: 50 % of 4 bits {half_of_four:7.2f}")
print(f"4.00 bits a weight: dense 3 bits   {by_bits[3]:7.2f}")
print(f"So the lower perplexity has {'50 % of 4 bits' if half_of_four < by_bits[3] else 'dense 3 bits'}.")

# %% [markdown]
# And what do they write?

# %% experiment
print(prompts.side_by_side(texts))

# %% [markdown]
# On the course model sparsity wins. Be careful with that: the four bits of this model are exact, so the weights that stay
# have nearly no rounding error, while 3 bits round all of them. And both opponents are simple. GPTQ (Frantar et al.
# 2023) rounds one column after the other, and lets the columns that come later make up for the error. With it 3 bits
# lose far less than here.

# %% [markdown]
# ## 11.7 tokens_per_second
#
# **Goal** say how fast a phone can write at best. | **Points** 2 | **Minutes** 8
#
# ### Read once for every token
#
# A model that writes takes one token at a time (lab 08). For each it multiplies with every weight once, so every weight
# has to come from memory once, and arithmetic is quick enough to wait for it. So there is a ceiling that no program
# passes:
#
# $$\text{tokens per second} \le \frac{\text{bandwidth in bytes per second}}{\text{bytes read for one token}}.$$
#
# What is read for one token:
#
# - every weight of the `Linear` layers, `lm_head` among them, `bits_per_weight` bits each. A head that shares its
#   tensor with the embedding multiplies all the same. Of the embedding itself one row is looked up; leave that out, and
#   the norms too;
# - the KV cache of the `context` tokens before it: keys and values of every layer and every *KV* head, in float16, 2
#   bytes a number.
#
# <details><summary>Hint 1</summary>
#
# A weight multiplies once for one token. Which count of lab 08 says how often, for all of them together? The given
# `model_macs(config, tokens)` has it.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Bits become bytes once, and only for the weights. The cache is `kv_cache_bytes` of lab 08.
#
# </details>


# %% exercise="tokens_per_second"
def tokens_per_second(config, bits_per_weight: float, bandwidth: float, context: int) -> float:
    """The most tokens that a model can write in a second when reading its weights is what one waits for.

    config: a transformers.LlamaConfig, all its decoder layers alike; bits_per_weight: of every Linear weight,
    lm_head included; bandwidth: bytes per second; context: tokens in the KV cache, which is float16.
    """
    ### BEGIN SOLUTION
    weights = model_macs(config, 1)  # each weight multiplies once for a token
    keys = config.num_hidden_layers * config.num_key_value_heads * config.head_dim * context
    return bandwidth / (weights * bits_per_weight / 8 + 2 * keys * 2)
    ### END SOLUTION


# %% check="tokens_per_second" points=2
check.tokens_per_second(tokens_per_second)

# %% [markdown]
# TinyLlama on a phone that reads 50 GB a second:

# %% experiment
tinyllama = models.shape("tinyllama-1.1b-chat").config
rows = [
    [what, *(f"{tokens_per_second(tinyllama, bits, 50e9, context):.0f}" for context in (0, 2048))]
    for what, bits in {
        "float16": 16,
        "4 bits": bits_per_weight(0, 4, 32, "dense"),
        "4 bits, 50 %, bitmask": bits_per_weight(0.5, 4, 32, "bitmask"),
        "3 bits": bits_per_weight(0, 3, 32, "dense"),
    }.items()
]
print(columns(["weights", "tokens a second, empty cache", "2,048 tokens of text"], rows))

# %% [markdown]
# Four bits make the ceiling more than three times as high as float16. That is why they ship: the same arithmetic, a
# third of the waiting. The sparse line promises another quarter, but only to an engine whose kernels *read* the packed
# form. One that unpacks it to dense codes first reads those.
#
# How close does a real machine come? Here is this one, in float32. Its bandwidth is what it reaches when it adds up all
# weights.

# %% experiment
token = token_windows[:1, :1].to(model.device)
matrices = [*dense.values(), model.lm_head.weight]
seconds, _ = cost.latency(lambda: [weight.sum() for weight in matrices], 5)
bandwidth = sum(weight.nbytes for weight in matrices) / seconds
with torch.no_grad():
    measured_seconds, _ = cost.latency(lambda: model(token, use_cache=False), 15)
ceiling = tokens_per_second(model.config, 8 * matrices[0].element_size(), bandwidth, 0)
print(f"{bandwidth / 1e9:.1f} GB a second: at most {ceiling:.1f} tokens a second")
print(f"measured: {1 / measured_seconds:.1f} a second, {1 / measured_seconds / ceiling:.0%} of that")
matrices = None  # they would keep the memory of this model

# %% [markdown]
# A number above 100 % would mean that adding up was not the fastest way to read. If it is far below, something
# other than reading takes the time: many small layers, each called from Python.

# %% [markdown]
# ## What do I ship?
#
# The question of the whole course, in one figure: every method of labs 02 to 05, with 16 bits a weight and with fewer,
# against the bytes of the *file*. A file holds the matrices of the decoder, as counted above, and the embedding, which
# nobody has pruned. It takes 8.5 bits a weight, as it arrives, in every file alike. The norms are too few to see.

# %% experiment
guess = None  # your guess: the lowest perplexity in 90 MB; the dense model has 24 and takes 96 MB with 4 bits


# %% experiment
embedding = model.model.embed_tokens.weight.numel()


def megabytes(bits: float, weights: int = sum(weight.numel() for weight in dense.values())) -> float:
    """The size of a file whose decoder has so many weights, of so many bits each."""
    return (weights * bits + embedding * 8.5) / 8e6


def masked_and_rounded(masks: dict[str, torch.Tensor], bits: int):
    """A change for `measured`: these masks, the rest with so many bits, zeros kept."""
    return lambda name, weight: rounded(weight * masks[name], bits) * masks[name]


# %% experiment
four, three = (bits_per_weight(0, bits, 32, "dense") for bits in (4, 3))
families = {
    "dense": {
        "16 bits": (megabytes(16), dense_perplexity),
        "4": (megabytes(four), by_bits[4]),
        "3": (megabytes(three), by_bits[3]),
    }
}
families["Wanda, bitmask"] = {
    f"{sparsity:.0%} of {bits}": (megabytes(bits_per_weight(sparsity, bits, 32, "bitmask")), value)
    for sparsity, bits, value in (
        (0.3, 4, measured(joint(0.3, 4))),
        (0.5, 4, half_of_four),
        (0.5, 3, half_of_three),
    )
}
masks = magnitude_masks(model, 0.3)
size = megabytes(bits_per_weight(0.3, 4, 32, "bitmask"))
families["magnitude, bitmask"] = {"30% of 4": (size, measured(masked_and_rounded(masks, 4)))}
masks = n_of_m_masks(model, norms)
size = megabytes(bits_per_weight(0.5, 4, 32, "2:4"))
families["Wanda, 2:4"] = {"of 4": (size, measured(masked_and_rounded(masks, 4)))}

# %% [markdown]
# Blocks that lab 05 cuts out are gone from codes, grids and places alike. They cost quality, and no bit says where they
# were.

# %% experiment
depth = model.config.num_hidden_layers
layers = range(depth * 2 // 15, depth - depth * 2 // 15)
families["blocks, taylor"] = {}
model = dense = masks = weight = None  # memory for one model at a time
for ratio in (0.2, 0.3):
    sliced = models.load()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no head goes: these ratios are too small for a whole one
        prune_blocks(sliced, ratio, layers, "taylor", batches[:2])
    left = linears.weights(sliced)
    for weight in left.values():
        weight.copy_(rounded(weight, 4))
    size = megabytes(four, sum(weight.numel() for weight in left.values()))
    families["blocks, taylor"][f"{ratio:.0%} cut, 4"] = (size, perplexity(sliced, token_windows))
    del sliced, left
model = models.load()
dense = linears.weights(model)

# %% experiment
points = {f"{family} {name}": place for family, some in families.items() for name, place in some.items()}
best = front(list(points.values()))  # no other file beats these in both
plots.perplexity_by_bytes(families, best, "Perplexity against the bytes of the file", (90, guess))
rows = [
    [name, f"{size:.1f}", f"{loss:,.2f}", "front" if (size, loss) in best else ""]
    for name, (size, loss) in sorted(points.items(), key=lambda item: item[1])
]
print(columns(["file", "MB", "perplexity", ""], rows))

# %% [markdown]
# Read it from right to left. On the course model the step from 16 to 4 bits is free, and so large that all pruning happens within what
# is left of it. Left of the dense model with 4 bits every megabyte has a price. Look at how little 30 % with a bitmask
# saves: the places take back most of it. The same 30 % by magnitude takes as many bytes and speaks worse, and so does
# 2:4 beside the bitmask at 50 %.
#
# Blocks that are cut out take their grids along and need no places. In lab 08 zeros lost less than blocks at every
# amount. But *amount* meant weights there. Per byte, at 4 bits, blocks have caught up: look at where they stand on the
# stairs. And half of 3 bits is hardly smaller than half of 4: where codes are small already, zeros pay less and less.
#
# **What if** 40 % go? `measured(joint(0.4, 4))` has the perplexity, `megabytes(bits_per_weight(0.4, 4, 32, "bitmask"))` the
# size: would that file stand on the stairs?

# %% [markdown]
# ## On a device, for real
#
# Everything so far was counted. Now write the file. Engines on phones read *GGUF*: llama.cpp, and apps built on it. One
# of its formats, Q4_1, is your own: blocks of 32 weights, scale and zero in float16, and 16 bytes of codes, 20 bytes in
# all. So what `quantise` returns can go straight into such a file. (Within a block the codes are in another order than
# yours: byte $j$ holds code $j$ and code $j + 16$. And llama.cpp keeps the rows of `q_proj` and `k_proj` in an order of
# its own. `labsupport/gguf_file.py` takes care of both, in a hundred lines.)
#
# The embedding goes along in 8.5 bits, the tokenizer as well. Three files: the whole model; the same with half of its
# weights pruned by Wanda before they are rounded; and the model without the fifth of its blocks in the middle.

# %% experiment
folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
text = token_windows[:1, :128].to(model.device)


def write(name: str, model, change=lambda name, weight: weight) -> Path:
    """A model as a file, its matrices changed and then rounded to 4 bits."""
    blocks = {
        layer: quantise(change(layer, weight), 4, 32)
        for layer, weight in linears.weights(model).items()
        if weight.shape[1] % 32 == 0
    }
    path = Path(folder.name) / f"{name}.gguf"
    gguf_file.write(path, model, tokenizer, blocks)
    return path


@torch.no_grad()
def logits(model) -> torch.Tensor:
    return model(text.to(model.device), use_cache=False).logits.float().cpu()


# %% experiment
files = {"whole": write("whole", model), "half of it zeros": write("half", model, joint(0.5, 4))}
print(f"{files['whole'].stat().st_size / 1e6:.1f} MB in the file, {megabytes(four):.1f} MB by your count")
as_read = measured(lambda _, weight: dequantise(*engine.as_read(*quantise(weight, 4, 32)), 32))
before = logits(model)

# %% experiment
model = dense = None  # memory for one model at a time
small, middle = models.load(), range(depth * 2 // 5, depth * 3 // 5)
given.drop_blocks(small, [block for block in range(depth) if block not in middle])
for weight in linears.weights(small).values():
    weight.copy_(rounded(weight, 4))
files["a fifth of its blocks gone"] = write("small", small)
small = weight = None

# %% [markdown]
# Does `transformers` read from the file what you have measured?

# %% experiment
phone = gguf_file.read(files["whole"])
print(f"{before.numel():,} logits, the largest difference {(before - logits(phone)).abs().max():.2g}")
phone = None

# %% [markdown]
# What is in the file besides your count are norms and the tokenizer. The model that a phone would load is the one that
# you have measured, number for number.
#
# Does an engine run it? OpenVINO reads GGUF, and has wheels for every system: `pip install openvino-genai`, 200 MB. The
# course does not depend on it. Without it the next cell says so, and you can read on. (llama.cpp's own package for
# Python comes as source and compiles for minutes.) Each file continues one prompt in a process of its own; *at most* is
# the ceiling of 11.7, the bandwidth of this machine over the bytes of the file.

# %% experiment
prompt = "The state of the union is"
try:
    runs = {name: engine.run(path, prompt, 48) for name, path in files.items()}
    print(f"{prompt}{runs['whole'].text}\n")
except LabError as problem:
    runs = {}
    print(problem)

# %% experiment
rows = []
for name, ran in runs.items():
    size, speed = files[name].stat().st_size, ran.tokens_per_second
    share, most = f"{speed / runs['whole'].tokens_per_second:.2f} x", f"{bandwidth / size:.0f}"
    rows.append([name, f"{size / 1e6:.1f}", f"{speed:.1f}", share, most, f"{ran.peak / 1e6:,.0f}"])
if rows:
    print(columns(["file", "MB", "tokens a second", "", "at most", "peak MB"], rows))

# %% [markdown]
# A file with zeros is as large as one without, and the engine reads every code, whatever it stands for: the two speeds
# differ no more than those of one file, run twice. Blocks that are gone are neither stored nor read nor multiplied, so
# time falls with them. Nobody had to write a kernel for it.
#
# One more thing that only a real engine tells. In your grid the zero of a group is any number; OpenVINO keeps it as a
# *code*, a whole number from 0 to 15 (llama.cpp keeps it as it is). That rounds every weight of the group once more:

# %% experiment
print(f"perplexity {by_bits[4]:.2f} as you wrote it, {as_read:.2f} as OpenVINO reads it")

# %% [markdown]
# Who had only measured the file in `transformers` would ship that without knowing. What counts is what the engine
# computes.
#
# And the pruned ones? GGUF knows some thirty formats for a matrix, and not one leaves zeros out. A model with half of
# its weights at zero takes the same 20 bytes a block, and since a grid has no mark at 0, its zeros would not even stay
# zeros. The points of the figure that are not dense and not blocks are bytes that *could* be had: by a download that is
# unpacked on the phone, or by an engine that somebody has yet to write. Blocks need no such engine. That is the last
# reason to look at them.

# %% [markdown]
# ## Your numbers beside ours

# %% experiment
ours = expected.on_device()
found = {"4 bits": by_bits[4], "3 bits": by_bits[3], "2 bits": by_bits[2], "50 % of 4 bits": half_of_four}
found |= {"50 % of 3 bits": half_of_three}
rows = [
    [what, f"{value:,.2f}", f"{ours[what]:,.2f}" if what in ours else "-"] for what, value in found.items()
]
print(columns(["perplexity", "yours", "reference"], rows))

# %% [markdown]
# Equal to within a percent? At 2 bits the model is so far gone that the last digits of a sum decide a lot; there a few
# percent are no mistake.

# %% [markdown]
# ## Question 1
#
# A colleague has a model of 8 billion weights with 4 bits each, in groups of 64. He says: "I drop half of the weights
# with Wanda and ship half of the bytes."
#
# 1. How many bits a weight does his file take before and after, with a bitmask? Which part of the file is saved?
# 2. Which number of bits, dense, in groups of 64, takes as many bytes as his pruned file? So against what must he
#    compare its perplexity?
# 3. In this lab half of 4 bits beat dense 3 bits. Name one reason why that may be so for the course model and not for
#    his.

# %% [markdown] written="quarter_reflection" points=3
# 1: Before, 4 + 32/64 = 4.5 bits. After, 2 bits of codes, 1 bit of mask and 0.5 bits of grids: 3.5 bits. So 1 of 4.5
# bits is saved, 22 %, and not a half: mask and grids do not shrink with the codes.
# 2: Dense 3 bits take 3 + 0.5 = 3.5 bits as well. So he must compare with the same model in 3 bits, in the same groups,
# and quantised as well as he can.
# 3: The course model arrives on a grid of 4 bits in groups of 32. So with 4 bits its weights are not rounded at all, or
# hardly, while 3 bits round every one. A model that was never quantised pays for 4 bits, too. (Or: 3 bits were rounded
# to the nearest here, without GPTQ, which helps 3 bits more than 4; or: a larger model, with more weights to spare, may
# lose less by 3 bits.)

# %% [markdown] answer
# **Rubric (3 points).** One point for 4.5 and 3.5 bits and the fifth that is saved (the mask forgotten, 2.5 bits: half
# a point). One for dense 3 bits, 3.5 bits a weight, as the thing to compare with. One for a reason: the weights lie on
# the grid already, the rival was rounded without care, or the size of the model.

# %% [markdown]
# ## Question 2
#
# An app may use 60 MB for a model like ours, 28 million weights of which are the embedding. Its phone reads 50 GB a
# second. Somebody proposes half of 4 bits with a bitmask, which llama.cpp cannot read. Which of *download*, *memory
# while running* and *tokens per second* gets better, if the app unpacks the file when it starts? What would have to be
# written so that all three do?

# %% [markdown] written="engine_reflection" points=2
# Only the download. Unpacked, the model is a dense matrix of 4-bit codes again, zeros among them, with a code or a grid
# that must hold an exact zero: as many bytes in memory as before, and every byte is read for every token, so the
# ceiling on tokens per second does not move. For all three a kernel is needed that multiplies from the packed form: it
# reads codes and mask from memory, and puts each code to its place in registers, while it computes.

# %% [markdown] answer
# **Rubric (2 points).** One point for the download alone, with the reason that unpacked weights are dense in memory and
# are read whole for each token. One for a kernel that decodes bitmask and codes while it multiplies (or hardware that
# does, as 2:4 on a GPU). "A better phone" is no answer.

# %% [markdown]
# ## Read on
#
# - T. Dettmers and L. Zettlemoyer 2023, *The case for 4-bit precision: k-bit inference scaling laws*
#   ([arXiv:2212.09720](https://arxiv.org/abs/2212.09720)): how many bits, at a fixed number of bits in all
# - E. Frantar et al. 2023, *GPTQ* ([arXiv:2210.17323](https://arxiv.org/abs/2210.17323)): rounding whose errors later
#   columns make up for
# - E. Frantar and D. Alistarh 2023, *SparseGPT* ([arXiv:2301.00774](https://arxiv.org/abs/2301.00774)): zeros and few
#   bits in one pass over the columns
# - M. Sun et al. 2024, *A simple and effective pruning approach for large language models* (Wanda,
#   [arXiv:2306.11695](https://arxiv.org/abs/2306.11695)): the scores
# - S. Harma et al. 2025, *Effective interplay between sparsity and quantization*
#   ([arXiv:2405.20935](https://arxiv.org/abs/2405.20935)): which comes first
# - Z. Liu et al. 2024, *MobileLLM* ([arXiv:2402.14905](https://arxiv.org/abs/2402.14905)): what a phone can carry
#
# **Open question.** Round-to-nearest treats every weight alike, Wanda does not: an error on a loud input costs more.
# Could a grid be chosen by the norms, so that it is fine where the inputs are loud? What would have to be stored for
# it, and how many bits a weight is that? And the rematch: with GPTQ's rounding, does dense 3 bits still lose against
# half of 4?
#
# **Finished?** Press the button below: the lab gives its memory back, and all that you see stays. (Under `start.py`, a
# lab whose tab you closed does so by itself after half an hour.)
#
# **Next:** all of this fits together in many ways, and nobody knows the smallest file that still speaks:
# [lab 12, the challenge](../12_challenge/12_challenge.ipynb).

# %% experiment
closing.button()
