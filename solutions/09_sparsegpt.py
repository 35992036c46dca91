# %% [markdown]
# # 09  SparseGPT: what the survivors can do about it
#
# A phone of 8 GB that reads 50 GB a second from its memory reads a billion weights of 2 bytes, 2 GB, 25 times a second,
# and writes at most as many tokens. With 2:4, the pattern that hardware wants, they take 1.125 GB, and the limit rises to 44. But
# what does it write? At 50 % Wanda leaves the course model with twice its perplexity, 49 where the dense model has 24,
# and with 2:4 it is 148. So far every weight that stayed was left as it was, or trained afterwards for minutes (lab 06).
#
# SparseGPT does neither. When a weight goes, those that stay in its row *move*, in closed form, so that the layer's
# output changes as little as it can. No gradient, no training, the same four windows of text as Wanda, half a
# minute more. On the course model that gives 45 to 47 at 50 %, and 85 to 90 with 2:4. The same loop with rounding in
# place of dropping is GPTQ, which made many of the 4-bit models that phones run: the starred exercise at the end.
#
# | | |
# |---|---|
# | **You learn** | the Hessian of a layer, how the others make up for a weight that goes, SparseGPT's walk through the columns, and what damping is for |
# | **You need** | lab 04 (Wanda, 2:4, sequential calibration); matrix inverses, at least as functions that one can call |
# | **Level** | advanced: several steps in one function |
# | **It takes** | an hour and a half of your time; all cells together run about two minutes on two CPU cores. The starred exercise is extra: 20 minutes |
# | **Sources** | Frantar and Alistarh 2023, *SparseGPT*; Frantar et al. 2022, *Optimal Brain Compression*; Hassibi and Stork 1993, *Optimal Brain Surgeon*; Sun et al. 2024, *Wanda* |

# %%
import torch
from functools import partial
from labsupport import check, closing, corpora, expected, given, linears, models, plots, prompts, settings
from labsupport.given.input_norms import input_norms
from labsupport.given.perplexity import perplexity
from labsupport.given.wanda import n_of_m_masks, wanda_masks
from labsupport.table import columns

# %% [markdown]
# ## The model, and what Wanda makes of it
#
# Evaluation and calibration take their windows from different years, as in lab 04.

# %%
now = settings.current()
model, tokenizer = models.load(), models.tokenizer()
dense = linears.weights(model)  # [out_features, in_features] each, by name
token_windows = corpora.windows(now.text, tokenizer, "evaluation", now.window, now.evaluation_windows)
calibration = corpora.windows(now.text, tokenizer, "calibration", now.window, now.calibration_windows)
batches = list(calibration[:, None])  # LongTensors [1, length]

# %% experiment
linears.must_be_dense(model)
found, texts = {"dense": perplexity(model, token_windows)}, {"dense": prompts.written(model, tokenizer)}
norms = input_norms(model, batches)
for name, masks in (("Wanda", wanda_masks(model, norms, 0.5)), ("Wanda, 2:4", n_of_m_masks(model, norms))):
    with linears.masked(model, masks):
        found[name] = perplexity(model, token_windows)
        if "2:4" in name:
            texts[name] = prompts.written(model, tokenizer)
del masks
print(*(f"{name} {value:.2f}" for name, value in found.items()), sep="   ")

# %% [markdown]
# ## Two inputs that say the same
#
# Wanda's score is the error that dropping one weight makes *if nobody helps*. Here is a layer with one output and
# three inputs; the third input is the first one and a little noise. The first weight goes.

# %% experiment
generator = torch.Generator().manual_seed(9)
x = torch.randn(100, 3, generator=generator)  # [tokens, in_features]
x[:, 2] = x[:, 0] + 0.1 * x[:, 2]
weight = torch.tensor([[3.0, 1.0, 2.0]])  # [out_features, in_features]
for what, new in (("as they were", [[0.0, 1.0, 2.0]]), ("moved", [[0.0, 1.0, 5.0]])):
    print(f"the others {what:12}  error {(x @ torch.tensor(new).T - x @ weight.T).norm():.2f}")

# %% [markdown]
# The third weight has taken over: 3 and 2 make 5. A tenth of the error is left, with the same weight gone. The norms
# do not say which weight can take over from which: for that one has to know which inputs move together.

# %% [markdown]
# ## 9.1 hessian
#
# **Goal** measure which inputs of a layer move together. | **Points** 2 | **Minutes** 10
#
# ### The whole matrix
#
# Let $X$ be all inputs of a layer, a row for each token, and let a row $w$ of its weight become $w + \delta$. The
# output moves by $X\delta$, and the squared length of that is
#
# $$\lVert X\delta \rVert^2 = \delta^\top H\, \delta, \qquad H = X^\top X, \qquad H_{ij} = \sum_t x_{ti}\, x_{tj}.$$
#
# So all that the error needs of the text is $H$, [in, in], however many tokens there were. On its diagonal stand
# the sums of squares of lab 03: this is the part that Wanda knows. The rest says which inputs move together. (Half of
# the error has $H$ as its matrix of second derivatives, its *Hessian*; papers write $2XX^\top$ for the whole error,
# with tokens in columns. A factor changes nothing in this lab.)
#
# As in lab 03: all axes of `x` but the last are tokens, matrices of batches add up, and sums are float32 whatever
# `x` is.
#
# <details><summary>Hint 1</summary>
#
# `sum_of_squares` of lab 03 with a matrix product in the place of the square: bring `x` into the shape [tokens, in]
# first.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Two products can be formed from [T, in] and its transpose. One has a number for each pair of tokens, the other for
# each pair of inputs. And what is the largest number in float16?
#
# </details>


# %% exercise="hessian"
def hessian(x: torch.Tensor) -> torch.Tensor:
    """The sums over all tokens of the products of every two inputs, X^T X.

    x: [..., in_features], of any floating type. Returns float32 [in_features, in_features].
    Source: Frantar and Alistarh 2023, section 3, without the factor 2.
    """
    ### BEGIN SOLUTION
    tokens = x.float().reshape(-1, x.shape[-1])  # [T, in]
    return tokens.T @ tokens
    ### END SOLUTION


# %% check="hessian" points=2
check.hessian(hessian)

# %% [markdown]
# Now look into the middle of the model. How much of an input is new, that is, cannot be predicted from the
# layer's other inputs? One number measures it: $1 / (H_{jj}\,[H^{-1}]_{jj})$ is the share of input $j$ that is news.
# (Section 9.2 shows why. The inverse is taken of a slightly damped $H$; section 9.3 shows why.)


# %% experiment
@torch.no_grad()
def inputs_of(names: list[str], windows: torch.Tensor) -> dict[str, torch.Tensor]:
    """The inputs [T, in] of some layers of the dense model, by name."""
    seen, layers = {}, linears.pruned_linears(model)
    hooks = [
        layers[name].register_forward_pre_hook(
            lambda _, x, name=name: seen.update({name: x[0].flatten(0, 1)})
        )
        for name in names
    ]
    try:
        model.model(windows.to(model.device), use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def news(h: torch.Tensor) -> torch.Tensor:
    """The share of each input, [in], that the others do not say."""
    h = h + 0.01 * h.diagonal().mean() * torch.eye(len(h), device=h.device)
    return 1 / (h.diagonal() * torch.linalg.inv(h).diagonal())


middle = len(model.model.layers) // 2
names = [name for name in dense if f".{middle}." in name and linears.layer_kind(name)[0] in "qogd"]
seen = inputs_of(names, calibration)
for name in names:
    share = news(hessian(seen[name]))
    kind, half = linears.layer_kind(name), share.median()
    print(f"input of {kind:9}  {len(share):5} channels, half of them with at most {half:.0%} news")

# %% [markdown]
# The rest can be predicted from the other inputs; on the course model that is most of it. Wanda makes no use of that.

# %% [markdown]
# ## 9.2 obs_drop
#
# **Goal** drop one weight, and let the others make up for it as well as they can. | **Points** 4 | **Minutes** 15
#
# ### Who makes up for it
#
# Weight $j$ goes, so $\delta_j = -w_j$ is fixed, and every other $\delta_i$ is free. Which $\delta$ has the
# smallest error $\delta^\top H\,\delta$? At the minimum the slope $H\delta$ is zero in all free directions: only
# its entry $j$ is left, $H\delta = \lambda e_j$, so $\delta = \lambda H^{-1} e_j$, a multiple of *column $j$ of the
# inverse*. That $\delta_j = -w_j$ gives the factor:
#
# $$\delta = -\frac{w_j}{[H^{-1}]_{jj}}\, H^{-1}_{:,j}, \qquad \delta^\top H\,\delta = \frac{w_j^2}{[H^{-1}]_{jj}}.$$
#
# This is *Optimal Brain Surgeon* (Hassibi and Stork 1993), thirty years older than its use here. The second formula
# is a score: what is left of the damage when all others help. Wanda's, squared, is $w_j^2 H_{jj}$: the damage when
# nobody does. Where the inputs never move together, $H$ is diagonal, $1/[H^{-1}]_{jj} = H_{jj}$, nothing else
# moves, and OBS *is* Wanda.
#
# By hand: $w = (3, 4)$ and $H^{-1} = \begin{pmatrix} 2 & 1 \\ 1 & 2 \end{pmatrix}$; the first weight goes. $w_0 /
# [H^{-1}]_{00} = 1.5$, and $(3, 4) - 1.5 \cdot (2, 1) = (0, 2.5)$.
#
# The inverse comes ready. Weight $j$ has to be *exactly* zero afterwards, and rounding may leave a tiny number
# there.
#
# <details><summary>Hint 1</summary>
#
# It is one line of arithmetic on vectors: the row, minus a number times a column of the inverse.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A new row is returned, and the row that came in stays as it is: `a - b` makes a new tensor, `a -= b` changes the
# old one. Then set its entry j to 0.
#
# </details>


# %% exercise="obs_drop"
def obs_drop(weight_row: torch.Tensor, inverse_hessian: torch.Tensor, j: int) -> torch.Tensor:
    """A row of a weight after weight j was dropped and all others moved so that the output moves least.

    weight_row: [in_features]; inverse_hessian: [in_features, in_features], the inverse of X^T X. Returns a new row
    [in_features], its entry j exactly 0. Source: Hassibi and Stork 1993, equation 5.
    """
    ### BEGIN SOLUTION
    new = weight_row - weight_row[j] / inverse_hessian[j, j] * inverse_hessian[:, j]  # [in]
    new[j] = 0
    return new
    ### END SOLUTION


# %% check="obs_drop" points=4
check.obs_drop(obs_drop)

# %% [markdown]
# Back to the layer with two inputs that say the same. Does the formula find the 5?

# %% experiment
inverse = torch.linalg.inv(hessian(x))  # [3, 3]
new = obs_drop(weight[0], inverse, 0)
print("the row moves from", weight[0].tolist(), "to", [round(value, 2) for value in new.tolist()])
error, first = (x @ new - x @ weight[0]).square().sum(), weight[0, 0] ** 2
print(f"squared error {error:.3f}, by the formula {first / inverse[0, 0]:.3f}")
print(f"Wanda's score, squared, says {first * hessian(x)[0, 0]:.0f}")

# %% [markdown]
# ## 9.3 sparsegpt_layer
#
# **Goal** drop half of a layer, and let the survivors make up for it. | **Points** 6 | **Minutes** 25
#
# ### Column by column
#
# With one weight gone, the next one has fewer helpers: the inverse that counts now is that of $H$ *without row and
# column $j$*. Every row of the weight drops other weights, so every row would need inverses of its own. A `down_proj`
# of the course model has 576 rows, each row drops 768 weights, and each drop updates a matrix of 1536 x 1536: a
# thousand billion numbers, for one layer.
#
# SparseGPT's idea makes one sequence of inverses serve all rows. Go through the columns from left to right, in all
# rows at once. Whatever goes in column $j$ is made up for by the columns *right of it* alone; a column that was
# passed moves no more. So when column $j$ is reached, the open ones are $j, j+1, \ldots$ in every row, whatever was
# dropped before, and the inverse that counts is that of $H_{j:,\,j:}$. And all of these inverses are in one
# triangular matrix: with the Cholesky factor $U$ of the inverse,
#
# $$H^{-1} = U^\top U, \quad U \text{ upper triangular}: \qquad \text{the first row of } (H_{j:,\,j:})^{-1} \text{ is } U_{jj}\, U_{j,\,j:}$$
#
# Put that into the formula of 9.2. For all rows that drop weight $j$:
#
# $$\mathrm{error} = \frac{w_j}{U_{jj}}, \qquad w_{j:} \leftarrow w_{j:} - \mathrm{error} \cdot U_{j,\,j:}, \qquad \mathrm{score}\; \frac{w_j^2}{U_{jj}^2}.$$
#
# Rows that keep weight $j$ have error 0.
#
# ### Blocks
#
# When is the mask chosen? Chosen at the start, it would not know how the weights move. Chosen at each column, it would
# take the same share from every column, from loud inputs and from quiet ones. So it is chosen for a *block* of 128
# columns when its first column is reached. Of the $N$ weights of the block, in all rows together, exactly $k =
# \mathrm{round}(s \cdot N)$ go, those with the lowest scores; $s$ is the sparsity. With a *pattern* $(n, m)$ the mask
# is chosen for $m$ columns when the first of them is reached, and in each row the $n$ highest scores stay; `sparsity`
# is not used then, and `block` is a multiple of $m$. If $m$ does not divide the number of inputs, raise a `ValueError`.
#
# Blocks also make it fast. While a block is worked on, only its own columns move. Its errors are noted, [out,
# block], and when it is done all columns right of it move at once, by one matrix product: $W_{:,\,\mathrm{right}}
# \leftarrow W_{:,\,\mathrm{right}} - E\, U_{\mathrm{block},\,\mathrm{right}}$.
#
# ### Damping
#
# $H$ may have no inverse: with fewer tokens than inputs some combination of inputs was never seen, and an input
# that is always zero has a row of zeros. So add `damp` times the mean of $H$'s diagonal to the diagonal, before
# anything else. That also keeps survivors from moving far for the sake of a few tokens; you will see how much that
# matters.
#
# <details><summary>Hint 1</summary>
#
# The outer loop goes over blocks, `for start in range(0, in_features, block)`; the last one may be narrower. In it:
# choose the mask, then a loop over the columns of the block, then one product for all that is right of it. Work on
# a copy of the weight.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `torch.linalg.cholesky(h)` gives a factor of $H$, `torch.cholesky_inverse` of that the inverse,
# `torch.linalg.cholesky(inverse, upper=True)` gives $U$. Of a block's scores, flattened to one long row, `topk(k,
# largest=False)` gives the places to drop, and `scatter` makes a mask of places.
#
# </details>
#
# <details><summary>A smaller problem, solved</summary>
#
# One column of two rows: the weights are (3, 5), row $j$ of $U$ is (2, 1) from the diagonal on, and the mask drops the
# weight of the first row alone. The errors are 3 / 2 and 0, one for each row. The first row moves by $1.5 \cdot (2, 1)$,
# the second by nothing: an outer product, `torch.tensor([1.5, 0])[:, None] * torch.tensor([2.0, 1.0])`. It takes the
# dropped weight to zero, but for rounding: multiply by the mask at the end.
#
# </details>


# %% exercise="sparsegpt_layer"
def sparsegpt_layer(
    weight: torch.Tensor,
    hessian: torch.Tensor,
    sparsity: float,
    block: int = 128,
    damp: float = 0.01,
    pattern: tuple[int, int] | None = None,
) -> tuple[torch.Tensor, torch.BoolTensor]:
    """A weight with its lowest scores dropped column by column, and the survivors right of each moved.

    weight: float32 [out_features, in_features]; hessian: [in_features, in_features]. In each block of columns exactly
    round(sparsity * n) of its n weights go; with pattern (n, m) each row keeps n of every m consecutive inputs instead.
    damp: what is added to the Hessian's diagonal, as a share of its mean. Returns the new weight and the mask, True =
    keep. Raises ValueError if m does not divide in_features. Source: Frantar and Alistarh 2023, algorithm 1.
    """
    ### BEGIN SOLUTION
    out, inputs = weight.shape
    group = pattern[1] if pattern else block  # columns that are chosen at one time
    if pattern and inputs % group:
        raise ValueError(f"{inputs} inputs cannot be cut into groups of {group}")
    damped = hessian + damp * hessian.diagonal().mean() * torch.eye(inputs, device=hessian.device)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    u = torch.linalg.cholesky(inverse, upper=True)  # [in, in]
    new, mask = weight.clone(), torch.ones_like(weight, dtype=torch.bool)
    for start in range(0, inputs, block):
        stop = min(start + block, inputs)
        errors = torch.zeros(out, stop - start, device=weight.device)
        for j in range(start, stop):
            if (j - start) % group == 0:
                here = slice(j, min(j + group, stop))
                score = (new[:, here] / u.diagonal()[here]).square()  # [out, group]
                pool = score if pattern else score.reshape(1, -1)
                drop = group - pattern[0] if pattern else round(sparsity * pool.numel())
                places = pool.topk(drop, dim=1, largest=False, sorted=False).indices
                keep = torch.ones_like(pool, dtype=torch.bool).scatter(1, places, False)
                mask[:, here] = keep.view_as(score)
            error = new[:, j] * ~mask[:, j] / u[j, j]  # [out]
            new[:, j:stop] -= error[:, None] * u[j, j:stop]
            errors[:, j - start] = error
        new[:, stop:] -= errors @ u[start:stop, stop:]
    return new * mask, mask
    ### END SOLUTION


# %% check="sparsegpt_layer" points=6
check.sparsegpt_layer(sparsegpt_layer)

# %% [markdown]
# Try it on four layers in the middle of the model, solved for what they see on the calibration text. The output
# error is relative to the size of the output, once on that text and once on text of other years.

# %% experiment
held_out = inputs_of(names, token_windows)  # [T, in] each


def relative_error(new: torch.Tensor, weight: torch.Tensor, h: torch.Tensor) -> float:
    """How far a layer's output moves, as a share of its size; h: the Hessian of the inputs that it is measured on."""
    moved, size = (((each @ h) * each).sum().item() for each in (new - weight, weight))
    return (moved / size) ** 0.5


def by_wanda(name: str) -> torch.Tensor:
    """The weight [out, in] of a layer under Wanda's mask of one half."""
    score = dense[name].abs() * norms[name]
    return dense[name] * (score > score.median(dim=1, keepdim=True).values)


rows = []
for name in names:
    both = [hessian(each[name]) for each in (seen, held_out)]  # [in, in] each
    new, mask = sparsegpt_layer(dense[name], both[0], 0.5)
    for what, each in (("Wanda", by_wanda(name)), ("mask alone", dense[name] * mask), ("SparseGPT", new)):
        row = [f"{relative_error(each, dense[name], h):.1%}" for h in both]
        rows.append([linears.layer_kind(name), what, *row])
print(columns(["layer", "weight", "calibration text", "other text"], rows, left=2))

# %% [markdown]
# Compare the lines of a layer. On the course model SparseGPT's mask alone is sometimes better than Wanda's and sometimes
# worse: the gain on every layer comes from the move of the survivors. And compare the columns. Wanda's errors are nearly the same on
# both texts. SparseGPT's are larger on the text that it has not seen, most of all in `down_proj`: 1536 inputs were
# fitted to 2048 tokens. The last section comes back to that.

# %% [markdown]
# ## 9.4 prune_sparsegpt
#
# **Goal** prune a whole model by SparseGPT, in place. | **Points** 4 | **Minutes** 15
#
# ### What the pruned layers send
#
# Lab 04 asked for Wanda's masks in one shot, with all norms from the dense model. Here you go *sequentially*: each
# layer is solved for the inputs that the pruned layers before it send. These are the inputs that it will really have,
# and the survivors move to fit them. Lab 04 has shown how, in one forward pass: a hook before each layer prunes it
# at the moment when its input arrives, and then the layer runs with its new weight. (The published code goes block
# by block, and measures all seven layers of a block while the block is dense. On the course model that gave 45.9 at
# 50 % in one run, and layer by layer 45.5 to 47.3 in three. The check takes either.)
#
# All batches have the same length, so they can go through the model as one, and each $H$ is gone before the next
# one is needed. Leave no hook behind: it would prune the model again in every later pass.
#
# <details><summary>Hint 1</summary>
#
# `linear.register_forward_pre_hook(f)` calls `f(linear, inputs)` before the layer runs, with its inputs as a tuple,
# and returns a handle. In `f`: the Hessian of `inputs[0]`, the new weight, `linear.weight.copy_(new)`. It needs to
# know the layer's name, too, for the masks.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `model.model(tokens, use_cache=False)` runs the decoder without the head; `torch.cat(batches)` makes one batch of
# many. All under `@torch.no_grad()`, and the handles are removed under `finally:`, as in lab 03. `partial(f, name)`
# is a function that gets the name first, and then what the hook passes.
#
# </details>


# %% exercise="prune_sparsegpt"
@torch.no_grad()
def prune_sparsegpt(
    model, batches: list[torch.Tensor], sparsity: float, pattern: tuple[int, int] | None = None
) -> dict[str, torch.BoolTensor]:
    """Prune every Linear of the decoder layers by SparseGPT, in place, each on what the pruned ones before it send.

    batches: LongTensors [B, L] of token ids, of one length. Blocks and damping are sparsegpt_layer's own; pattern: as
    there. Returns the masks by full module name, True = keep. Embeddings, norms and lm_head stay as they are.
    """
    ### BEGIN SOLUTION
    masks, hooks = {}, []

    def solve(name: str, linear, inputs: tuple) -> None:  # inputs[0]: [B, L, in]
        new, masks[name] = sparsegpt_layer(linear.weight, hessian(inputs[0]), sparsity, pattern=pattern)
        linear.weight.copy_(new)

    try:
        for name, linear in linears.pruned_linears(model).items():
            hooks.append(linear.register_forward_pre_hook(partial(solve, name)))
        model.model(torch.cat(batches).to(model.device), use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    return masks
    ### END SOLUTION


# %% check="prune_sparsegpt" points=4
check.prune_sparsegpt(prune_sparsegpt)

# %% [markdown]
# ## Half of the course model
#
# Now the whole model: half a minute. `linears.masked` with masks that keep all brings back every weight after the
# block. In it we also measure the output error of every third block's seven layers, on text that neither method has
# seen, for three weights: those that SparseGPT leaves, the old ones under its mask, and the old ones under Wanda's
# mask.

# %% experiment
guess = None  # your guess: SparseGPT's output error in the last block, where 0.3 would be 30 % of the output's size


# %% experiment
everything = {name: torch.ones((), dtype=torch.bool).expand(weight.shape) for name, weight in dense.items()}
third = [name for name in dense if int(name.split(".")[2]) % 3 == 2 or len(model.model.layers) < 3]


@torch.no_grad()
def output_errors(masks: dict[str, torch.Tensor]) -> dict[str, dict[int, float]]:
    """Method -> {block: mean relative output error of its seven layers} of the model as it is now."""
    found, hooks = {"Wanda": {}, "SparseGPT's mask alone": {}, "SparseGPT": {}}, []

    def look(name: str, linear, x: torch.Tensor) -> None:
        h, weight, block = hessian(x), dense[name], int(name.split(".")[2])
        weights = (by_wanda(name), weight * masks[name], linear.weight)
        for method, new in zip(found, weights, strict=True):
            found[method][block] = found[method].get(block, 0) + relative_error(new, weight, h) / 7

    try:
        for name in third:
            layer = linears.pruned_linears(model)[name]
            hooks.append(
                layer.register_forward_pre_hook(lambda linear, x, name=name: look(name, linear, x[0]))
            )
        model.model(token_windows.to(model.device), use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    return found


with linears.masked(model, everything):  # whatever changes in this block comes back after it
    masks = prune_sparsegpt(model, batches, 0.5)
    found["SparseGPT"] = perplexity(model, token_windows)
    errors = output_errors(masks)
with linears.masked(model, masks):
    found["SparseGPT's mask alone"] = perplexity(model, token_windows)
del masks

# %% experiment
last = max(errors["SparseGPT"])
plots.errors_by_depth(
    errors, "Output error of a block's layers at 50 %, on text not seen", guess=(last, guess)
)
for method, points in errors.items():
    print(f"{method:23} {sum(points.values()) / len(points):.1%} on average")

# %% [markdown]
# ### Mask or update?
#
# Two things differ between Wanda and SparseGPT: which weights go, and that the others move. The perplexities tell the
# two apart, and 2:4 comes last.

# %% experiment
with linears.masked(model, everything):
    prune_sparsegpt(model, batches, 0.5, (2, 4))
    found["SparseGPT, 2:4"] = perplexity(model, token_windows)
    texts["SparseGPT, 2:4"] = prompts.written(model, tokenizer)

# %% experiment
pruned = {name: value for name, value in found.items() if name != "dense"}
plots.bars(
    pruned, found["dense"], "Perplexity at 50 %, by method and by where the zeros may stand", "perplexity"
)
for one, other in (
    ("SparseGPT", "Wanda"),
    ("SparseGPT's mask alone", "Wanda"),
    ("SparseGPT, 2:4", "Wanda, 2:4"),
):
    print(f"{one:23} {found[one] / found[other]:.2f} times the perplexity of {other}")

# %% [markdown]
# What is written with 2:4, on the three prompts of lab 04:

# %% experiment
print(prompts.side_by_side(texts))

# %% [markdown]
# ## How much text is enough?
#
# A norm is one number, and four windows measure it well. $H$ of a `down_proj` has 1536 x 1536. With fewer tokens
# than inputs, there are changes of a row that no token notices, and $H$ has no inverse:

# %% experiment
down = names[-1]
few = hessian(seen[down][: now.window // 2])  # [in, in], from half a window
try:
    sparsegpt_layer(dense[down], few, 0.5, damp=0.0)
    print(f"half a window is enough for {len(few):,} inputs")
except torch.linalg.LinAlgError as problem:
    print(f"{now.window // 2} tokens, {len(few):,} inputs, no damping:", str(problem)[:110])

# %% [markdown]
# Damping gives every matrix an inverse. But how much? Here is the middle `down_proj`, solved from more and more
# text, with three dampings. Its error is measured on other text.

# %% experiment
h, curves = hessian(held_out[down]), {f"damp {damp:g}": {} for damp in (0.0001, 0.01, 1.0)}
for count in (256, 512, 1024, 2048):
    some = hessian(seen[down][:count])
    for damp, points in zip((0.0001, 0.01, 1.0), curves.values(), strict=True):
        solved, _ = sparsegpt_layer(dense[down], some, 0.5, damp=damp)
        points[count] = relative_error(solved, dense[down], h)
beside = relative_error(by_wanda(down), dense[down], h)
plots.error_by_tokens(curves, beside, "Output error of one layer on text not seen")
for name, points in curves.items():
    print(f"{name:12}", *(f"{count:5} tokens {value:6.1%}" for count, value in points.items()))

# %% [markdown]
# With little damping and little text, the survivors fit the few tokens that they were shown, and do harm everywhere
# else: on the course model the error is far above Wanda's, which moves nothing. It is worst where there are nearly as many tokens as
# inputs, so that the fit is just possible and all of it is used up. More damping holds the survivors back, and with
# more text less of it is needed. It is overfitting, without a single step of training.
#
# **What if** `prune_sparsegpt` damped more, `damp=0.1` in its call of `sparsegpt_layer`? Which layers would gain on
# other text, and does the perplexity follow?

# %% [markdown]
# ## Your numbers beside ours
#
# SparseGPT's numbers differ by a few percent from run to run, and so do ours (with 2:4 they were 85, 87 and 89): on another machine, or
# with another number of threads, the last bit of a sum decides between two weights that nearly tie, and all later layers are solved for what came before.

# %% experiment
ours = expected.sparsegpt()
rows = [[name, f"{value:.2f}", f"{ours[name]:.2f}" if name in ours else "-"] for name, value in found.items()]
print(columns(["at 50 %", "your perplexity", "reference"], rows))

# %% [markdown]
# ## Question 1
#
# In exactly which case do OBS and Wanda choose the same weight of a row to drop, and move nothing else? Name a
# layer of the course model whose inputs are far from that case, by the numbers of section 9.1. And why does the
# update gain more at 2:4 than where the zeros may stand anywhere?

# %% [markdown] written="survivors_reflection" points=3
# Where $H$ is diagonal: no two inputs move together. Then $1/[H^{-1}]_{jj} = H_{jj}$, so the scores are equal, and
# column $j$ of the inverse is zero but for its entry $j$, so nothing else moves. The inputs of `down_proj` and of
# the others in the middle block have little news: most of each can be told from the other inputs. At 2:4 the mask
# has less choice: it must drop weights that matter and keep some that do not. More damage is done, and more free
# weights that are of little use otherwise stand by to make up for it. The update pays where the mask is poor.

# %% [markdown] answer
# **Rubric (3 points).** One point for the diagonal $H$, with both consequences (equal scores, no move). One for
# naming a layer with its number of news from the own notebook. One for 2:4: the choice is restricted, so larger
# weights go and more is left to repair.

# %% [markdown]
# ## Question 2
#
# Weights that are dropped in the last columns of a layer are repaired worse than those in the first. Why? What
# could one change about the walk, without making it slower? And a colleague calibrates with a single window of 512
# tokens and gets a `down_proj` with no error at all on that window: is that good news?

# %% [markdown] written="columns_reflection" points=2
# Only columns to the right may move, so the last columns have few helpers, and the very last none. One could order
# the columns before the walk and put them back after it: those with large $H_{jj}$ first, so that the loud ones
# have all helpers (GPTQ calls it activation order). The colleague's layer has 1536 inputs and 512 tokens: there are
# changes that none of these tokens notices, and the survivors can fit all of them. On other text they are worse
# than before: measure on text that was not used, use more tokens, or damp more.

# %% [markdown] answer
# **Rubric (2 points).** One point for the helpers to the right alone, and an order of columns (loud first, or any
# that is argued for). One for fewer tokens than inputs: a fit without error says nothing, the error must be
# measured on other text.

# %% [markdown]
# ## 9.5 gptq_layer ★
#
# **Goal** round a layer to a few bits, and let what is not yet rounded make up for it. | **Points** none, for the fun of it | **Minutes** 20
#
# ### Rounding in the place of dropping
#
# Dropping a weight replaces it by 0. Rounding replaces it by the nearest of a few values, so that a file needs only
# a few bits for it. The walk does not care which of the two happens. Column $j$ of the weight becomes $q_j$, all rows
# at once, and the columns right of it make up for the difference:
#
# $$\mathrm{error} = \frac{w_j - q_j}{U_{jj}}, \qquad w_{j:} \leftarrow w_{j:} - \mathrm{error} \cdot U_{j,\,j:}.$$
#
# With $q_j = 0$ these are the formulas of 9.3. This is *GPTQ*. There is no mask and nothing to choose: every weight
# is rounded. The factor $U$, the damping and the blocks with their late updates stay as they are.
#
# ### A grid for each group
#
# With $b$ bits there are $2^b$ values. Every `group` neighbouring inputs of a row share one set of them, a *grid*.
# It is made when the first column of the group is reached: from the smallest to the largest weight of the group *as
# they stand by then*, moved by all that was rounded before, in $2^b - 1$ equal steps. It then stays to the last
# column of the group. So a later weight may move beyond the grid, and its nearest value is then an end of it.
#
# By hand, one row, one group, 2 bits, $w = (0,\ 1.4,\ 2.4,\ 3)$. The grid is 0, 1, 2, 3. The first weight stays.
# The second becomes 1: rounding took $0.4$. Let its row of $U$ be $(1, -\tfrac12, 0)$ from the diagonal on: the third
# weight becomes $2.4 + 0.4 \cdot \tfrac12 = 2.6$ and is rounded to 3. Without the move it would be 2.
#
# `block` is a multiple of `group`, so a group never lies in two blocks; the last group may be narrower. If all
# weights of a group are equal, they stay as they are, and nothing becomes NaN. (Lab 11 keeps the number of the value
# on the grid, the *code*, and packs it into bits. Here the values themselves are enough.)
#
# <details><summary>Hint 1</summary>
#
# Copy your `sparsegpt_layer`. Where a mask was chosen, a grid is made: `aminmax(dim=1)` of the group gives its ends,
# [out] each. Where the error was the dropped weight, it is now the weight minus its rounded value, divided by the
# same entry of $U$.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# How many steps is a weight above the smallest one? Round that number, keep it between 0 and $2^b - 1$ (`clamp`), and
# go back to a value. Where smallest and largest are equal, a step is 0: divide by something else there,
# `torch.where` chooses.
#
# </details>


# %% exercise="gptq_layer"
def gptq_layer(
    weight: torch.Tensor, hessian: torch.Tensor, bits: int, group: int, block: int = 128, damp: float = 0.01
) -> torch.Tensor:
    """A weight rounded column by column to 2**bits values, the columns right of each moved to make up for it.

    weight: float32 [out_features, in_features]; hessian: [in_features, in_features]. Every `group` consecutive inputs
    of a row share a grid, from the smallest to the largest weight of the group when its first column is reached.
    block: a multiple of group, does not change the result; damp: as in sparsegpt_layer. Returns a new weight [out, in].
    Source: Frantar et al. 2023, GPTQ, algorithm 1, with a grid for each group.
    """
    ### BEGIN SOLUTION
    out, inputs = weight.shape
    damped = hessian + damp * hessian.diagonal().mean() * torch.eye(inputs, device=hessian.device)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    u = torch.linalg.cholesky(inverse, upper=True)  # [in, in]
    new = weight.clone()
    for start in range(0, inputs, block):
        stop = min(start + block, inputs)
        errors = torch.zeros(out, stop - start, device=weight.device)
        for j in range(start, stop):
            if (j - start) % group == 0:
                low, high = new[:, j : min(j + group, stop)].aminmax(dim=1)  # [out] each
                step = torch.where(high > low, (high - low) / (2**bits - 1), 1)  # [out]
            value = low + step * ((new[:, j] - low) / step).round().clamp(0, 2**bits - 1)  # [out]
            error = (new[:, j] - value) / u[j, j]  # [out]
            new[:, j:stop] -= error[:, None] * u[j, j:stop]
            new[:, j] = value
            errors[:, j - start] = error
        new[:, stop:] -= errors @ u[start:stop, stop:]
    return new
    ### END SOLUTION


# %% check="gptq_layer" points=0
check.gptq_layer(gptq_layer)

# %% [markdown]
# The four layers in the middle again, at 3 and at 2 bits in groups of 32. With a diagonal $H$ nothing moves, so your
# function also rounds to nearest: give it the identity. (At 4 bits there is nothing to see. The course model was
# stored in 4 bits, in groups of 32 neighbours: its weights lie on such grids, and rounding takes nothing from them.)

# %% experiment
rows = []
for name in names:
    h, unseen = (hessian(each[name]) for each in (seen, held_out))  # [in, in] each
    for bits in (3, 2):
        nearest = gptq_layer(dense[name], torch.eye(len(h), device=h.device), bits, 32)
        moved = [gptq_layer(dense[name], h, bits, 32, damp=damp) for damp in (0.01, 0.1)]
        off = [f"{relative_error(each, dense[name], unseen):.1%}" for each in (nearest, *moved)]
        rows.append([linears.layer_kind(name), f"{bits} bits", *off])
print("Output error of a layer on text not seen")
print(columns(["layer", "", "to nearest", "GPTQ", "GPTQ, damp 0.1"], rows, left=2))

# %% [markdown]
# A file has the same size in all three columns. On three of these layers of the course model GPTQ's error is clearly below that of rounding
# to nearest, in `q_proj` half of it. In `down_proj` it is above: 1536 inputs were fitted to 2048 tokens. This is the
# overfitting of *How much text is enough?*, and damping is the remedy again: with ten times as much every layer gains.
#
# **What if** you go on, `damp=1.0`? Which layer still gains, and which one loses?

# %% [markdown]
# ## Read on
#
# - E. Frantar and D. Alistarh 2023, *SparseGPT: Massive Language Models Can Be Accurately Pruned in One-Shot*
#   ([arXiv:2301.00774](https://arxiv.org/abs/2301.00774)): this lab.
# - E. Frantar, S. P. Singh and D. Alistarh 2022, *Optimal Brain Compression*
#   ([arXiv:2208.11580](https://arxiv.org/abs/2208.11580)): the exact order, row by row, and the way from OBS to SparseGPT.
# - E. Frantar et al. 2023, *GPTQ* ([arXiv:2210.17323](https://arxiv.org/abs/2210.17323)): the same walk with rounding.
# - X. Meng et al. 2024, *ALPS* ([arXiv:2406.07831](https://arxiv.org/abs/2406.07831)): mask and weights together, by ADMM on the same $H$.
# - M. Sun et al. 2024, *Wanda* ([arXiv:2306.11695](https://arxiv.org/abs/2306.11695)): section 3 compares the two scores.
# - B. Hassibi and D. Stork 1993, *Second order derivatives for network pruning: Optimal Brain Surgeon*
#   ([NIPS 5](https://proceedings.neurips.cc/paper_files/paper/1992/hash/303ed4c69846ab36c2904d3ba8573050-Abstract.html)):
#   where the two formulas of 9.2 come from.
#
# **Open question.** SparseGPT never takes a drop back: what was dropped first stays dropped, though later moves may
# have made it worth keeping. ALPS looks for mask and weights together. How near to the best is one walk? For a row
# of 12 inputs all masks of 6 can be tried, 924 of them, each with its best weights by least squares: where does the
# walk's mask rank among them?
#
# **Finished?** Press the button below: the lab gives its memory back, and all that you see stays. (Under `start.py`, a
# lab whose tab you closed does so by itself after half an hour.)
#
# **Next:** this was the last method that leaves a model its shape. Which blocks of a model can go, and how much of each
# layer, is a question of its own: [lab 10, depth](../10_depth/10_depth.ipynb).

# %% experiment
closing.button()
