# %% [markdown]
# # 10  Where to prune: depth, layers, and distillation
#
# Take a phone with 8 GB of memory that reads 50 GB a second. TinyLlama, with 2 bytes a weight, fills 2.2 GB. Each
# of its 22 blocks takes 88 MB and is read for every token that is written: 1.8 ms, one block after the other. Lab 05 made
# every block narrower, but left the number of steps unchanged. Here whole blocks go. In the middle of the course model, which has 30, a
# block turns its input by thirteen degrees, and some can be spared: without the one that turns least, perplexity rises
# from 24.0 to 26.4.
#
# So this lab asks *where* to prune: which blocks, and how much of each. And at the end, when six blocks are gone, the
# dense model becomes the teacher of the small one.
#
# | | |
# |---|---|
# | **You learn** | to measure what a block does, to take blocks out of a model that still saves and generates, to give each layer its own sparsity, and to train with a teacher in place of labels |
# | **You need** | lab 04 (Wanda), lab 05 (sliced models) and lab 06 (LoRA) |
# | **Level** | advanced: several steps in one function |
# | **It takes** | an hour and a half of your time; all cells together run about three minutes on two CPU cores |
# | **Sources** | Men et al. 2024, *ShortGPT*; Kim et al. 2024, *Shortened LLaMA*; Yin et al. 2024, *OWL*; Hinton et al. 2015, *Distilling the knowledge in a neural network*; Muralidharan et al. 2024, *Minitron* |

# %%
import itertools
import math
import warnings

import torch
from labsupport import check, closing, corpora, cost, expected
from labsupport import given, linears, models, plots, prompts, residual, settings
from labsupport.given import outliers
from labsupport.given.blocks import prune_blocks
from labsupport.given.input_norms import input_norms
from labsupport.given.masks import kept
from labsupport.given.perplexity import perplexity
from labsupport.table import columns
from peft import LoraConfig, get_peft_model

# %%
now = settings.current()
model, tokenizer = models.load(), models.tokenizer()
token_windows = corpora.windows(now.text, tokenizer, "evaluation", now.window, now.evaluation_windows)
calibration = corpora.windows(now.text, tokenizer, "calibration", now.window, now.calibration_windows)
batches = list(calibration[:, None])  # LongTensors [1, length]
depth = len(model.model.layers)
dense_perplexity = perplexity(model, token_windows)
print(f"{depth} blocks, perplexity {dense_perplexity:.2f}")

# %% [markdown]
# ## 10.1 block_influence
#
# **Goal** measure how much each block does. | **Points** 3 | **Minutes** 12
#
# ### How far a block turns a vector
#
# Every block reads one vector per token, and *adds* something to it:
#
#      hidden[0] --+--> block 0 --+--> hidden[1] --+--> block 1 --+--> hidden[2] ...
#                  |              |                |              |
#                  +------- + ----+                +------- + ----+
#
# This chain of vectors is the *residual stream*. If a block adds little, or adds only more of what is there, its output
# points where its input pointed. The angle between the two says how much the block did. Men et al. 2024 call this the
# *block influence*:
#
# $$\mathrm{BI}_i = 1 - \frac{1}{\text{tokens}} \sum_{\text{tokens}\ t}
#   \frac{x_{i,t} \cdot x_{i+1,t}}{\lVert x_{i,t} \rVert\, \lVert x_{i+1,t} \rVert}$$
#
# Here $x_{i,t}$ is the vector of token $t$ before block $i$, `hidden[i]`, and $x_{i+1,t}$ the one after it, `hidden[i + 1]`. Each
# token has a cosine of its own, and all tokens of all windows count alike. One loud token (lab 03) must not decide.
#
# | the block | influence |
# |---|---|
# | adds nothing, or only makes the vector longer | 0 |
# | turns it by 60 degrees | 0.5 |
# | turns it by a right angle | 1 |
# | turns it round | 2 |
#
# `hidden` is a list of tensors [B, L, hidden_size]: one before every block and one after the last, so one more than
# blocks. Compute in float32, whatever type they have: float16 ends at 65504, and squares get there soon.
#
# <details><summary>Hint 1</summary>
#
# `zip(hidden, hidden[1:])` or `itertools.pairwise(hidden)` goes through the pairs. Each pair gives one number; `torch.stack` makes a
# tensor of them.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `torch.nn.functional.cosine_similarity` takes `dim`, the axis that *vanishes*. Which shape must be left, so that each
# token has one number? Its default is another axis.
#
# </details>


# %% exercise="block_influence"
def block_influence(hidden: list[torch.Tensor]) -> torch.Tensor:
    """1 minus the mean cosine of what goes into each block and what comes out: float32 [blocks].

    hidden: blocks + 1 tensors [B, L, hidden_size], before every block and after the last one. The mean runs over
    all tokens of all windows. Source: Men et al. 2024, section 3.
    """
    ### BEGIN SOLUTION
    influences = []
    for before, after in itertools.pairwise(hidden):
        cosines = torch.nn.functional.cosine_similarity(before.float(), after.float(), dim=-1)  # [B, L]
        influences.append(1 - cosines.mean())
    return torch.stack(influences)
    ### END SOLUTION


# %% check="block_influence" points=3
check.block_influence(block_influence)

# %% [markdown]
# ### The blocks of a real model
#
# `residual.stream` runs the model on the calibration windows, and keeps what goes through it. Think first: is a block
# in the middle busier than the first one, or less busy?

# %% experiment
guess = None  # your guess: the influence of the block in the middle, from 0 (it does nothing) to 1


# %% experiment
hidden = residual.stream(model, calibration)  # depth + 1 tensors [windows, L, hidden_size]
influence = block_influence(hidden).tolist()
del hidden
plots.by_depth(
    {"block influence": dict(enumerate(influence))},
    "How far does each block turn the residual stream?",
    "block influence (log scale)",
    guess=(depth // 2, guess),
)
order = sorted(range(depth), key=lambda index: influence[index])  # the least influence first
for what, some in (("least", order[:8]), ("most", order[::-1][:4])):
    print(f"{what}: " + ", ".join(f"block {index} {influence[index]:.3f}" for index in some))
degrees = math.degrees(math.acos(1 - influence[order[0]]))
print(f"a cosine of {1 - influence[order[0]]:.3f} is an angle of {degrees:.0f} degrees")

# %% [markdown]
# On the course model blocks 3, 12 to 15, 17, 25 and 26 turn least, by 0.03 at most, and blocks 0, 1, 24 and 29 most. The first blocks turn an embedding into something that the others can read, and the last ones turn it into a guess. In between many small
# steps are taken. (The report left its first four layers and its last four alone and pruned layers
# 4 to 17. Here is a reason, though TinyLlama is another model.)
#
# Influence is cheap: one pass, no label, no gradient. But it measures what a block *does*, not whether the model needs it.
# That we can only know by taking it out.

# %% [markdown]
# ## 10.2 drop_blocks
#
# **Goal** take blocks out of a model, so that it can still be used, saved and loaded. | **Points** 3 | **Minutes** 12
#
# The blocks are a list, `model.model.layers`, a `torch.nn.ModuleList`; the model goes through it from the first to the
# last. Those of `keep`, sorted indices, stay as they are. Embeddings, the last norm and the head are not touched. Two
# things outside the list must follow.
#
# ### A block knows its number
#
# While a model writes, it keeps the keys and values of earlier tokens, one entry a block: the *KV cache* (lab 08). Each
# block finds its entry by a number that it was given when the model was made: `layer.self_attn.layer_idx`. If block 5
# becomes block 3 and still says 5, it looks for an entry that is not there, or the model takes the length of the text
# so far from an entry that stays empty. *Without* the cache nothing is wrong, perplexity is right, and so the mistake is
# easily missed. The check generates both ways.
#
# ### What the config must say
#
# From its config a saved model is built again. It must say how many blocks there are: `num_hidden_layers`. Some
# configs also hold *lists with one entry a block*: `layer_types` (Qwen2: full or sliding attention) and
# `layer_widths` (ours, of models whose blocks lab 05 cut unequally). Where there is such a list, it loses the entries of
# the blocks that go. A Llama has none: `hasattr(config, "layer_types")` asks without an error.
#
# <details><summary>Hint 1</summary>
#
# Three steps: a new `ModuleList` of the blocks that stay; new numbers; the config.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `enumerate(model.model.layers)` gives each block with its new number. `[listed[index] for index in keep]` shortens a
# list.
#
# </details>
#
# <details><summary>A smaller problem, solved</summary>
#
# A model of four blocks keeps the first and the last, `keep` is [0, 3]. Then its list is
# `torch.nn.ModuleList([first, last])`; the last block, once number 3, is number 1; and the config says 2.
#
# </details>


# %% exercise="drop_blocks"
def drop_blocks(model, keep: list[int]) -> None:
    """Leave only the decoder blocks of `keep` in the model, in place.

    keep: sorted indices. The blocks that stay are bit-identical and get new numbers from 0 on; the config says how
    many there are. Source: Men et al. 2024; Kim et al. 2024.
    """
    ### BEGIN SOLUTION
    model.model.layers = torch.nn.ModuleList([model.model.layers[index] for index in keep])
    for place, layer in enumerate(model.model.layers):
        layer.self_attn.layer_idx = place
    model.config.num_hidden_layers = len(keep)
    if hasattr(model.config, "layer_types") and model.config.layer_types:
        model.config.layer_types = [model.config.layer_types[index] for index in keep]
    if hasattr(model.config, "layer_widths") and model.config.layer_widths:
        model.config.layer_widths = [model.config.layer_widths[index] for index in keep]
    ### END SOLUTION


# %% check="drop_blocks" points=3
check.drop_blocks(drop_blocks)

# %% [markdown]
# ### Does influence tell who is needed?
#
# Take each block out alone, and measure by how much the loss rises on three short windows. `residual.twin` copies a model
# that *shares* all weights with the first: a shorter list costs no memory. And the blocks before the one that goes do as
# before, so their work is done once: what came into the block goes straight into the next one.


# %% experiment
def without(gone: list[int]):
    """The course model without these blocks; it shares its weights with the dense one."""
    smaller = residual.twin(model)
    drop_blocks(smaller, [index for index in range(depth) if index not in gone])
    return smaller


# %% experiment
short = token_windows[:3, : now.window // 4].to(model.device)  # [3, 128]
hidden = residual.stream(model, short)  # what comes into each block, and what leaves the last one


@torch.no_grad()
def losses_of(blocks, states: torch.Tensor) -> torch.Tensor:
    """The mean loss of each window, [3], when these hidden states go through these blocks."""
    logits = (blocks(inputs_embeds=state[None], use_cache=False).logits[0, :-1].float() for state in states)
    losses = [
        torch.nn.functional.cross_entropy(each, ids[1:]) for each, ids in zip(logits, short, strict=True)
    ]
    return torch.stack(losses).cpu()


whole = losses_of(model, hidden[0])
behind = (without(list(range(place + 1))) for place in range(depth))  # the blocks after each
rises = torch.stack(
    [losses_of(*each) - whole for each in zip(behind, hidden[:-1], strict=True)]
)  # [depth, 3]
rise = dict(enumerate(rises.mean(dim=1).tolist()))
hidden = None  # memory for what follows

# %% experiment
plots.by_depth(
    {"block influence": dict(enumerate(influence)), "rise of the loss without it, in nats": rise},
    "What a block does, and what is lost without it",
    "influence, or nats (log scale)",
)
by_rise = sorted(range(depth), key=lambda index: rise[index])
measures = [torch.tensor(influence), rises.mean(dim=1), *rises.T]  # 5 of [depth]
ranks = torch.stack([each.argsort().argsort().double() for each in measures])  # [5, depth]
with_influence = [f"{value:.2f}" for value in torch.corrcoef(ranks)[0, 1:].tolist()]
print(f"rank correlation of the two: {with_influence[0]}; by single windows {', '.join(with_influence[1:])}")
worst = max(rise, key=rise.get)
print(
    f"most is lost without block {worst}: {rise[worst]:.2f} nats, perplexity {math.exp(rise[worst]):,.1f} times as high"
)

# %% [markdown]
# A high rank correlation says that the cheap measure finds the blocks that can be spared. Do the three windows agree? It
# does not say what their absence costs: that is in nats, and only the second curve has it.

# %% [markdown]
# ### Fewer blocks, or narrower ones?
#
# Now one, three and six blocks go, those of least influence, all chosen from the dense model. Against them stand the slices of lab 05, by
# taylor, in all blocks but the first and last four. How long does a model take to read one token, and 128? Each
# time is measured in turns with the dense model's.

# %% experiment
guess = None  # your guess: the perplexity without the six blocks of least influence; dense has 24


# %% experiment
@torch.no_grad()
def time_of(smaller, ids: torch.Tensor) -> float:
    """The median time of one pass over ids [1, L] over the dense model's, measured in turns."""
    actions = {"dense": lambda: model(ids, use_cache=False), "smaller": lambda: smaller(ids, use_cache=False)}
    times = cost.latencies(actions, repeats=15 if ids.shape[1] == 1 else 3)
    return times["smaller"][0] / times["dense"][0]


def measured(smaller) -> dict[str, float]:
    """What a smaller model lost, its perplexity, and its time for 1 token and for 128 over the dense model's."""
    gone = sum(weight.numel() for weight in model.parameters()) - sum(w.numel() for w in smaller.parameters())
    found = {"M weights gone": gone / 1e6, "perplexity": perplexity(smaller, token_windows)}
    for name, count in (("one token", 1), ("128 tokens", 128)):
        found[f"time, {name}"] = time_of(smaller, token_windows[:1, :count].to(model.device))
    return found


# %% experiment
counts = [max(1, depth * share // 30) for share in (1, 3, 6)]  # 1, 3 and 6 of 30
inner = range(depth * 2 // 15, depth - depth * 2 // 15)  # as in lab 05
blocks = {f"{count} gone": measured(without(order[:count])) for count in dict.fromkeys(counts)}

# %% experiment
slices = {}
for ratio in (0.2, 0.3):
    model = sliced = None  # memory for one model at a time
    sliced = models.load()
    with warnings.catch_warnings(action="ignore"):  # neither ratio is a whole head, and it would say so
        prune_blocks(sliced, ratio, inner, "taylor", batches)
    model = models.load()
    slices[f"{ratio:.0%}"] = measured(sliced)
sliced = None

# %% experiment
series = {"whole blocks": blocks, "slices by taylor": slices}
points = {
    name: {model_: (each["time, one token"], each["perplexity"]) for model_, each in every.items()}
    for name, every in series.items()
}
last = list(blocks.values())[-1]
plots.perplexity_against_time(
    points,
    dense_perplexity,
    "Perplexity against the time for one token",
    guess=(last["time, one token"], guess),
)
for name, every in series.items():
    for which, each in every.items():
        saved = 100 * (1 - each["time, one token"]) / each["M weights gone"]
        print(f"{name}, {which:6} {saved:.2f} % of the time of one token saved per million weights")

# %% experiment
rows = [
    [name, which, *(f"{value:.2f}" for value in each.values())]
    for name, every in series.items()
    for which, each in every.items()
]
print(columns(["", "", *last], rows))

# %% [markdown]
# On the course model slices cost less perplexity per weight: they take a little from everywhere, and a gradient chose what. Time is another
# matter: read the lines above. A block that is gone takes its norms, its attention and a dozen calls with it, and the
# matrices that stay are as large as before, which is what processors like. (Kim et al. 2024 find on GPUs, for few texts at
# a time, that narrower matrices hardly save any time at all.) Which is better depends on what you wait for: compare points at equal *time*.
#
# The lowest influences lie close together, so the windows decide who goes. By the first calibration window alone the six
# are blocks 3, 12 to 15 and 17, and the perplexity without them is 49.1. **What if** they were chosen one at a time, each
# by the influence in the model that is left? Or by `rise`? Try `perplexity(without(by_rise[:6]), token_windows)`.

# %% [markdown]
# ## Question 1
#
# The report prunes layers 4 to 17 of TinyLlama's 22, each by the same ratio, and leaves the others whole. Which of your
# measurements speaks for such a choice, and which one would you still want to have? And a colleague says:
# "We removed 20 % of the weights of every block, so it is 20 % faster." Which two things in your table speak against it?

# %% [markdown] written="where_reflection" points=3
# Influence is lowest in the middle and highest at the ends, so the ends should stay whole; the rise of the loss without each block says by how much. What is still missing: the same measurement on TinyLlama itself (another model, 22 layers), and the perplexity with the
# outer layers pruned too at an equal number of weights, because low influence of a *block* does not say that its *channels* can be spared.
# The colleague: time does not follow the weights. The head and embeddings were not pruned and take their share of each token, so 20 % of the blocks are
# less than 20 % of the weights. And slices leave all 30 steps with their norms, attention and calls: the table's times show by how much less
# that is; a block that goes takes all of this with it.

# %% [markdown] answer
# **Rubric (3 points).** One point for influence (or the loss without each block) being low in the middle and high at the ends, as the reason to leave
# the ends whole. One for a sensible missing measurement: TinyLlama's own influences, or pruning the ends at equal count, or channels
# instead of blocks. One for both objections to the colleague: parts that were not pruned (head, attention) and fixed costs per
# block, shown by the measured times; half a point for one of the two.

# %% [markdown]
# ## 10.3 layer_budgets
#
# **Goal** give every layer its own sparsity. | **Points** 4 | **Minutes** 15
#
# Between "all of a block" and "the same of every block" lies a third way: zeros everywhere, but more of them where they hurt
# less. Yin et al. 2024 (*OWL*, outlier-weighed layerwise sparsity) look at Wanda's scores. A score
# far above the mean of its layer is an *outlier*, and a layer with many outliers should keep more.
#
# ### From a ratio to a budget
#
# `outlier_ratio` [layers] is the share of scores in each layer that are above five times the layer's mean. Let
# $d_i = \mathrm{mean}(r) - r_i$ be the distance of layer $i$ *below* the mean ratio. Its budget, the share of weights that are dropped, is
#
# $$s_i = S + \lambda\, \frac{d_i}{\max_j \lvert d_j \rvert}$$
#
# with the overall sparsity $S$ and the spread $\lambda$. So:
#
# * the mean of all budgets is exactly $S$, because the distances from a mean add up to zero;
# * no budget is further than $\lambda$ from $S$, and the layer furthest from the mean is exactly that far;
# * more outliers, lower budget; equal ratios, equal budgets.
#
# With ratios of 1, 2, 3 and 6 %, $S$ = 0.5 and $\lambda$ = 0.09, the mean is 3 %, the distances are 2, 1, 0 and -3, and the budgets 0.56, 0.53, 0.5
# and 0.41.
#
# (The paper asks for both, the mean and the distance of at most $\lambda$. Its published code stretches the *range* of the ratios to $2\lambda$
# and then shifts the mean to $S$. With ratios like ours, one far above the others, it gives 0.572, 0.536, 0.5 and 0.392 in our
# example: the last is more than $\lambda$ away.)
#
# ### At the ends of the range
#
# A budget is a share, from 0 to 1. At $S$ = 0.95 and $\lambda$ = 0.08 the formula may ask for 1.03. Whoever clips that to 1
# lowers the mean: the others must take over what the clipped layer could not. The simplest way is a smaller $\lambda$,
# so small that nothing needs to be clipped; any other way that keeps the order, the distance and the mean is right as well. And where all ratios
# are equal, every distance is 0 and so is the largest: then each layer gets $S$.
#
# <details><summary>Hint 1</summary>
#
# First the distances and the largest of them, then the case where that is 0, then the formula.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# How far is $S$ from the nearer end of the range? No budget may be further from $S$ than that, and none further than
# $\lambda$. `torch.full_like` makes a tensor of one number in the shape of another tensor.
#
# </details>
#
# <details><summary>A smaller problem, solved</summary>
#
# Three runners took 10, 11 and 15 minutes. Who gets how many of 60 points, if the mean must be 20 and nobody may be further from
# it than 6? The mean time is 12, the distances below it are 2, 1 and -3, and the largest is 3. A minute is worth 6 / 3 = 2 points: 24,
# 22 and 14.
#
# </details>


# %% exercise="layer_budgets"
def layer_budgets(outlier_ratio: torch.Tensor, sparsity: float, spread: float = 0.08) -> torch.Tensor:
    """A sparsity for every layer, lower where outliers are many: float32 [layers].

    outlier_ratio: float32 [layers]; sparsity: the mean of the budgets, 0 to 1; spread: how far a budget may be
    from it. All budgets lie from 0 to 1. Source: Yin et al. 2024, section 3.
    """
    ### BEGIN SOLUTION
    if outlier_ratio.min() == outlier_ratio.max():
        return torch.full_like(outlier_ratio, sparsity)
    below = outlier_ratio.mean() - outlier_ratio  # [layers], above 0 where outliers are few
    spread = min(spread, sparsity, 1 - sparsity)
    return sparsity + spread * below / below.abs().max()
    ### END SOLUTION


# %% check="layer_budgets" points=4
check.layer_budgets(layer_budgets)

# %% [markdown]
# ### Does it pay on this model?
#
# At 60 % Wanda has 130 here, so there is something to win. A rule that claims to know where outliers sit should win
# against equal budgets, and its reverse should lose: that is the control.

# %% experiment
norms = input_norms(model, batches)


def masks_of(budgets: list[float]) -> dict[str, torch.Tensor]:
    """Wanda's masks, each layer with the sparsity of its block."""
    return {
        name: kept(linear.weight.abs() * norms[name], budgets[int(name.split(".")[2])])
        for name, linear in linears.pruned_linears(model).items()
    }


# %% experiment
guess = None  # your guess: the highest outlier ratio of a block, in percent

# %% experiment
ratio = outliers.ratios(model, norms).cpu()  # [blocks]: the share of scores above five times the block's mean
plots.by_depth(
    {"scores above five times their mean": dict(enumerate((100 * ratio).tolist()))},
    "Outliers among the Wanda scores of each block",
    "percent (log scale)",
    guess=(int(ratio.argmax()), guess),
)
budgets = layer_budgets(ratio, 0.6)
low, high = int(budgets.argmin()), int(budgets.argmax())
print(
    f"budgets from {budgets[low]:.3f} in block {low} to {budgets[high]:.3f} in block {high}, mean {budgets.mean():.4f}"
)

# %% experiment
chosen = {"equal": torch.full_like(budgets, 0.6), "OWL": budgets, "OWL reversed": 1.2 - budgets}
owl = {}
for name, each in chosen.items():
    with linears.masked(model, masks_of(each.tolist())):
        owl[name] = perplexity(model, token_windows)
        print(
            f"Wanda 60 %, {name:12} budgets: perplexity {owl[name]:6.1f}, {linears.model_sparsity(model):.2%} zeros"
        )

# %% [markdown]
# The ratio says something if its own order beats equal budgets *and* the reversed order loses. On the course model it is the
# other way round: OWL's budgets lose to equal ones, and the reversed ones win. Outliers grow with depth here, from half a percent to
# more than two, and yet it is the later blocks that can lose more. A rule that helps one model may harm another, and only the control shows it.
# (OWL's gains were measured at 70 % and on models fifty times as large.)

# %% [markdown]
# ## 10.4 distill_loss
#
# **Goal** measure how far a student's guesses are from a teacher's. | **Points** 3 | **Minutes** 12
#
# ### Soft targets
#
# A label says which token came, one of 49,152. A teacher says how likely *every* token was: after "the State of the", "Union" at
# 99 %, and what it would have expected otherwise. Much more can be learned from that (Hinton et al. 2015).
#
# Let $p$ be the student's guess of a token and $q$ the teacher's, both softened by a temperature $T$, `softmax(logits / T)`. The distance
# of the two is the Kullback-Leibler divergence
#
# $$\mathrm{KL}(q, p) = \sum_{\text{tokens}\ v} q_v\, (\ln q_v - \ln p_v).$$
#
# It is zero where both guess alike, and never below. The loss is its *mean over all guesses that have a target*, times $T^2$. As in lab 01
# the last guess of every window has none: $B\,(L - 1)$ guesses count. Student and teacher guess the same token at the same position, so
# neither is shifted. `token_ids` [B, L] say how many targets there are. *Which* tokens they are does not matter here.
#
# Logits are [B, L, V] and may come in half precision: compute in float32, and take the log-softmax in one step.
#
# ### Why T squared
#
# Divided by $T$, the logits of the student reach the loss more weakly by a factor $1/T$, and the difference of two softened guesses is smaller, again by about $1/T$.
# Without a factor, a temperature of 10 would mean gradients a hundred times smaller. $T^2$ gives them back their size, so that the learning rate need not change with $T$.
#
# ### Who learns
#
# The teacher is a target, like a label. No gradient may reach it: `detach()`.
#
# <details><summary>Hint 1</summary>
#
# Leave the last position out of both, make one axis of windows and positions, divide by T, `log_softmax`: the same four
# steps for both. Then the sum over the vocabulary, and the mean over the guesses.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Whoever takes `torch.nn.functional.kl_div` should read what it expects as its first and as its second argument, and what its
# reductions divide by: `mean` by the vocabulary, too, `batchmean` by the size of the *first axis*.
#
# </details>
#
# <details><summary>A smaller problem, solved</summary>
#
# A coin shows heads with q = 3/4, and you say p = 1/2. The divergence is 3/4 ln(3/2) + 1/4 ln(1/2), a positive number; with
# `q = torch.tensor([0.75, 0.25])` and `p = torch.tensor([0.5, 0.5])` it is `(q * (q.log() - p.log())).sum()`.
#
# </details>


# %% exercise="distill_loss"
def distill_loss(
    student_logits: torch.Tensor, teacher_logits: torch.Tensor, token_ids: torch.Tensor, temperature: float
) -> torch.Tensor:
    """T squared times the mean divergence of the student's guesses from the teacher's: float32 [].

    Logits: [B, L, V]; token_ids: LongTensor [B, L]. The mean runs over the B * (L - 1) guesses that have a target, as in
    lab 01. The teacher gets no gradient. Source: Hinton et al. 2015, section 2.
    """

    ### BEGIN SOLUTION
    def guesses(logits: torch.Tensor) -> torch.Tensor:
        return (logits[:, :-1].float() / temperature).log_softmax(dim=-1)  # [B, L - 1, V]

    student, teacher = guesses(student_logits), guesses(teacher_logits.detach())
    divergence = (teacher.exp() * (teacher - student)).sum()
    return temperature**2 * divergence / token_ids[:, 1:].numel()
    ### END SOLUTION


# %% check="distill_loss" points=3
check.distill_loss(distill_loss)

# %% [markdown]
# ## 10.5 distill
#
# **Goal** let a smaller model learn from the dense one. | **Points** 4 | **Minutes** 18
#
# ### A step of distillation
#
# It is lab 06's loop with another loss. LoRA matrices of rank 8 stand beside every Linear of the student's decoder layers; all else is
# frozen. For each batch:
#
# 1. the teacher guesses, under `torch.no_grad()`: it keeps nothing for a backward pass;
# 2. the student guesses;
# 3. `distill_loss` at $T = 2$ goes back into the LoRA matrices, and the optimiser takes a step.
#
# When all steps are done, the matrices are merged. The teacher is afterwards what it was before, bit for bit. `batches` are LongTensors [B, L] on the CPU, wherever
# the models are; a step is one batch and one update; after the last batch, start again with the first. Return one loss a step, as plain
# numbers. The student is a smaller model, not a masked one: there are no zeros to keep.
#
# <details><summary>Hint 1</summary>
#
# Begin with your `recover` of lab 06. Two lines of its loop change, and the masks are not needed.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `model(input_ids=batch).logits` are the guesses of either. The optimiser gets the weights of `lora.parameters()` that require
# gradients, and no others.
#
# </details>


# %% exercise="distill"
def distill(student, teacher, batches: list[torch.Tensor], steps: int, learning_rate: float) -> list[float]:
    """Train LoRA matrices (r = 8) in the student on the teacher's guesses at T = 2, and merge them, in place.

    batches: LongTensors [B, L] of token ids, begun again when there are more steps than batches. Returns the loss of every
    step. The teacher does not change; no adapter is left in the student. Source: Muralidharan et al. 2024.
    """
    ### BEGIN SOLUTION
    names = list(linears.pruned_linears(student))
    lora = get_peft_model(student, LoraConfig(r=8, lora_alpha=16, target_modules=names))
    trained = [weight for weight in lora.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=learning_rate)
    losses = []
    for batch in itertools.islice(itertools.cycle(batches), steps):
        batch = batch.to(student.device)
        with torch.no_grad():
            wanted = teacher(input_ids=batch).logits
        loss = distill_loss(lora(input_ids=batch).logits, wanted, batch, temperature=2.0)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    lora.merge_and_unload()
    return losses
    ### END SOLUTION


# %% [markdown]
# The check lets your function teach three tiny students, and compares their guesses with the teacher's itself.

# %% check="distill" points=4
check.distill(distill)

# %% [markdown]
# ### A teacher, or labels?
#
# The student lacks the six blocks of least influence. It is trained twice, from the same beginning, on the same windows, with as many steps: once
# on labels, as in lab 06, and once on the guesses of the dense model. `labsupport.given.distillation` does what your function does, with the
# schedule of the learning rate that lab 06's has. A step takes longer with a teacher, because it has to guess, too.

# %% experiment
guess = None  # your guess: the perplexity of the student that learned from the teacher; the teacher has 24


# %% experiment
from labsupport.given import distillation, lora

steps, length = 16, now.window // 2
practice = corpora.windows(now.text, tokenizer, "calibration", length, steps)[:, None]  # [steps, 1, length]
gone = order[: counts[-1]]


def student():
    """The model without these blocks, with weights of its own: training changes them in place."""
    smaller = models.load()
    drop_blocks(smaller, [index for index in range(depth) if index not in gone])
    return smaller


# %% experiment
pupil = student()
before = perplexity(pupil, token_windows)
texts = {"dense": prompts.written(model, tokenizer), "before": prompts.written(pupil, tokenizer)}
losses = {"labels": lora.recover(pupil, list(practice), steps, 1e-3)}
after = {"labels": perplexity(pupil, token_windows)}
texts["labels"] = prompts.written(pupil, tokenizer)

# %% experiment
pupil = None  # memory for teacher and one student
pupil = student()
losses["teacher"] = distillation.distill(pupil, model, list(practice), steps, 1e-3)
after["teacher"] = perplexity(pupil, token_windows)
texts["teacher"] = prompts.written(pupil, tokenizer)

# %% experiment
plots.before_and_after(
    {f"learned from {name}": (before, value) for name, value in after.items()}, dense_perplexity,
    f"Perplexity of a model without {len(gone)} blocks, before and after {steps} steps", "perplexity",
    guess=(1, guess),
)  # fmt: skip
for name, value in after.items():
    back = (math.log(before) - math.log(value)) / (math.log(before) - math.log(dense_perplexity))
    print(f"{name}: {value:.2f}, {back:.0%} of the lost nats are back")

# %% experiment
print(prompts.side_by_side(texts))

# %% [markdown]
# These are one draw each, as in lab 06; the table below has three of ours, and labels win each time. Perplexity is
# measured on labels, which the first student was trained on and the second never saw: Question 2 asks what that means.
# And read what both write: a teacher passes on its facts and its phrases alike.
#
# **What if** the temperature were 1 or 4? `distillation.distill` takes `temperature`. And what if the student lacked one block only: is
# there anything left to learn from the teacher?

# %% [markdown]
# ## Your numbers beside ours

# %% experiment
ours = expected.depth()
mine = {
    f"{name}, {which}": each["perplexity"] for name, every in series.items() for which, each in every.items()
}
mine |= {f"Wanda 60 %, {name} budgets": value for name, value in owl.items()}
mine |= {f"{counts[-1]} gone, then by {name}": value for name, value in after.items()}
rows = []
for name, value in mine.items():
    reference, *draws = ours.get(name, ["-"])
    rows.append([name, f"{value:.2f}", reference, *(draws or ["", ""])])
print(columns(["", "yours", "reference", "seed 1", "seed 2"], rows))

# %% [markdown]
# Training repeats rounding thousands of times over, so the numbers after it may differ from ours by a percent. Times are
# your machine's.

# %% [markdown]
# ## Question 2
#
# In lab 06 the *dense* model itself, trained on labels of these years, fell from 23.95 to 21.70: labels also teach the style of a
# text. How far down can the student come that learns from the teacher, and why? So which of the two numbers says more about
# what pruning took away? Name one situation in which you would take the teacher in spite of its price.

# %% [markdown] written="teacher_reflection" points=2
# The teacher's guesses hold only what the dense model knows already: a student of it will hardly get below its 23.95.
# A student of the labels can, and its number mixes recovery with practice of the text. So the number of
# the distilled student is the cleaner measure of recovery. A teacher is worth a second forward pass when the text at hand
# is not what the model will be used for, or when there is little of it: each token then teaches a whole distribution and not one word.

# %% [markdown] answer
# **Rubric (2 points).** One point for the teacher, 23.95, as the bound of what distillation can give, with the reason, so that
# the distilled number speaks of recovery. One for a situation: other text than the one
# of use, little text, no labels of quality, keeping the dense model's behaviour (its facts, its tone, its refusals).

# %% [markdown]
# ## Read on
#
# - X. Men et al. 2024, *ShortGPT* ([arXiv:2403.03853](https://arxiv.org/abs/2403.03853)): block influence, and how many blocks large models can do without.
# - B.-K. Kim et al. 2024, *Shortened LLaMA* ([arXiv:2402.02834](https://arxiv.org/abs/2402.02834)): depth against width, in time and memory.
# - L. Yin et al. 2024, *OWL* ([arXiv:2310.05175](https://arxiv.org/abs/2310.05175)): outliers decide how sparse a layer may be.
# - S. Muralidharan et al. 2024, *Minitron* ([arXiv:2407.14679](https://arxiv.org/abs/2407.14679)): pruning, then a teacher, at the size of products.
# - G. Hinton et al. 2015, *Distilling the knowledge in a neural network* ([arXiv:1503.02531](https://arxiv.org/abs/1503.02531)).
#
# **Open question.** Blocks, heads, channels and zeros were each pruned alone, and each has its own measure. What would a single measure look like that
# says, for the next millisecond or the next megabyte, where it costs least?
#
# **Finished?** Press the button below: the lab gives its memory back, and all that you see stays. (Under `start.py`, a
# lab whose tab you closed does so by itself after half an hour.)
#
# **Next:** fewer blocks and fewer weights; and each weight with fewer bits.
# [Lab 11, on a device](../11_on_device/11_on_device.ipynb), puts the two together.

# %% experiment
closing.button()
