# %% [markdown]
# # 06  Recovery
#
# A model of 1.1 billion weights of 2 bytes fills 2.2 GB of a phone's 8 GB, and at 50 GB a second it writes 23 tokens a
# second. To train all of it takes 17.6 GB: for each weight 4 bytes, 4 for its gradient and 8 for the optimiser. LoRA (*low-rank adaptation*) trains 6.3 million numbers instead, in 4.5 GB.
#
# Pruning takes something away, and calibration cannot put it back. A little training can, in part: two thin
# matrices beside every layer, two percent of the weights, added to the weights afterwards. On the course model, a
# minute on two CPU cores took back half of what pruning cost, in the one run that we show.
#
# | | |
# |---|---|
# | **You learn** | low-rank updates, what training costs in memory, why merging must know the mask, and how to tell recovery from adaptation to a text |
# | **You need** | lab 04 (Wanda) and lab 05 (sliced models); a training loop you have seen before helps |
# | **Level** | middle: whole models, by masks, hooks and gradients |
# | **It takes** | an hour of your time; all cells together run three to four minutes on two CPU cores |
# | **Sources** | Hu et al. 2022, *LoRA: low-rank adaptation of large language models*; Ma et al. 2023, *LLM-Pruner*; K. D. Herbst and S. Viet, report on pruning TinyLlama (FOM, 2025), section 6 |

# %%
import itertools
import warnings

import torch
from labsupport import check, closing, corpora, expected, given
from labsupport import linears, models, plots, prompts, recovery, settings
from labsupport.given.blocks import prune_blocks
from labsupport.given.input_norms import input_norms
from labsupport.given.perplexity import perplexity
from labsupport.table import columns
from peft import LoraConfig, get_peft_model

# %% [markdown]
# ## Two patients
#
# One model loses half of its weights to Wanda: they are zero, and the shapes stay. The other loses a third of
# the channels and heads in its middle blocks: its matrices are smaller. Both losses show in the perplexity.

# %%
now, tokenizer = settings.current(), models.tokenizer()
token_windows = corpora.windows(now.text, tokenizer, "evaluation", now.window, now.evaluation_windows)
calibration = corpora.windows(now.text, tokenizer, "calibration", now.window, now.calibration_windows)
batches = list(calibration[:, None])  # LongTensors [1, length]

# %% experiment
sliced = models.load()  # still dense
dense_perplexity, texts = perplexity(sliced, token_windows), {"dense": prompts.written(sliced, tokenizer)}
depth = len(sliced.model.layers)
with warnings.catch_warnings(action="ignore"):  # a model with few heads keeps them all, and would say so
    prune_blocks(sliced, 0.35, range(depth // 7, depth - depth // 7), "taylor", batches)

# %% experiment
masked = models.load()
linears.sparse_on_purpose(masked)  # so `perplexity` does not ask where its zeros come from
for name, norm in input_norms(masked, batches).items():
    score = linears.pruned_linears(masked)[name].weight.abs() * norm
    mask = score > score.median(dim=1, keepdim=True).values  # half of every row
    linears.apply_masks(masked, {name: mask})

# %% experiment
patients = {"Wanda 50 %": masked, "sliced 35 %": sliced}
before = {name: perplexity(each, token_windows) for name, each in patients.items()}
texts |= {f"{name}, before": prompts.written(each, tokenizer) for name, each in patients.items()}
print(f"dense {dense_perplexity:.2f}", *(f"{name} {value:.2f}" for name, value in before.items()), sep="   ")

# %% [markdown]
# ## 6.1 lora_forward
#
# **Goal** run a frozen layer with a LoRA beside it. | **Points** 1 | **Minutes** 8
#
# ### Two thin matrices
#
# To train a layer is to find an update $\Delta W$ of its weight, a matrix of the same shape. LoRA allows only updates
# of low rank,
#
# $$\Delta W = s\, B A, \qquad B \in \mathbb{R}^{\mathrm{out} \times r},\quad A \in \mathbb{R}^{r \times \mathrm{in}},$$
#
# with a small $r$ such as 8 and a constant $s = \alpha / r$, the *scaling*. Why should that be
# enough? The model knows its language already. Hu et al. assume, after Aghajanyan et al. 2020, that
# it needs a correction along a few directions only. Their section 7 finds that updates of r = 8 and
# r = 64 agree on only the first few directions. (The updates of full fine-tuning are not low-rank,
# and it learns more: Biderman et al. 2024.) In return there are $r\,(\mathrm{in} + \mathrm{out})$
# numbers to train instead of $\mathrm{in} \cdot \mathrm{out}$.
#
# While it trains, the layer computes
#
# $$y = x\, W^{\top} + s\, (x A^{\top})\, B^{\top}.$$
#
# Mind the brackets. $BA$ is as large as $W$; if you form it, every step pays for the large matrix that LoRA
# avoids. $x A^{\top}$ has just $r$ numbers per token. So $BA$ must not be formed, and the check can tell: in
# its last case the entries of $BA$ are too large for float32, while every output is small.
#
# `x` is [..., in_features], `weight` [out, in], `a` [r, in], `b` [out, r].
#
# <details><summary>Hint 1</summary>
#
# Two paths from inputs to outputs, added up at the end. One goes through `weight`, the other through a narrow
# place in the middle. `@` works on the last two axes and leaves the others alone.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Python reads `x @ m @ n` from the left: first `x @ m`. Write down the shape after each step for one token:
# [in], then [r], then [out].
#
# </details>


# %% exercise="lora_forward"
def lora_forward(
    x: torch.Tensor, weight: torch.Tensor, a: torch.Tensor, b: torch.Tensor, scaling: float
) -> torch.Tensor:
    """The output of a frozen linear layer with LoRA beside it, without forming the product of b and a.

    x: [..., in_features]; weight: [out_features, in_features]; a: [r, in_features]; b: [out_features, r].
    Returns [..., out_features]. Source: Hu et al. 2022, equation 3.
    """
    ### BEGIN SOLUTION
    return x @ weight.T + scaling * (x @ a.T @ b.T)
    ### END SOLUTION


# %% check="lora_forward" points=1
check.lora_forward(lora_forward)

# %% [markdown]
# ### What that saves
#
# A weight in float32 takes 4 bytes. If it is trained, its gradient takes 4 more, and AdamW, which keeps two running
# means for each weight, 8 more. A frozen weight takes its 4 bytes and nothing else.


# %% experiment
def training_memory(frozen: int, trained: int) -> list[str]:
    """Counts and megabytes of a training: weights, gradients, AdamW's two means."""
    parts = (4 * (frozen + trained), 4 * trained, 8 * trained)
    return [f"{trained:,}", *(f"{part / 1e6:,.1f}" for part in (*parts, sum(parts)))]


# %% experiment
everything, lora_size = sum(weight.numel() for weight in masked.parameters()), recovery.trainable(masked)
rows = [["full fine-tuning", *training_memory(0, everything)]]
rows.append(["LoRA, r = 8", *training_memory(everything, lora_size)])
print(columns(["", "trained", "weights MB", "gradients MB", "AdamW MB", "sum MB"], rows))

# %% [markdown]
# The weights themselves are needed in both cases. What training adds shrinks with the number of trained
# weights, here more than fiftyfold. (The activations of a batch come on top for both. A full step makes three products
# for each weight matrix: its output, the gradient of its input, its own gradient. LoRA saves only the
# third, so its step costs about two thirds of a full one, not two percent of it.)
#
# One more thing: `b` starts at zero. So $BA = 0$ and the first step starts from exactly the model that you have.

# %% [markdown]
# ## 6.2 merge_lora
#
# **Goal** put what was learned into the weight. | **Points** 1 | **Minutes** 8
#
# After training the two paths can become one, $W' = W + s\,BA$, and the model is as fast as before:
# no adapter, no extra product. Only here, at the very end, may $BA$ be formed.
#
# ### Merging fills the zeros
#
# Half of a pruned weight matrix is zero. $BA$ is dense: every entry of it is a sum of $r$ products, and hardly one of
# them is zero. Add the two and the sparsity is gone, although there is no error and the perplexity is fine. So with a
# mask the dropped weights must be zero again after the merge:
#
# $$W' = (W + s\,BA) \odot M.$$
#
# It is the *mask* that decides, not the zeros of $W$: a kept weight may be zero by chance (our model came from 4-bit
# blocks and has such weights), and it learns like any other.
#
# The arguments stay as they are: return a new tensor. Without a mask (`None`) nothing is masked.
#
# <details><summary>Hint 1</summary>
#
# Which of `a @ b` and `b @ a` is [out, in]?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A bool mask multiplies as 0 and 1. `mask is None` asks whether there is one.
#
# </details>


# %% exercise="merge_lora"
def merge_lora(
    weight: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    scaling: float,
    mask: torch.BoolTensor | None = None,
) -> torch.Tensor:
    """The weight with its LoRA merged in, as a new tensor [out_features, in_features].

    weight: [out, in]; a: [r, in]; b: [out, r]; mask: bool [out, in], True = keep, or None. Where there is a
    mask, the weights that it drops are zero in the result.
    """
    ### BEGIN SOLUTION
    merged = weight + scaling * b @ a
    return merged if mask is None else merged * mask
    ### END SOLUTION


# %% check="merge_lora" points=1
check.merge_lora(merge_lora)

# %% [markdown]
# See the trap on a real layer, with two thin matrices at random.

# %% experiment
name = list(linears.pruned_linears(masked))[-1]  # the last layer: its mask is still there
weight, mask = linears.pruned_linears(masked)[name].weight.cpu(), mask.cpu()
generator = torch.Generator().manual_seed(6)
a, b = torch.randn(8, weight.shape[1], generator=generator), torch.randn(len(weight), 8, generator=generator)
filled, kept = merge_lora(weight, a, b, 1e-3), merge_lora(weight, a, b, 1e-3, mask)
for what, w in {"before": weight, "merged without the mask": filled, "merged with it": kept}.items():
    print(f"{name}, {what}: {(w == 0).float().mean():.1%} zeros")

# %% [markdown]
# All of the sparsity was lost in one addition. A *sliced* model does not have this problem: what it lost has no
# entry in its matrices, so nothing can be filled, and its merge is exact.

# %% [markdown]
# ## 6.3 recover
#
# **Goal** train a pruned model with LoRA and merge what it learned. | **Points** 6 | **Minutes** 25
#
# ### What learns and what does not
#
# In LoRA training every weight that was there is frozen: embeddings, norms, `lm_head`, and the pruned layers
# themselves. Only the new matrices learn. The library `peft` does that:
#
# - `LoraConfig(r=8, lora_alpha=16, target_modules=[...])` says where; layers are named as in
#   `linears.pruned_linears(model)`;
# - `lora = get_peft_model(model, config)` adds the matrices and freezes all other weights;
# - `lora(input_ids=batch, labels=batch).loss` is the mean negative log-likelihood; it shifts the labels itself,
#   so you must not;
# - `lora.merge_and_unload()` merges and takes the adapters out of `model`, which is then a plain model again. It
#   knows nothing of masks: see the trap above.
#
# The function gets a pruned model and no masks. Here the zeros of the weights serve as the mask: *every weight that is
# zero before is zero after*. In a sliced model that keeps from learning only the few weights that happen to be zero.
#
# `batches` are LongTensors [B, L] on the CPU, wherever the model is. A *step* is one batch and one update; after the
# last batch, start again with the first. With 3 batches and 5 steps, the first two batches are used twice.
# Return one loss per step, as plain numbers.
#
# <details><summary>Hint 1</summary>
#
# Three parts: before, a loop, afterwards. What must be noted before `get_peft_model` is called? Which weights does the
# optimiser, a `torch.optim.AdamW`, get? What does `merge_and_unload` break, and which function of `linears` repairs it?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Gradients add up until they are cleared. A loss that is kept as a tensor keeps its whole graph in memory.
# `itertools.cycle` repeats its input without end, `itertools.islice` takes as many as you want:
# `list(islice(cycle("abc"), 5))` is a, b, c, a, b.
#
# </details>
#
# <details><summary>A smaller problem, solved</summary>
#
# One number learns to be 3, in five steps of gradient descent by hand:
#
#     slope = torch.zeros(1, requires_grad=True)
#     for x in range(5):
#         ((slope * x - 3 * x) ** 2).mean().backward()
#         with torch.no_grad():
#             slope -= 0.02 * slope.grad  # an optimiser does this
#         slope.grad = None               # and this, when asked
#
# </details>


# %% exercise="recover"
def recover(model, batches: list[torch.Tensor], steps: int, learning_rate: float) -> list[float]:
    """Train LoRA matrices (r = 8) beside every Linear of the decoder layers and merge them, in place.

    batches: LongTensors [B, L] of token ids, repeated if there are more steps. Returns the loss of
    every step. Zeros of the weights stay zeros; embeddings, norms and lm_head are untouched; no adapter
    is left in the model.
    """
    ### BEGIN SOLUTION
    masks = {name: linear.weight != 0 for name, linear in linears.pruned_linears(model).items()}
    lora = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules=list(masks)))
    trained = [weight for weight in lora.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=learning_rate)
    losses = []
    for batch in itertools.islice(itertools.cycle(batches), steps):
        batch = batch.to(model.device)
        loss = lora(input_ids=batch, labels=batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    lora.merge_and_unload()
    linears.apply_masks(model, masks)
    return losses
    ### END SOLUTION


# %% [markdown]
# The check lets your function recover four tiny models, and measures their perplexity itself.

# %% check="recover" points=6
check.recover(recover)

# %% [markdown]
# ## The real thing
#
# From here on `recover` of `labsupport.given.lora` does what your function does, and what longer
# training needs in addition: the learning rate rises and falls again, a bar shows the loss, and
# *stop* (the square in the toolbar) keeps what was learned so far. It trains on texts of the calibration
# years; the evaluation text is not among them.

# %% experiment
guess = None  # your guess: the perplexity of the Wanda model after 32 steps, from 49 on the course model; dense is 24

# %% experiment
from labsupport.given import lora

steps, length = 32, now.window // 2
practice = corpora.windows(now.text, tokenizer, "calibration", length, steps)[:, None]  # [steps, 1, length]
losses = {"Wanda 50 %": lora.recover(masked, list(practice), steps, 1e-3)}

# %% experiment
largest = max(
    linears.pruned_linears(sliced), key=lambda name: linears.pruned_linears(sliced)[name].weight.numel()
)
original = linears.pruned_linears(sliced)[largest].weight.clone()
losses["sliced 35 %"] = lora.recover(sliced, list(practice), steps, 1e-3)

# %% experiment
plots.loss_curves(losses, "Loss of each step, and its mean over eight steps")
for name, each in losses.items():
    means = [sum(part) / len(part) for part in (each[:4], each[8:16], each[-8:])]
    print("{}: {:.2f} in steps 1 to 4, {:.2f} in 9 to 16, {:.2f} in the last eight".format(name, *means))

# %% [markdown]
# Every step sees another window, and some windows are harder: the thin lines jump, and they jump together, because both
# models see the same windows in the same order. The thick ones, means of eight steps, show the trend.

# %% experiment
after = {name: perplexity(each, token_windows) for name, each in patients.items()}
texts |= {f"{name}, after": prompts.written(each, tokenizer) for name, each in patients.items()}
print(f"zeros in the masked model: {linears.model_sparsity(masked):.4%}")
plots.before_and_after(
    {name: (before[name], after[name]) for name in before}, dense_perplexity,
    f"Perplexity before and after {steps} steps of LoRA", "perplexity", guess=(0, guess),
)  # fmt: skip
for name, value in after.items():
    was, still = before[name] / dense_perplexity, value / dense_perplexity
    print(f"{name}: {was:.2f} times the perplexity of the dense model before, {still:.2f} times after")

# %% [markdown]
# The zeros are all still there: only weights that were kept have changed. Question 2 asks how much of the fall is
# recovery, and 6.4 looks at what one layer can make up for.
#
# LoRA begins with random numbers, and yours is one draw. We drew three times: the table below has all three, half a
# percent apart at most. Only larger differences mean something, also those of `rank=1` or `rank=64`. **What if** you draw again?
# Run the cell that makes `masked`, then `lora.recover(masked, list(practice), steps, 1e-3, seed=1)` and
# `perplexity(masked, token_windows)`.

# %% experiment
order = ["dense", *(f"{name}, {when}" for name in patients for when in ("before", "after"))]
print(prompts.side_by_side({name: texts[name] for name in order}))

# %% [markdown]
# Perplexity falls when the text becomes easier to predict, for whatever reason. Do the sentences get better? Do they
# get *true* again?
#
# ### How low is the rank?
#
# In the sliced model one can see it: except for a few weights, its update is $s\,BA$. Decompose one of
# the largest updates.

# %% experiment
update = linears.pruned_linears(sliced)[largest].weight - original
values = torch.linalg.svdvals(update.float()).cpu()
print(f"{largest}, {tuple(update.shape)}, singular values over the first:")
print(", ".join(f"{value:.3f}" for value in (values / values[0])[:12].tolist()))

# %% [markdown]
# Eight of them, then next to nothing. (The small rest comes from the few weights that happened to be zero before: they
# were kept zero, too.) In the masked model the same product went through a mask that removes half of its entries, and
# then its rank is no longer low. So the masked model did not get quite what was trained. Does it matter?
# We also trained with the mask inside every forward pass: it took 50 % longer, and the perplexity was
# 36.1, where our three runs without it reach from 35.7 to 35.9. One run is too few to call it worse, but better it is not.
#
# ### The report's recovery
#
# Herbst and Viet trained their pruned TinyLlama with the same method and more of everything: rank
# 8, learning rate 1e-4, two epochs of *alpaca-cleaned* (51,760 instructions with answers, 2,000 of
# them held out) in batches of 64, logged to Weights & Biases. With a GPU and the model hub that is
# one call, `lora.recover_as_reported(model, tokenizer, "runs/alpaca")`. It writes its losses into
# that folder; `wandb=True` sends them to Weights & Biases as well, when you are logged in. Our
# learning rate is ten times theirs because we take 32 steps, not 1,555. And do not train in float16
# without loss scaling: gradients below its smallest number become 0, numbers above its largest become
# infinite, and then NaN. float32 and bfloat16 are safe. (The report trained in float16 *with* loss scaling, and that
# worked.)

# %% [markdown]
# ## Your numbers beside ours

# %% experiment
ours = expected.recovery()
rows = []
for name, method in (("Wanda 50 %", "wanda"), ("sliced 35 %", "sliced")):
    was, *draws = [f"{value:.2f}" for value in ours.get(method, ())] or ["-"] * 4
    ratio = f"{after[name] / before[name]:.2f}"
    rows.append([name, f"{before[name]:.2f}", was, f"{after[name]:.2f}", *draws, ratio])
print(columns(["", "before", "reference", "after", "reference", "seed 1", "seed 2", "ratio"], rows))

# %% [markdown]
# Rounding errors add up over the steps of a training, so the numbers after it may differ from ours by a percent.

# %% [markdown]
# ## Question 1
#
# A colleague reports: "LoRA recovered my 50 % Wanda model: perplexity 49 before, 30 after, and it still has 50 % fewer
# parameters." How would you check the second half of the sentence, and what do you suspect? Why can the same not happen
# to a sliced model?

# %% [markdown] written="merge_reflection" points=2
# Count the zeros after the merge, in all pruned layers: `model_sparsity`. I suspect a plain `merge_and_unload`, which
# adds a dense product B A, so that nearly no weight is zero any more and the model is a dense one again; its perplexity
# is that of a dense model, too. In a sliced model what was pruned has no entry in the matrix: A and B have the smaller shape
# as well, so the merged weight has the same shape as before and there is no zero to fill.

# %% [markdown] answer
# **Rubric (2 points).** One point for counting zeros after the merge and naming the dense product as the reason they
# are gone. One for the sliced model: shapes, not zeros, carry the pruning, and LoRA takes the shape of the layer.

# %% [markdown]
# ## Question 2
#
# We trained the *dense* model in the same way (32 steps, same text, same settings, three draws). It was not pruned,
# and yet its perplexity on the evaluation years fell, from 23.95 to 21.70, 21.71 and 21.66. What did it learn? What does that say about
# the sentence "LoRA took back half of what pruning cost", and how would you say or measure it more fairly?

# %% [markdown] written="control_reflection" points=3
# It learned the style of the text: addresses of other years have the same speaker's phrases, applause and paragraphs, and
# the model was never trained on much of that. So part of the fall of the pruned models is adaptation to this kind of text and
# not recovery from pruning. A fair comparison gives the dense model the same training: before it pruning by Wanda cost 49.05
# against 23.95, a factor of 2.05, and after it 35.77 against 21.70, a factor of 1.65. That is a good part of it, and less than
# it looked. Or one measures on text of another kind than the training text, or on tasks, as the report does.

# %% [markdown] answer
# **Rubric (3 points).** One point for adaptation to the kind of text (domain, style) as what the dense model learned.
# One for the consequence: the gain of the pruned model mixes recovery with adaptation. One for a fair design: a dense
# control trained likewise, or evaluation on other text or tasks.

# %% [markdown]
# ## 6.4 masked_lora_forward ★
#
# **Goal** train what will be merged: LoRA under the mask. | **Points** none, for the fun of it | **Minutes** 10
#
# ### One mask for both paths
#
# While 6.3 trains, LoRA's path is open: $BA$ works at dropped places, too, and the merge throws that part away. The mask
# can be there from the first step instead:
#
# $$y = x\, \bigl((W + s\,BA) \odot M\bigr)^{\top}.$$
#
# So what is trained is what is merged (*SparsePEFT* in Muñoz et al. 2024). Dropped places add nothing, and they teach
# nothing: the gradient that reaches $BA$ is masked as well,
#
# $$\frac{\partial L}{\partial (BA)} = s\, \Bigl(\frac{\partial L}{\partial y}\Bigr)^{\top} x \odot M.$$
#
# Autograd does that by itself, as long as it sees the mask. The price: the mask has the shape of $W$, so $BA$ must be
# formed in every step. (Or go one rank at a time, with the mask in between.)
#
# By hand: `weight` [[1, 0]], `mask` [[True, False]], `a` [[1, 1]], `b` [[2]], scaling 1 and `x` [1, 1]. $BA$ is
# [[2, 2]]. `lora_forward` gives 1 + 4 = 5. The merged weight is [[3, 0]] and gives 3, and so must this function.
#
# The arguments are those of `lora_forward`, and then `mask`, bool [out, in]. It decides, as in 6.2, for `weight` and for
# $BA$ alike.
#
# <details><summary>Hint 1</summary>
#
# The line of 6.2 makes the matrix, and `x` times its transpose is the output.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Autograd sees a product with the mask, `torch.where` and `masked_fill`. It does not see what is done to `.data` or
# under `torch.no_grad()`.
#
# </details>


# %% exercise="masked_lora_forward"
def masked_lora_forward(
    x: torch.Tensor,
    weight: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    scaling: float,
    mask: torch.BoolTensor,
) -> torch.Tensor:
    """The output of a frozen linear layer with LoRA, both under the mask, so that gradients are masked as well.

    x: [..., in_features]; weight: [out_features, in_features]; a: [r, in_features]; b: [out_features, r];
    mask: bool [out, in], True = keep. Returns [..., out_features]. Source: Muñoz et al. 2024, SparsePEFT.
    """
    ### BEGIN SOLUTION
    return x @ ((weight + scaling * b @ a) * mask).T
    ### END SOLUTION


# %% check="masked_lora_forward" points=0
check.masked_lora_forward(masked_lora_forward)

# %% [markdown]
# ### What the merge throws away
#
# One layer of the dense model loses half of its weights to Wanda. Its LoRA learns, on one window, to give the dense
# layer's outputs again: once with an open path, once under the mask.

# %% experiment
masked = sliced = patients = None  # memory for one model at a time
dense = models.load()
linear = dense.model.layers[depth // 2].mlp.down_proj


def inputs_of(window: torch.Tensor) -> torch.Tensor:
    """What reaches the layer: [L, in_features]. window: LongTensor [L]."""
    found = []
    hook = linear.register_forward_pre_hook(lambda _module, inputs: found.append(inputs[0][0]))
    with torch.no_grad():
        dense.model(window[None].to(dense.device))  # without the head
    hook.remove()
    return found[0].float()


# %% experiment
weight, x, new = linear.weight.detach().float(), inputs_of(calibration[0]), inputs_of(token_windows[0])
score = weight.abs() * x.norm(dim=0)
mask = score > score.median(dim=1, keepdim=True).values  # half of every row
pruned = weight * mask


def error(outputs: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """The squared distance from the dense layer's outputs, as a share of theirs: one number."""
    wanted = inputs @ weight.T
    return (outputs - wanted).square().sum() / wanted.square().sum()


def trained(forward) -> tuple[torch.Tensor, torch.Tensor]:
    """a [8, in] and b [out, 8] after 64 steps of AdamW."""
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(8, weight.shape[1], generator=generator).to(weight) / weight.shape[1] ** 0.5
    a, b = a.requires_grad_(), torch.zeros_like(weight[:, :8]).requires_grad_()
    optimizer = torch.optim.AdamW([a, b], lr=1e-3)
    for _ in range(64):
        optimizer.zero_grad()
        error(forward(x, pruned, a, b, 2.0), x).backward()
        optimizer.step()
    return a.detach(), b.detach()


# %% experiment
def under_the_mask(*arguments) -> torch.Tensor:
    return masked_lora_forward(*arguments, mask)


print(f"before training: error {error(new @ pruned.T, new):.2%} on new text")
rows = []
for path, forward in {"open path": lora_forward, "under the mask": under_the_mask}.items():
    a, b = trained(forward)
    as_trained, as_merged = forward(new, pruned, a, b, 2.0), new @ merge_lora(pruned, a, b, 2.0, mask).T
    thrown = (b @ a)[~mask].square().sum() / (b @ a).square().sum()
    rows.append([path, *(f"{error(y, new):.2%}" for y in (as_trained, as_merged)), f"{thrown:.0%}"])
print(columns(["", "as trained", "as merged", "of BA at dropped places"], rows))

# %% [markdown]
# Half of $BA$, by squares, lies at dropped places. The open path makes use of it, and on the course model the merge
# takes back a quarter of what it has gained. Under the mask that half is never used, and the merge costs nothing. In
# the end the two come out close to each other, as the whole model did (6.3: 36.1 under the mask, 35.7 to 35.9 with an open
# path, in two thirds of the time). That is why the given `recover` masks once, at the end.

# %% [markdown]
# ## Read on
#
# - E. Hu et al. 2022, *LoRA* ([arXiv:2106.09685](https://arxiv.org/abs/2106.09685)): section 7 looks at what was learned.
# - A. Aghajanyan et al. 2020, *Intrinsic Dimensionality Explains the Effectiveness of Language Model Fine-Tuning*
#   ([arXiv:2012.13255](https://arxiv.org/abs/2012.13255)).
# - D. Biderman et al. 2024, *LoRA Learns Less and Forgets Less*
#   ([arXiv:2405.09673](https://arxiv.org/abs/2405.09673)).
# - X. Ma et al. 2023, *LLM-Pruner* ([arXiv:2305.11627](https://arxiv.org/abs/2305.11627)): pruning, then LoRA.
# - J. P. Muñoz et al. 2024, *SQFT: Low-cost model adaptation in low-precision sparse foundation models*
#   ([arXiv:2410.03750](https://arxiv.org/abs/2410.03750)): LoRA under the mask, of 6.4.
#
# **Open question.** Our models were trained on the kind of text on which they were measured. On which text, and on how
# little of it, does a pruned model learn again what it could do on *all* texts?
#
# **Finished?** Press the button below: the lab gives its memory back, and all that you see stays. (Under `start.py`, a
# lab whose tab you closed does so by itself after half an hour.)
#
# **Next:** [lab 07, zero-shot](../07_zero_shot/07_zero_shot.ipynb) asks the pruned models questions.

# %% experiment
closing.button()
