# %% [markdown]
# # 01  Perplexity
#
# A phone has 6 to 12 GB of memory and can spare about a tenth of it for one app, but 7 billion weights
# fill 7 GB even at one byte each. A phone that does run such a model writes 3 to 6 tokens a second;
# with a model of 125 million weights it writes 50 (Liu et al. 2024, *MobileLLM*, section 1).
#
# Pruning makes a model smaller, and worse. *How much* worse is the question of this whole course, and
# perplexity is how we answer it: one number, measured by running the model over ordinary text. In this
# lab you build that measurement from its three parts, and then find out how far the number moves when
# the model stays as it is.
#
# | | |
# |---|---|
# | **You learn** | what perplexity is, how to measure it without the usual mistakes, and what to ask before comparing two perplexities |
# | **You need** | Python and a little torch; no lab before this one |
# | **Level** | basic: tensors, their axes, sums |
# | **It takes** | an hour of your time; all cells together run about a minute and a half on two CPU cores |
# | **Sources** | Jurafsky and Martin, *Speech and Language Processing*, ch. 3; D. Shin, *On-Device AI* lab deck on LLM pruning (Sungkyunkwan University), its perplexity slide; K. D. Herbst and S. Viet, report on pruning TinyLlama (FOM, 2025), section 4 |

# %%
import math
from itertools import pairwise

import torch
from labsupport import check, closing, corpora, expected, given, models, plots, settings
from labsupport.progress import bar
from labsupport.table import columns

# %% [markdown]
# ## A language model is a guesser
#
# Given some tokens, a language model says of *every* token of its vocabulary how probable it is as
# the next one. It says so in *logits*, one real number per token of the vocabulary; softmax turns
# them into probabilities.

# %%
now = settings.current()
model, tokenizer = models.load(), models.tokenizer()
prompt = torch.tensor(tokenizer("The capital of France is")["input_ids"])
with torch.no_grad():
    logits = model(prompt[None].to(model.device)).logits  # [1, length, vocabulary]
print("tokens", len(prompt), "  logits", tuple(logits.shape))

# %% experiment
p = logits[0, -1].float().softmax(dim=-1)  # [vocabulary]: guesses of what comes after the last token
best = p.topk(5)
rows = [
    [repr(tokenizer.decode([token])), f"{value:.3f}", f"{-math.log(value):.2f}"]
    for value, token in zip(best.values.tolist(), best.indices.tolist(), strict=True)
]
print(columns(["next token", "p", "-ln p"], rows))

# %% [markdown]
# The last column is what a guess *costs* if that token is the one that comes: its **negative
# log-likelihood** (NLL), $-\ln p$. A confident, correct guess costs nothing; a token given
# probability zero costs infinitely much. Add up what a text $x_1, \dots, x_T$ costs, divide by the
# number of tokens that were guessed, and undo the logarithm: that is perplexity.
#
# $$\mathrm{PPL} = \exp\left( -\frac{1}{N} \sum_{t} \ln p(x_t \mid x_{<t}) \right)$$
#
# Read it as a number of choices. A fair coin has perplexity 2, a fair die 6, and a model that knows
# nothing about its $V$ tokens has perplexity $V$:

# %% experiment
for choices in (2, 6, len(tokenizer)):
    p = torch.full((100,), 1 / choices, dtype=torch.float64)  # 100 guesses, all alike
    cost = -p.log().mean().item()
    print(f"{choices:>6} equally likely choices: {cost:6.3f} nats a token, perplexity {math.exp(cost):,.1f}")

# %% [markdown]
# A model can't read a text of any length at once, so the text is cut into *windows*, each is read on its
# own, and all of them are scored together. Cut, score one, score all: these are the three exercises.

# %% [markdown]
# ## 1.1 windows
#
# **Goal** cut a text into windows of equal length. | **Points** 2 | **Minutes** 10
#
# ### Equal pieces, and the rest goes
#
# A text of $T$ tokens holds $n = \lfloor T / L \rfloor$ whole windows of $L$ tokens:
#
# $$\mathrm{windows}[i, j] = \mathrm{tokens}[\, i L + j \,], \qquad 0 \le i < n,\; 0 \le j < L.$$
#
# The $T - nL$ tokens at the end that fill no window are dropped. It is tempting to keep them, but a
# short window would have to be filled up, and then the filler is scored as if it were text.
# Windows do not overlap either: no token is counted twice.
#
# Shapes: `[T]` in, `[n, L]` out, the same integers in the same order. A text shorter than one window
# cannot be measured: that is a `ValueError`, not an empty result that becomes `nan` later.
#
# <details><summary>Hint 1</summary>
#
# Find $n$ first, then keep only the tokens that belong to whole windows. What is left has exactly
# $n \cdot L$ of them.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `//` divides and rounds down. `view` or `reshape` lays a row out in rows of a rectangle, in order, and
# copies nothing. `view(length, n).T` has the right shape too: print it for `torch.arange(12)`.
#
# </details>


# %% exercise="windows"
def windows(token_ids: torch.LongTensor, length: int) -> torch.LongTensor:
    """Cut a text into windows, without overlap; the ragged tail is dropped.

    token_ids: [T]. Returns [T // length, length], still int64.
    Raises ValueError for a text shorter than one window.
    """
    ### BEGIN SOLUTION
    n = len(token_ids) // length
    if n == 0:
        raise ValueError(f"a text of {len(token_ids)} tokens holds no window of {length}")
    return token_ids[: n * length].view(n, length)
    ### END SOLUTION


# %% check="windows" points=2
check.windows(windows)

# %% experiment
text = corpora.tokens(now.text, tokenizer, "evaluation")[: now.window * now.evaluation_windows]
token_windows = windows(text, now.window)
print(f"{len(token_windows)} windows of {now.window} tokens; the first begins with")
print(repr(tokenizer.decode(token_windows[0, :20])))

# %% [markdown]
# This is the course's evaluation text. Every perplexity of the later labs is measured on just these
# windows, so that two numbers differ only because two models do.

# %% [markdown]
# ## 1.2 window_nll
#
# **Goal** add up what the tokens of a batch of windows cost. | **Points** 4 | **Minutes** 15
#
# ### Every token is guessed from those before it
#
# One pass over a window gives logits at *every* position, and the logits at position $t$ are the guess
# of the token that comes **next**:
#
#     position      0        1        2        3
#     token         The      cat      sat      down
#     logits guess  cat      sat      down     (beyond the window)
#
# So tokens and logits are *shifted* by one place. Of $L$ positions the last has no target in this window, and
# of $L$ tokens the first was never guessed: $L - 1$ targets a window, $B(L-1)$ in a batch of $B$.
#
# $$\mathrm{nll} = -\sum_{b=1}^{B} \sum_{t=0}^{L-2}
#   \ln \mathrm{softmax}\big(\mathrm{logits}[b, t]\big)\big[\mathrm{token}[b, t+1]\big]$$
#
# If you forget the shift, you score the model on the token that it has just read. If you shift twice (by
# hand, and again inside a loss that shifts for you), you score it on the token after the next one. Neither
# raises an error: both give a number that looks like a perplexity.
#
# Shapes: logits `[B, L, V]`, token_ids `[B, L]`, out: a scalar tensor and an `int`. Return the
# **sum** and the **count**, not the mean: sums can be added up over batches, means cannot.
# And make logits float32 *first*: a model in half precision gives logits with about 3 digits, and a
# sum in float16 overflows above 65,504.
#
# <details><summary>Hint 1</summary>
#
# Two slices along the length: all positions but one, all tokens but one. Which one is left out on
# which side? Then every remaining row of logits has its own target at the same place.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `torch.nn.functional` has a loss that takes the logarithm of the softmax, picks each target's entry and
# turns the sign, all in one. It averages unless you say otherwise. Taking `softmax` and then `log` breaks
# when a probability rounds to 0. `numel()` of a tensor is an `int`.
#
# </details>
#
# <details><summary>A smaller problem, solved</summary>
#
# Two guesses among three tokens, without windows and without a shift between guess and target:
#
#     rows = torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # [N, V] = [2, 3]
#     targets = torch.tensor([0, 1])                           # [N]
#     torch.nn.functional.cross_entropy(rows, targets, reduction="sum")  # 0.24 + 1.55 = 1.79
#
# Your logits have one axis more. Slice first; then `flatten(0, 1)` lays all windows one below the other.
#
# </details>


# %% exercise="window_nll"
def window_nll(logits: torch.Tensor, token_ids: torch.LongTensor) -> tuple[torch.Tensor, int]:
    """What the tokens of a batch of windows cost, each guessed from those before it.

    logits: [B, L, V], the logits at t guess token t + 1. token_ids: [B, L].
    Returns the sum of the negative log-likelihoods in nats, a float32 scalar, and the number of
    targets, B * (L - 1). The sum is float32 whatever logits is.
    """
    ### BEGIN SOLUTION
    guesses, targets = logits[:, :-1], token_ids[:, 1:]  # [B, L-1, V], [B, L-1]
    nll = torch.nn.functional.cross_entropy(guesses.float().flatten(0, 1), targets.flatten(), reduction="sum")
    return nll, targets.numel()
    ### END SOLUTION


# %% check="window_nll" points=4
check.window_nll(window_nll)

# %% experiment
with torch.no_grad():
    nll, count = window_nll(model(prompt[None].to(model.device)).logits, prompt[None].to(model.device))
print(f"{len(prompt)} tokens, {count} targets, {nll:.2f} nats in all: perplexity {math.exp(nll / count):.1f}")

# %% [markdown]
# Four targets say little: another sentence may give a very different number. That is why a
# perplexity is measured on thousands of targets.

# %% [markdown]
# ## 1.3 perplexity
#
# **Goal** one number for a model and all its windows. | **Points** 4 | **Minutes** 15
#
# ### One exp, at the very end
#
# Let window $i$ cost $\mathrm{nll}_i$ on $N_i$ targets. All targets count alike:
#
# $$\mathrm{PPL} = \exp\left( \frac{\sum_i \mathrm{nll}_i}{\sum_i N_i} \right)$$
#
# Add first, divide once, exponentiate once. The average of the windows' *own* perplexities is
# another number, and always a higher one, because exp is convex: one hard window outweighs many easy
# ones.
#
# A measurement should leave no trace. Three things to look after:
#
# - *Eval mode.* In training mode dropout is at work and the number is a random one. Call `model.eval()`,
#   and put back the mode that you **found**, also when something fails in between.
# - *Gradients.* None are needed, and without them no graph is kept, which saves most of the memory.
#   Afterwards they must be switched on or off as before.
# - *The device.* Windows come on the CPU; the model may live elsewhere (`model.device`).
#
# Shapes: token_windows `[n, L]`, out: a Python `float`.
#
# <details><summary>Hint 1</summary>
#
# Your `window_nll` does the hard part. Go through the windows one by one (a window as a batch of one is
# `window[None]`) and keep two running totals. The logits of one window are 512 x 49,152 numbers, 100 MB: do
# not keep those of several windows.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `model.training` is a bool and `model.train(flag)` sets it. The lines below `finally:` run after an
# error, too. `with torch.no_grad():` ends by itself; `.item()` turns a scalar tensor into a float.
#
# </details>


# %% exercise="perplexity"
def perplexity(model: torch.nn.Module, token_windows: torch.LongTensor) -> float:
    """Perplexity of a causal language model over all targets of all windows.

    token_windows: [n, L], on any device; n * (L - 1) targets count alike.
    The model's mode and the state of gradients are afterwards as they were found.
    """
    ### BEGIN SOLUTION
    total, targets = 0.0, 0
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            for window in token_windows.to(model.device):
                nll, count = window_nll(model(window[None]).logits, window[None])
                total += nll.item()
                targets += count
    finally:
        model.train(was_training)
    return math.exp(total / targets)
    ### END SOLUTION


# %% check="perplexity" points=4
check.perplexity(perplexity)

# %% experiment
dense = perplexity(model, token_windows)
print(f"{now.model} on {now.text}, {len(token_windows)} windows of {now.window}: perplexity {dense:.2f}")

# %% [markdown]
# This is *the* number of the course: the model with all its weights. Whatever you drop from lab 02 on,
# you compare with it. From lab 02 on, `labsupport.given.perplexity` is given; it does what yours does.

# %% [markdown]
# ## Equal windows forgive a lot
#
# The deck measures perplexity a little differently. It takes the *mean* loss of every window, multiplies
# it by 2048, the window's length, adds up, and divides by the number of windows times 2048. But a
# window of 2048 tokens has 2047 targets. Is it wrong?
#
# Let us try losses that we make up. Each window's mean is multiplied by a *factor*; the total is divided
# by the sum of the factors:


# %% experiment
def from_means(losses: list[torch.Tensor], factors: list[float]) -> float:
    """Perplexity from every window's mean loss, weighted by its factor."""
    means = [window.mean().item() for window in losses]
    weighted = sum(factor * mean for factor, mean in zip(factors, means, strict=True))
    return math.exp(weighted / sum(factors))


equal = [torch.ones(7), 2 * torch.ones(7)]  # two windows of 8 tokens: 7 losses each
unequal = [torch.ones(7), 5 * torch.ones(1)]  # the second is a ragged tail of 2 tokens: 1 loss

# %% experiment
rows = []
for name, losses in {"equal": equal, "unequal": unequal}.items():
    targets = [len(window) for window in losses]
    right = torch.cat(losses).mean().exp().item()
    fixed, lengths = from_means(losses, [2048.0] * 2), from_means(losses, [n + 1 for n in targets])
    rows.append([name, *(f"{value:.2f}" for value in (right, fixed, lengths, from_means(losses, targets)))])
print(columns(["windows", "all targets", "factor 2048", "factor length", "factor targets"], rows))

# %% [markdown]
# With equal windows every factor gives the same result: it stands in the numerator and in the denominator and
# cancels, so 2048 is as good as 2047, as 1, as $10^6$. The deck's windows are all equal (it drops the tail, as you
# did), and so its perplexity is right.
#
# With unequal windows a mean does not say over how many targets it was taken. A fixed factor lets the one
# loss of the tail weigh as much as seven others; the window's length comes closer but still counts a
# target that isn't there; only the number of targets is right. Your `window_nll` returns a sum and a count, so
# this problem cannot arise.

# %% [markdown]
# ## Perplexity depends on the protocol
#
# Same model, same text. We now change only *how* we measure: the length of the windows, a leading
# BOS token (beginning of sequence, which some tokenizers put in front of everything and some don't),
# whether the first token of a window is scored, and how the windows are averaged.
#
# One pass for each length, with BOS and without, is enough for all of it if we note what the targets cost by
# how much context they had: 1 token before them, 2 to 3, 4 to 7, and so on. Your `window_nll` does that for any
# part of a window:


# %% experiment
@torch.no_grad()
def costs_by_context(token_windows: torch.Tensor, edges: list[int]) -> torch.Tensor:
    """NLL sums [n, len(edges) - 1]: of each window, the targets from each edge up to the next one."""
    costs = []
    for window in bar(token_windows.to(model.device)[:, None], f"windows of {token_windows.shape[1]}"):
        logits = model(window).logits  # [1, L, V]; the target at t is guessed at t - 1
        costs.append(
            [window_nll(logits[:, a - 1 : b], window[:, a - 1 : b])[0].item() for a, b in pairwise(edges)]
        )
    return torch.tensor(costs, dtype=torch.float64)


# %% [markdown]
# Five window lengths, each over the same tokens, once plain and once with BOS in front. Which token is that? In
# training, `<|endoftext|>` stood between two documents, so for our model it is the beginning of a text. Its
# tokenizer's `bos_token` is another one, `<|im_start|>`, which begins a turn of a chat. (The tiny test model
# has neither: its token 0 stands in.)
#
# Before you run it, make a guess: you know the perplexity with windows of 512. How high is it with windows
# of 64? Nobody grades a guess; it becomes a star in the figure.

# %% experiment
guess = None  # your guess: the perplexity with windows of 64 tokens

# %% experiment
bos = tokenizer.get_vocab().get("<|endoftext|>", tokenizer.bos_token_id or 0)
plain, led = {}, {}
for length in (64, 128, 256, 512, 1024):
    cut = windows(text, length)
    edges = [2**i for i in range(length.bit_length())]  # 1, 2, 4, ... length
    plain[length] = costs_by_context(cut, edges)
    bos_first = torch.cat([torch.full((len(cut), 1), bos), cut], dim=1)  # [n, length + 1]
    led[length] = costs_by_context(bos_first, [1, *(edge + 1 for edge in edges)])

# %% [markdown]
# Is one special token in front as good as another? Windows of 64, the same targets:

# %% experiment
cut = windows(text, 64)
print(f"nothing in front    perplexity {(plain[64].sum() / (len(cut) * 63)).exp():.2f}")
for token in dict.fromkeys((bos, tokenizer.bos_token_id or 0)):
    costs = costs_by_context(torch.cat([torch.full((len(cut), 1), token), cut], dim=1), [2, 65])
    print(f"{tokenizer.decode([token]):19} perplexity {(costs.sum() / (len(cut) * 63)).exp():.2f}")

# %% [markdown]
# On the course model, the chat marker helps less than half as much as `<|endoftext|>`, which the model knows from
# the beginning of a text. From here on BOS means `<|endoftext|>`.
#
# `plain` and `led` (the windows with BOS in front) hold one table for each length. In those of `led` the first
# column is new: it is the window's first token, guessed from BOS alone. The other columns are the same targets as in
# `plain`. Now we read the same costs in four ways:


# %% experiment
def over(costs: torch.Tensor, targets: int) -> float:
    """Perplexity of windows with this many targets each."""
    return (costs.sum() / (len(costs) * targets)).exp().item()


protocols = {
    "the course's protocol": {n: over(plain[n], n - 1) for n in plain},
    "BOS in front, same targets": {n: over(led[n][:, 1:], n - 1) for n in plain},
    "BOS in front, first token scored too": {n: over(led[n], n) for n in plain},
    "average of the windows' perplexities": {
        n: (plain[n].sum(dim=1) / (n - 1)).exp().mean().item() for n in plain
    },
}

# %% experiment
plots.perplexity_against_window(
    protocols, "Perplexity of one model on one text, measured in four ways", guess=(64, guess)
)

# %% experiment
rows = [[name, *(f"{value:.2f}" for value in curve.values())] for name, curve in protocols.items()]
print(columns(["perplexity at window length", *map(str, plain)], rows))

# %% [markdown]
# How far is each from the course's protocol?

# %% experiment
course = protocols["the course's protocol"]
print(f"windows of 64 in place of 1,024 tokens: {course[64] / course[1024] - 1:+.1%}")
for name, curve in list(protocols.items())[1:]:
    change = {length: curve[length] / course[length] - 1 for length in course}
    print(f"{name}: {change[64]:+.1%} with windows of 64, {change[1024]:+.1%} with windows of 1,024")

# %% [markdown]
# Why?
#
# - *Window length.* A short window loses its context again and again, and at each new start the model guesses
#   with almost none. The report names its length (2048) in the command; many papers do not.
# - *BOS* gives the first guesses a little context, and short windows have more first guesses. But the
#   first token of a window is hard to guess from BOS alone, so on the course model scoring it as well costs more than BOS saves.
#   Papers call both "with BOS".
# - *The average of the windows' perplexities* is never below the right one. It is worst for many short
#   windows, which differ most among themselves. With two long windows it is nearly right, so a quick test does
#   not show the mistake.
#
# So compare two perplexities only if one protocol measured both. On the course model, windows of 64 in place of
# 1,024 raise the number by more than dropping 30 % of the weights will in lab 02.

# %% [markdown]
# **What if** the text were another one? Write `"calibration"` for `"evaluation"` in the cell that makes `text`
# (section 1.1), and run the cells from there on again: do the four curves keep their order? Then put it back.

# %% [markdown]
# ### Where in a window are targets expensive?
#
# The same costs a last time, by context. Targets with up to 63 tokens before them are taken from the
# windows of 64, because there are most of those; the others from the shortest windows that have them.

# %% experiment
print(f"A blind guess among all {len(tokenizer):,} tokens costs {math.log(len(tokenizer)):.1f} nats.")
guess = None  # your guess: what does a target cost, in nats, with one token before it?


# %% experiment
def by_context(costs: dict[int, torch.Tensor]) -> dict[int, tuple[float, float]]:
    """Mean cost of the targets and its standard error over windows, by least context: 1, 2, 4, 8, ..."""
    found = {}
    for length, table in costs.items():
        for octave, column in enumerate(table.T[-(length.bit_length() - 1) :]):
            each = column / 2**octave  # [n], an octave from 2**i has 2**i targets
            found.setdefault(2**octave, (each.mean().item(), (each.std() / len(each) ** 0.5).item()))
    return found


costs = {"no BOS": by_context(plain), "BOS in front": by_context(led)}
plots.cost_by_context(costs, "Cost of a target, by how much text stands before it", guess=(1, guess))

# %% experiment
for name, curve in costs.items():
    told = ", ".join(f"{curve[octave][0]:.2f} from {octave}" for octave in (1, 8, 64, max(curve)))
    print(f"{name}, nats a target by the tokens before it: {told} on")

# %% [markdown]
# Every window pays for its beginning, and short windows have more beginnings: that is why the curves of the
# first figure fall. (Bars are standard errors over windows; long contexts are seen in few windows.)
#
# **What if** you averaged over fewer windows? Write `cut = windows(text, length)[:4]` in the cell that makes
# `plain` and `led`, and run the cells from there on again: how long do the bars become? Then put it back.

# %% [markdown]
# ## Your numbers
#
# The reference was measured with the course's own evaluation on a CPU in float32. Another machine
# differs in the fourth digit; "-" stands where there is no reference for your model, text or device.

# %% experiment
reference = expected.perplexity("dense").get(0.0)
rows = [["dense, the course's protocol", f"{dense:.2f}", f"{reference:.2f}" if reference else "-"]]
rows += [[f"dense, windows of 64, {name}", f"{curve[64]:.2f}", "-"] for name, curve in protocols.items()]
print(columns(["perplexity", "yours", "reference"], rows))

# %% [markdown]
# ## Written question
#
# 1. A table says: "dense model 25.6, our pruned model 24.9", and the second number comes from another
#    paper. Name **three** things about how the two were measured that you must know before you believe
#    that pruning made the model better, and say for each in which direction it could move the number.
# 2. For windows of equal length, show in one line that the average of the windows' perplexities is
#    never below the perplexity, and say when the two are equal.

# %% [markdown] written="perplexity_reflection" points=4
# 1. *Window length:* longer windows give more context and a lower perplexity. *BOS and the first
#    token:* a BOS lowers the cost of the first tokens; scoring the first token of each window raises
#    the average. *Text and split, and how it was joined:* another text is simply easier or harder, in
#    either direction. *Tokenizer:* perplexity is per token, so one that cuts words into more pieces has
#    cheaper tokens and a lower number. *Averaging:* an average of the windows' perplexities is too
#    high. *Precision, overlap:* overlapping windows give every scored token more context: lower.
# 2. With $m_i$ the mean loss of window $i$: $\frac1n \sum_i e^{m_i} \ge e^{\frac1n \sum_i m_i}$, because
#    exp is convex (Jensen; the arithmetic mean is not below the geometric one). For equal windows the
#    right-hand side is the perplexity. They are equal exactly if all windows have the same mean loss.

# %% [markdown] answer
# **Rubric.** Question 1: 2 points: three different things with a right direction each; 1 point for two
# of them, or for three without directions. Question 2: 1 point for convexity (or arithmetic against
# geometric mean) applied to the windows' mean losses; 1 point for the case of equality.

# %% [markdown]
# ## Read on
#
# - D. Jurafsky and J. H. Martin, *Speech and Language Processing*, ch. 3: perplexity from n-grams on
#   ([the book](https://web.stanford.edu/~jurafsky/slp3/)).
# - Z. Liu et al. 2024, *MobileLLM* ([arXiv:2402.14905](https://arxiv.org/abs/2402.14905)), section 1: what a
#   phone can carry.
# - O. Press et al. 2021, *Shortformer* ([arXiv:2012.15832](https://arxiv.org/abs/2012.15832)), section 2: the
#   price that early tokens of a window pay, and what overlapping windows cost.
#
# **Open question.** Two models with different tokenizers cannot be compared by perplexity per token. Per byte
# of text they can, but is a nat saved on a rare name worth as much as one saved on a comma?
#
# **Finished?** Press the button below: the lab gives its memory back, and all that you see stays. (Under `start.py`, a
# lab whose tab you closed does so by itself after half an hour.)
#
# **Next:** [lab 02, magnitude pruning](../02_magnitude_pruning/02_magnitude_pruning.ipynb) drops the first
# weights, and watches this number rise.

# %% experiment
closing.button()
