# %% [markdown]
# # 07  Zero-shot evaluation
#
# A model of a billion weights takes 2 GB in half precision, a quarter of a phone's 8 GB. At 50 GB a second the phone
# reads it 25 times a second, and so writes at most 25 tokens a second. Pruning can improve both numbers, and perplexity
# says how surprised the pruned model is by a text. Users ask something else: does it still give the right answers?
# *Zero-shot* tasks put questions with several choices to a model that was never trained on them, and count the right
# answers. In this lab you write the three numbers that such a table consists of, let the real harness measure
# a dense and two pruned models, and test whether a difference between two rows means anything.
#
# | | |
# |---|---|
# | **You learn** | how a language model answers a multiple-choice question, acc and acc_norm, standard errors, a test for two models on the same questions, and how to read a published table |
# | **You need** | lab 01 (logits, the shift) and labs 02 and 04 (the two ways of pruning) |
# | **Level** | middle: whole models, by masks, hooks and gradients |
# | **It takes** | an hour of your time; all cells together run about a minute and a half on two CPU cores |
# | **Sources** | Gao et al., *lm-evaluation-harness* (EleutherAI); Ma et al. 2023, *LLM-Pruner*; K. D. Herbst and S. Viet, report on pruning TinyLlama (FOM, 2025), chapter 5 |

# %%
import math

import torch
from labsupport import check, closing, corpora, expected, given, linears, models, plots, settings, zeroshot
from labsupport.given.input_norms import input_norms
from labsupport.table import columns
from labsupport.tasks import addresses

# %% [markdown]
# ## The questions
#
# The report's five tasks (ARC, BoolQ, HellaSwag, OpenBookQA, WinoGrande) come from the model hub. Ours comes from the
# speeches you know: the beginning of a paragraph, its true continuation, and three continuations of other paragraphs.
# A few rules keep the questions fair. Only the evaluation years are used, so that no model was calibrated on them. The
# right choice is the shortest in a quarter of the questions, the second shortest in another quarter, and so on; it
# stands first, second, third and last equally often. And every continuation is right once and wrong three times, so
# none is better on its own.

# %%
now = settings.current()
model, tokenizer = models.load(), models.tokenizer()
documents = addresses.documents()
for document in documents[:2]:
    print(f"{document['context']} ...")
    for index, choice in enumerate(document["choices"]):
        print(f"  {'->' if index == document['answer'] else '  '} {choice}")
print(f"{len(documents)} such questions; guessing gets 25 % of them")

# %% [markdown]
# Easy for you. But a language model cannot tick a box: it only gives probabilities of the next token.

# %% [markdown]
# ## 7.1 continuation_logprob
#
# **Goal** compute how likely a continuation is for a model, given its context. | **Points** 3 | **Minutes** 15
#
# ### Where the guess for a token stands
#
# The probability of a continuation $y_1, \ldots, y_n$ after a context $x$ is a product with one factor per token. Its
# logarithm is a sum:
#
# $$\log p(y \mid x) = \sum_{i=1}^{n} \log p(y_i \mid x, y_1, \ldots, y_{i-1}).$$
#
# One forward pass over context *and* continuation gives all of it, because the logits at position $t$ are the guess
# for the token at position $t + 1$. With a context of three tokens and a continuation of two:
#
# | position | 0 | 1 | 2 | 3 | 4 |
# |---|---|---|---|---|---|
# | token | $x_1$ | $x_2$ | $x_3$ | $y_1$ | $y_2$ |
# | its logits guess | $x_2$ | $x_3$ | $y_1$ | $y_2$ | what follows |
#
# Only the guesses for $y_1$ and $y_2$ count: the context is given, so its tokens are not scored. The guess of the last
# position is not needed.
#
# `context_ids` and `continuation_ids` are LongTensors [n], with at least one token each; they are on the CPU, wherever the
# model is. The result is a float, at most 0.
#
# <details><summary>Hint 1</summary>
#
# Join the two, add a batch axis, move it to `model.device`. The logits come as [1, tokens, vocabulary]. Which rows of them
# are guesses for the continuation? Take them first; then you need a log-softmax over those rows only.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The first of those rows belongs to the last token of the context, and the last row of all is not among them. Make them
# float32 before the log-softmax over the vocabulary. `gather` picks one entry of each row.
#
# </details>
#
# <details><summary>A smaller problem, solved</summary>
#
# A vocabulary of three tokens, a context of one, a continuation of one. The logits have two rows, and row 0
# is the guess for the continuation. If it is [0, 0, 0], every token has probability 1/3: `torch.zeros(1,
# 3).log_softmax(dim=-1).gather(1, torch.tensor([[2]]))` is $-\log 3$.
#
# </details>


# %% exercise="continuation_logprob"
@torch.no_grad()
def continuation_logprob(model, context_ids: torch.Tensor, continuation_ids: torch.Tensor) -> float:
    """The sum of the log-probabilities of a continuation's tokens, given the context.

    context_ids, continuation_ids: LongTensors [n], n at least 1. Natural logarithms, in float32 whatever
    the model's type is. Source: lm-evaluation-harness, loglikelihood requests.
    """
    ### BEGIN SOLUTION
    token_ids = torch.cat([context_ids, continuation_ids]).to(model.device)
    logits = model(token_ids[None]).logits[0]  # [tokens, vocabulary]
    guesses = logits[len(context_ids) - 1 : -1].float().log_softmax(dim=-1)  # [continuation, vocabulary]
    return guesses.gather(1, token_ids[len(context_ids) :, None]).sum().item()
    ### END SOLUTION


# %% check="continuation_logprob" points=3
check.continuation_logprob(continuation_logprob)

# %% [markdown]
# Let the model answer the first question. (The space between context and choice belongs to the continuation: in this
# vocabulary, words begin with their space.)

# %% experiment
document = documents[0]
context_ids = torch.tensor(tokenizer(document["context"], add_special_tokens=False)["input_ids"])
for index, choice in enumerate(document["choices"]):
    choice_ids = torch.tensor(tokenizer(" " + choice, add_special_tokens=False)["input_ids"])
    mark = "->" if index == document["answer"] else "  "
    value = continuation_logprob(model, context_ids, choice_ids)
    print(f"{mark} {value:8.2f}   {value / len(choice):6.3f} per byte   {choice}")

# %% [markdown]
# The choice with the highest number, nearest to zero, is the model's answer. But in which column? On the course model,
# in this question the sum picks the right answer and the sum per byte does not. Over all questions it is more often
# the reverse, as the harness will show. The next section says why.

# %% [markdown]
# ## 7.2 accuracies
#
# **Goal** turn log-probabilities into acc and acc_norm. | **Points** 2 | **Minutes** 10
#
# ### Long answers are unlikely
#
# Every token multiplies the probability by a number below 1, so a sum of log-probabilities falls with length. A long right
# answer may lose to a short wrong one for this reason alone. Therefore two accuracies are reported. With
# $\ell_{qc}$ the sum for choice $c$ of question $q$, and $b_{qc}$ its length in bytes,
#
# $$\mathrm{acc}:\ \arg\max_c\, \ell_{qc} \qquad\qquad \mathrm{acc\_norm}:\ \arg\max_c\, \frac{\ell_{qc}}{b_{qc}}$$
#
# must be the right choice, and each accuracy is the share of questions where it is. Why bytes and not tokens? Two models
# may cut one text into different tokens; its bytes are the same for both.
#
# Take two choices with the sums -6 and -8 and the lengths 10 and 20. By the sum the first one wins; per byte they have
# $-0.6$ and $-0.4$, and the second one wins.
#
# `logprobs` and `lengths` are [n, choices], `answers` is [n]. Where some questions have fewer choices than others, the gaps
# are filled with log-probability `-inf` and length 1: they never win.
#
# <details><summary>Hint 1</summary>
#
# Choices run along axis 1. What is left after the argmax has the shape of `answers`.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A comparison gives bool, and bool has no mean: make it float first. The second number is the first one, computed from
# other scores.
#
# </details>


# %% exercise="accuracies"
def accuracies(logprobs: torch.Tensor, lengths: torch.Tensor, answers: torch.Tensor) -> tuple[float, float]:
    """acc and acc_norm: how often the right choice has the highest sum, and the highest sum per byte.

    logprobs: float [n, choices]; lengths: int [n, choices], in bytes; answers: int [n], the index of the
    right choice. Both results are shares, 0 to 1. Source: lm-evaluation-harness, multiple-choice tasks.
    """
    ### BEGIN SOLUTION
    acc, acc_norm = (
        (scores.argmax(dim=1) == answers).double().mean().item() for scores in (logprobs, logprobs / lengths)
    )
    return acc, acc_norm
    ### END SOLUTION


# %% check="accuracies" points=2
check.accuracies(accuracies)

# %% [markdown]
# ## 7.3 standard_error
#
# **Goal** say how uncertain a measured accuracy is. | **Points** 1 | **Minutes** 5
#
# ### How far off may a share be?
#
# The questions are a sample: others of their kind would have given another accuracy. Write 1 for each right answer and 0 for each
# wrong one. The mean of these $n$ numbers is the accuracy $p$. Their squared distances from it add up to
# $n\,p\,(1-p)$, so the sample variance is $\frac{n}{n-1}\,p\,(1-p)$: divided by $n - 1$, since
# the mean was taken from the same numbers. The standard error of a mean is the root of that variance over $n$:
#
# $$\mathrm{SE} = \sqrt{\frac{p\,(1-p)}{n-1}}.$$
#
# In 95 of 100 samples the accuracy lies within about two of them (1.96) of the true one.
#
# <details><summary>Hint 1</summary>
#
# Compute one on paper: half of 26 questions right gives $\sqrt{0.25 / 25} = 0.1$.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `accuracy` and `n` are plain Python numbers, so `math` is all you need. What is under the root, and what is below the line?
#
# </details>


# %% exercise="standard_error"
def standard_error(accuracy: float, n: int) -> float:
    """The standard error of an accuracy measured on n questions, n at least 2.

    accuracy: a share, 0 to 1, as is the result. Source: lm-evaluation-harness, which takes the sample
    standard deviation of zeros and ones over the root of n.
    """
    ### BEGIN SOLUTION
    return math.sqrt(accuracy * (1 - accuracy) / (n - 1))
    ### END SOLUTION


# %% check="standard_error" points=1
check.standard_error(standard_error)

# %% [markdown]
# How many questions does it take? Take an accuracy of one half, where the error is largest.

# %% experiment
for n in (26, 80, 500, 1172, 10042):
    print(f"{n:6,} questions: 50 % plus or minus {1.96 * standard_error(0.5, n):.1%}")

# %% [markdown]
# Ten times as many questions make the interval about three times narrower. OpenBookQA has 500 questions, HellaSwag 10,042.

# %% [markdown]
# ## The real harness
#
# Published tables come from *lm-evaluation-harness*, and ours do too: `zeroshot.evaluate` runs it as a library, on the model
# in memory. The harness reads a task from a small YAML file (`labsupport/tasks/addresses.yaml` is ours), asks the
# log-probability of each choice, and computes the rest.

# %% experiment
dense_scores = zeroshot.evaluate(model, tokenizer, ["addresses"])["addresses"]
n = len(dense_scores.answers)
print(
    f"lm-evaluation-harness {dense_scores.harness}, addresses version {dense_scores.version}, {n} questions"
)
print(f"acc       {dense_scores.acc:.4f} +- {dense_scores.acc_stderr:.4f}")
print(f"acc_norm  {dense_scores.acc_norm:.4f} +- {dense_scores.acc_norm_stderr:.4f}")

# %% [markdown]
# ### Are your numbers the harness's?
#
# `requests` holds the very tokens that the harness asked about. Ask your own function about the first few questions.

# %% experiment
few = dense_scores.requests[:6]
own = torch.tensor([[continuation_logprob(model, *request) for request in choices] for choices in few])
difference = (own - dense_scores.logprobs[: len(few)]).abs().max()
print(f"{own.numel()} choices: yours {own[0, 0]:.3f}, harness {dense_scores.logprobs[0, 0]:.3f}, ...")
print(f"largest difference {difference:.1e}")
assert torch.allclose(own.double(), dense_scores.logprobs[: len(few)], rtol=1e-4)

# %% [markdown]
# Now the accuracies, from all of the harness's log-probabilities, and their standard errors.

# %% experiment
acc, acc_norm = accuracies(dense_scores.logprobs, dense_scores.lengths, dense_scores.answers)
pairs = {
    "acc": (acc, dense_scores.acc),
    "its standard error": (standard_error(acc, n), dense_scores.acc_stderr),
    "acc_norm": (acc_norm, dense_scores.acc_norm),
    "its standard error ": (standard_error(acc_norm, n), dense_scores.acc_norm_stderr),
}
rows = [[name, *(f"{value:.6f}" for value in pair)] for name, pair in pairs.items()]
print(columns(["", "yours", "harness"], rows))
assert all(math.isclose(*pair, rel_tol=1e-9) for pair in pairs.values())

# %% [markdown]
# The same numbers: that is all there is behind those tables. One trap for other tasks: in this version of the harness
# `acc_norm` counts *characters*, and another metric, `acc_bytes`, counts bytes. In plain ASCII, which all our questions
# are, a character is a byte. In Korean or German it is not. So beside an accuracy belong the version of the harness, the
# task and the limit.
#
# And the two accuracies differ. How much of that is the length?

# %% experiment
logprobs, lengths = dense_scores.logprobs, dense_scores.lengths
shortest = lengths.argmin(dim=1)
print(
    f"the highest sum is the shortest choice in {(logprobs.argmax(1) == shortest).float().mean():.0%} of them"
)
print(f"the highest sum per byte in {((logprobs / lengths).argmax(1) == shortest).float().mean():.0%}")
print(f"the right answer in {(dense_scores.answers == shortest).float().mean():.0%}")

# %% [markdown]
# The right answer is the shortest in a quarter of the questions, by construction. The sum prefers the shortest choice
# too often, and so gives wrong answers. Where the choices of a task are equally long, as the yes and no of BoolQ
# nearly are, acc alone is reported.

# %% [markdown]
# ## Pruned models
#
# Half of the weights go, once by magnitude and once by Wanda, with the rules of labs 02 and 04. The pruned model
# goes into the harness as it is: no file, no export. Before you look: what share of the questions will Wanda's model
# get right?

# %% experiment
guess = None  # your guess: acc_norm of Wanda at 50 %, such as 0.6

# %% experiment
dense = linears.weights(model)
calibration = corpora.windows(now.text, tokenizer, "calibration", now.window, now.calibration_windows)
norms = input_norms(model, list(calibration[:, None]))


def upper_half(score: torch.Tensor) -> torch.Tensor:
    """Which entries of each row are above its median: bool, as row_mask at 50 %."""
    return score > score.kthvalue(round(0.5 * score.shape[1]), dim=1, keepdim=True).values


# %% experiment
def scores_under(masks: dict[str, torch.Tensor]) -> zeroshot.Scores:
    """The harness's scores of the dense model under these masks; it is dense again afterwards."""
    with linears.masked(model, masks):
        return zeroshot.evaluate(model, tokenizer, ["addresses"])["addresses"]


# %% experiment
masks = {name: upper_half(weight.abs() * norms[name]) for name, weight in dense.items()}
scores = {"dense": dense_scores, "Wanda": scores_under(masks)}
masks = {name: upper_half(w.abs().view(1, -1)).view(w.shape) for name, w in dense.items()}
scores["magnitude"] = scores_under(masks)
for name, found in scores.items():
    print(f"{name:10}acc {found.acc:.3f}   acc_norm {found.acc_norm:.3f} +- {found.acc_norm_stderr:.3f}")

# %% experiment
series = {
    name: {"acc": (s.acc, s.acc_stderr), "acc_norm": (s.acc_norm, s.acc_norm_stderr)}
    for name, s in scores.items()
}
plots.shares_with_errors(
    series,
    {"acc": 0.25, "acc_norm": 0.25},
    "Accuracy of the dense model, and with half of its weights gone",
    f"right answers of {n} (bars: 95 % interval)",
    guess=("acc_norm", guess),
)

# %% [markdown]
# On the course model there are three things to see. The dense model is far above chance, though nobody trained it for
# this. Magnitude pruning takes away more than half of what it had above chance, and its interval does not
# overlap the dense one. Wanda is in between, and its interval does overlap the dense one. Does that
# mean that nothing was lost?
#
# **What if** fewer weights go? Write `0.3` for `0.5` in `upper_half`, and run that cell and the three below it again:
# which of the two methods has its right answers back?

# %% [markdown]
# ## 7.4 paired_p_value
#
# **Goal** compute how easily chance alone explains a difference between two models. | **Points** 4 | **Minutes** 15
#
# ### A coin for every answer that changed
#
# Two accuracies from *different* questions differ clearly if
#
# $$z = \frac{p_1 - p_2}{\sqrt{\mathrm{SE}_1^2 + \mathrm{SE}_2^2}}$$
#
# is above 1.96. Ours come from the *same* questions, and that helps: where both models are right, or both are wrong,
# there is nothing to explain. Four things can happen to an answer:
#
# | | right after | wrong after |
# |---|---|---|
# | **right before** | nothing changed | *lost* |
# | **wrong before** | *won* | nothing changed |
#
# Only lost and won answers count. If pruning did neither harm nor good, each of them would be lost or won like the toss
# of a fair coin. So toss one coin for each, and ask: how often do they split as unevenly as ours did, or more unevenly,
# whichever side has more? That share of all outcomes is the *p-value* of the two-sided *sign test*. A small one says that
# chance alone hardly ever does this. If four answers changed and all are lost: four coins show "all lost" once in
# 16 times and "all won" once in 16, so $p = 0.125$.
#
# `before` and `after` are bool tensors [n], True where the model is right. Return 1.0 where no answer changed. Count
# exactly, for thousands of documents too: no normal distribution, no simulation.
#
# <details><summary>Hint 1</summary>
#
# Two whole numbers are all that the test needs: how many were lost, how many were won. `before & ~after` is True at one of
# the two. `math.comb(n, k)` says in how many ways k of n coins show heads.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A fair coin has two equal sides, so both ends of the distribution are equally likely: add up one end. Then think of
# an even split: would its middle count twice? Python's whole numbers never overflow and floats do: divide last.
#
# </details>
#
# <details><summary>A smaller problem</summary>
#
# Five coins fall in 32 ways: 0, 1, 2, 3, 4, 5 heads in 1, 5, 10, 10, 5, 1 of them. A split of 4 to 1, or a more uneven
# one, is 0, 1, 4 or 5 heads: $(1 + 5 + 5 + 1) / 32 = 0.375$. And 3 to 2? No split of five is more even, so every
# outcome counts: 1.
#
# </details>


# %% exercise="paired_p_value"
def paired_p_value(before: torch.BoolTensor, after: torch.BoolTensor) -> float:
    """How often fair coins split the changed answers so unevenly, or more: the two-sided exact sign test.

    before, after: bool [n], whether two models answer the same n documents rightly. The result is a
    probability, 1.0 where no answer differs. Source: McNemar 1947, with exact counts.
    """
    ### BEGIN SOLUTION
    lost, won = int((before & ~after).sum()), int((~before & after).sum())
    changed = lost + won
    ways = sum(math.comb(changed, heads) for heads in range(min(lost, won) + 1))  # one end
    return min(1.0, 2 * ways / 2**changed)
    ### END SOLUTION


# %% check="paired_p_value" points=4
check.paired_p_value(paired_p_value)

# %% [markdown]
# Now both views of our models: $z$, as if the questions were different ones, and the paired test.


# %% experiment
def z_of(one: float, other: float, n: int) -> float:
    """How many standard errors two accuracies on n questions each are apart."""
    return (one - other) / math.hypot(standard_error(one, n), standard_error(other, n))


# %% experiment
rows = []
for name in ("Wanda", "magnitude"):
    for measure, unit in (("acc", torch.ones_like(lengths)), ("acc_norm", lengths)):
        before, after = ((s.logprobs / unit).argmax(1) == s.answers for s in (dense_scores, scores[name]))
        lost, won = int((before & ~after).sum()), int((~before & after).sum())
        z = z_of(getattr(dense_scores, measure), getattr(scores[name], measure), n)
        p = paired_p_value(before, after)
        rows.append([name, measure, f"{z:.2f}", str(lost), str(won), f"{p:.5f}"])
print(columns(["against dense", "", "z", "lost", "won", "p"], rows, left=2))

# %% [markdown]
# On the course model chance explains nothing of what magnitude lost: its p-values are tiny. For Wanda the two measures
# disagree: judge for yourself in question 1.

# %% [markdown]
# ## Reading the report
#
# The report pruned TinyLlama by 30 % (LLM-Pruner, criterion "taylor") and ran the same harness, an
# older version of it, on five tasks. Your function gives its standard errors, and with them a
# column that the report does not have: $z$, as if the questions were different ones. The paired
# test would need the single answers. Without them $z$ comes out too small rather than too
# large, so a large $z$ can be believed.

# %% experiment
rows = []
for task, (count, chance, measures) in expected.PUBLISHED.items():
    for measure, pair in measures.items():
        shown = [f"{value:.4f} +- {standard_error(value, count):.4f}" for value in pair]
        rows.append([task, measure, f"{count:,}", f"{chance:.2f}", *shown, f"{z_of(*pair, count):.1f}"])
print(columns(["task", "", "questions", "chance", "dense", "taylor, 30 %", "z"], rows, left=2))

# %% experiment
published = {
    name: {
        task: (measures["acc"][place], standard_error(measures["acc"][place], count))
        for task, (count, _, measures) in expected.PUBLISHED.items()
    }
    for place, name in enumerate(("dense", "taylor, 30 %"))
}
chances = {task: chance for task, (_, chance, _) in expected.PUBLISHED.items()}
plots.shares_with_errors(
    published,
    chances,
    "The report's acc on five tasks, before and after pruning",
    "right answers (bars: 95 % interval)",
)

# %% [markdown]
# HellaSwag is the clearest case: ten thousand questions, narrow bars, $z$ above 10 by either measure. On WinoGrande, BoolQ and
# ARC (by acc) the model loses more than chance explains. OpenBookQA shows nothing: on 500 questions, a loss of one point is
# about a third of the standard error of that difference.
#
# Look at the dashed lines as well. On ARC the acc of the pruned model is that of a guess. On
# OpenBookQA that of the dense model already was: a model cannot lose what it did not have, so a small loss
# there is no good news. By acc_norm both are above chance. On BoolQ 62 % of the answers are "yes",
# and a model that always says so gets 62 %: the dashed line stands there, and even the dense model
# is not above it. Chance is not always one over the number of choices.
#
# One more thing that only a log can tell: the caption below the report's table names the checkpoint
# `tinyllama_30_0418`, and the configuration inside the result names `tinyllama_10_0616`. Let the
# program itself write down what it measured, beside the number.
#
# With the model hub in reach, the same call runs the report's tasks, here on 100 questions of each (write the limit beside
# the number):
#
#     zeroshot.evaluate(model, tokenizer, ["arc_challenge", "boolq", "openbookqa"], limit=100)

# %% [markdown]
# ## Your numbers beside ours

# %% experiment
rows = []
for name, found in scores.items():
    ours = expected.zero_shot(name.lower())
    beside = [f"{value:.4f}" for value in ours] if ours else ["-", "-"]
    rows.append([name, f"{found.acc:.4f}", beside[0], f"{found.acc_norm:.4f}", beside[1]])
print(columns(["at 50 %", "your acc", "reference", "your acc_norm", "reference"], rows))

# %% [markdown]
# One question is 1.25 points. On another machine one or two answers may differ, where two choices are nearly equal.

# %% [markdown]
# ## Question 1
#
# On our 80 questions Wanda's acc_norm is below the dense model's, and their 95 % intervals overlap. A colleague writes: "So pruning by
# Wanda costs nothing." Use the columns z, lost, won and p to answer. What would you do to find out more, and what does
# the perplexity of lab 04 say?

# %% [markdown] written="significance_reflection" points=3
# That no difference was shown does not show that there is none. By acc_norm z is about 1.3, so a loss of nine points
# and no loss at all both fit the numbers. But overlapping intervals are a weak test here, because both models
# answered the same questions. Of those on which they disagree, 10 were lost and 3 won; a fair coin does that about
# once in eleven times: suspicious, no proof. By acc it is 14 against 1, which a coin does once in a thousand times:
# something was lost. More questions would settle acc_norm as well, since the error shrinks with the root of n. And
# perplexity, which counts thousands of tokens instead of 80 answers, doubled from 24 to 49: accuracy on few questions
# is the coarser instrument.

# %% [markdown] answer
# **Rubric (3 points).** One point: not significant is not equal; the interval of the difference contains 0 and also a sizeable loss
# (z or the intervals quoted). One point for the paired view: only the questions with one model right count, lost against won
# compared with a fair coin, with the reader's own numbers for acc or acc_norm. One point for the way on: more questions (error with the
# root of n), or perplexity as the finer measure that did rise clearly.

# %% [markdown]
# ## Question 2
#
# In somebody's new benchmark the right choice is nearly always the longest of the four. What do acc and acc_norm show for a model that
# knows nothing at all about the questions? How would you notice, without reading the questions, and how does our task
# rule it out?

# %% [markdown] written="length_reflection" points=2
# A model that knows nothing gives each token about the same cost, so its sums order the choices by length: acc takes the shortest, which is
# hardly ever right, and falls far below 25 %. Per byte the lengths cancel, and what is left depends on small things: long choices
# often end up a little better per byte, so acc_norm can be well above 25 % without any knowledge. One notices by answering without the
# model (always the longest choice) or without the context: whatever is above chance there is the benchmark's, not the model's. In our task the
# right choice has each rank of length in a quarter of the questions, and every continuation is right once and wrong three times,
# so neither length nor the continuation alone helps.

# %% [markdown] answer
# **Rubric (2 points).** One point for the effect: acc prefers short choices and drops below chance, acc_norm does not and may rise above it, neither
# because of knowledge. One for a control (always the longest, the choices without their context, a random or shuffled model) and
# for how ours is balanced.

# %% [markdown]
# ## Read on
#
# - Gao et al., *lm-evaluation-harness* ([the project](https://github.com/EleutherAI/lm-evaluation-harness)): every task of
#   the tables that you will read
# - Biderman et al. 2024, *Lessons from the trenches on reproducible evaluation of language models*,
#   [arXiv:2405.14782](https://arxiv.org/abs/2405.14782): its authors on what makes a number repeatable
# - Miller 2024, *Adding error bars to evals*, [arXiv:2411.00640](https://arxiv.org/abs/2411.00640): paired differences, standard errors, how many questions
# - McNemar 1947, *Note on the sampling error of the difference between correlated proportions or percentages*,
#   [doi:10.1007/BF02295996](https://doi.org/10.1007/BF02295996): the test of 7.4
# - Dutta et al. 2024, *Accuracy is not all you need*, [arXiv:2407.09141](https://arxiv.org/abs/2407.09141): compressed models with equal accuracy that give
#   other answers, counted by the answers that change
# - Jaiswal et al. 2023, *Compressing LLMs: the truth is rarely pure and never simple*, [arXiv:2310.01382](https://arxiv.org/abs/2310.01382): tasks on which pruned
#   models fail although perplexity looks good
# - Ma et al. 2023, *LLM-Pruner*, [arXiv:2305.11627](https://arxiv.org/abs/2305.11627): the report's tool
# - Polo et al. 2024, *tinyBenchmarks*, [arXiv:2402.14992](https://arxiv.org/abs/2402.14992): a hundred questions instead of thousands
#
# **Open question.** Eighty questions cannot tell nine points from nothing, and HellaSwag's ten thousand take long. Not all
# questions say equally much: most are answered alike by both models. Which hundred of the ten thousand would
# you ask, so that the pruned model's accuracy follows from them? Choosing them by the dense model's answers is a trap. Why?
#
# **Finished?** Press the button below: the lab gives its memory back, and all that you see stays. (Under `start.py`, a
# lab whose tab you closed does so by itself after half an hour.)
#
# **Next:** [lab 08, cost](../08_cost/08_cost.ipynb) measures why one prunes at all: memory and time.

# %% experiment
closing.button()
