# %% [markdown]
# # 12  The challenge: the smallest file that still speaks
#
# Whoever installs an app with a language model in it downloads the model, and then it lies in the phone's memory. The
# course model with 2 bytes a weight is 269 MB, a good part of what a phone of 8 GB lends one app. A phone that reads 50 GB a
# second reads it 186 times a second, and writes at most as many tokens; a file of 84 MB would allow 595. So the size is
# not a detail: it decides who gets the model at all. Every lab so far made a model smaller in one way and asked what that costs. This one asks for all ways
# at once, has one number, and no right answer.
#
# | | |
# |---|---|
# | **You learn** | to spend bytes where they count: what combines, what does not, and how to find out fast |
# | **You need** | whichever of labs 02 to 11 you want to use; lab 11's codes are the shortest way in |
# | **Level** | advanced: several steps in one function |
# | **It takes** | an hour and a half of your time; then as long as it is fun. All cells together run a minute or two on two CPU cores |
# | **Sources** | Frantar et al. 2023, *GPTQ*; Han et al. 2016, *Deep compression*; Men et al. 2024, *ShortGPT* |

# %%
import torch
from labsupport import challenge, check, closing, container, corpora, expected, given, linears, models
from labsupport import plots, prompts, settings
from labsupport.front import front
from labsupport.given.perplexity import perplexity
from labsupport.table import columns

# %% [markdown]
# ## The rules
#
# 1. Your function gets the course model, calibration text and a number of seconds. It returns a dict of tensors. The course
#    packs them into **one file**; its length in bytes is your number. Nothing else travels: no code, no second file.
# 2. The examiner unpacks the file with the course's decoder, counts its bytes, and measures the perplexity of the model in
#    it, on addresses that you have not seen. **At most 1.3 times the dense model's** counts: on the public addresses that is
#    about 31. A file above the limit earns nothing, however small it is.
# 3. Points go by bytes, by the table below. The last rung is our own best file. A better one is possible.
# 4. One call of your function has three minutes on the course model. The grader ends a cell after five, its own
#    measurement included.
# 5. The class sees a table of all files, under names that their authors choose. The same file twice is one place.

# %%
print(challenge.rules())

# %% [markdown]
# ## The model and two texts

# %%
now = settings.current()
model, tokenizer = models.load(challenge.model_name()), models.tokenizer(challenge.model_name())
config = model.config
token_windows = corpora.windows(now.text, tokenizer, "evaluation", now.window, now.evaluation_windows)
calibration = corpora.windows(now.text, tokenizer, "calibration", now.window, now.calibration_windows)
batches = list(calibration[:, None])  # LongTensors [1, length]

# %% experiment
dense_perplexity, texts = perplexity(model, token_windows), {"dense": prompts.written(model, tokenizer)}
print(
    f"dense {dense_perplexity:.2f}, so on these windows {challenge.RATIO * dense_perplexity:.2f} is the limit"
)

# %% [markdown]
# ## 12.1 smallest_file
#
# **Goal** pack the whole model into as few bytes as possible, so that it still speaks. | **Points** 10 | **Minutes** 45
#
# ### Where the bytes are
#
# A file is as large as its largest part lets it be. What are the parts?

# %% experiment
kinds = {"embedding and head": 0, "attention": 0, "MLP": 0, "norms": 0}
for name, weight in model.named_parameters():
    kind = "attention" if "attn" in name else "MLP" if "mlp" in name else "norms"
    kinds["embedding and head" if "embed" in name else kind] += weight.numel()
total = sum(kinds.values())
rows = [[kind, f"{count / 1e6:.2f} M", f"{count / total:.1%}"] for kind, count in kinds.items()]
print(columns(["part", "weights", "share"], rows))

# %% [markdown]
# The embedding is a large part of a small model, and it is the head as well: one matrix, used twice. No lab has touched it
# so far. (In a model of seven billion weights it is two percent, and papers leave it in 16 bits.)
#
# ### What the container holds
#
# A weight goes into the dict under its full name, as it is (float32, float16 or bfloat16), or in parts:
#
# | key | shape | stored in |
# |---|---|---|
# | `NAME.codes3` (1 to 8 bits) | [rows, columns], uint8 below 2³ | 3 bits each |
# | `NAME.scale` | [rows, groups]; the groups divide a row | 16 bits each |
# | `NAME.zero`, the value of code 0; may be left out | [rows, groups] | 16 bits each |
# | `NAME.mask`, True = keep; may be left out | [rows, columns], bool | 1 bit each; 2:4 in two thirds of a bit |
# | `NAME.left`, `NAME.right`, added to the rest | [rows, rank], [rank, columns] | 16 bits each |
# | `dropped`, the numbers of blocks that are gone | [n] | in the table |
#
# A weight is `scale * code + zero`; without `zero` it is `scale * (code - 2 ** (bits - 1))`. What a mask drops has no
# code. Rows and columns may be fewer where whole channels or whole KV groups are gone, as in lab 05. The other blocks keep
# their numbers when one is dropped. `container` has the format byte by byte: `help(container)`.
#
# So four bits in groups of 32, with a scale and a zero each, are 4 + 32 / 32 = 5 bits a weight.
#
# ### Starting ideas
#
# - **Larger groups.** A group of 32 pays one bit a weight for its scale and zero, a group of 192 a sixth of one.
#   The grid becomes coarser, since one large weight stretches it for more neighbours.
#   Which matrices suffer, and which do not?
# - **Budgets by layer.** Bits are not owed to every matrix alike (lab 10 has budgets for zeros).
#   Take one bit from one kind of matrix at a time, and measure: seven numbers, two minutes.
#   Then take it from those that cost least for each byte that they save.
# - **2:4 and 3 bits.** Half of the codes go, and the mask costs two thirds of a bit a weight here.
#   Do the arithmetic before you try: is that less than dense codes of two bits?
#   SparseGPT (lab 09) finds better survivors than Wanda, and repairs them.
# - **GPTQ's rounding.** Round one column, then move the columns that are still to be rounded so that they make up for it.
#   It is lab 09's loop, with rounding in the place of zeros, on the same Hessian.
#   It costs no byte at all.
# - **Dropping blocks 12 to 17 first.** A block is 3.54 M weights; lab 10 says which of them do least.
#   One block less raises perplexity by a tenth; what would the same bytes buy elsewhere?
# - **Distilling before packing.** Three minutes are a few dozen steps towards the dense model's logits (lab 10).
#   Train what will be there after the rounding: norms, scales, or the low-rank parts.
#   A file has no place for what was learned and then rounded away.
#
# <details><summary>Hint 1</summary>
#
# Begin with a file that works: every matrix in four bits and groups of 32, norms in float16. It earns the first rung. Then
# change one thing at a time, and keep a list.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Measure without the check: the cell behind the check packs a file and measures it. For a first look one window instead of
# four is enough.
#
# </details>
#
# <details><summary>A smaller problem, solved</summary>
#
# A vector of four numbers in two bits: `low, high = 0.1, 0.7`, so `scale = (high - low) / 3 = 0.2` and `zero = low`. The codes
# are `((values - zero) / scale).round()`, from 0 to 3. A matrix does the same with `view(rows, groups, -1)` and a minimum and
# a maximum over the last axis.
#
# </details>


# %% exercise="smallest_file"
def smallest_file(model, batches, seconds: float) -> dict[str, torch.Tensor]:
    """The tensors of a file as small as possible, whose model still speaks.

    model: the dense course model, which is yours to change; batches: LongTensors [1, L] of calibration tokens;
    seconds: what one call may take. The keys are those of `container`: NAME, NAME.codes4, NAME.scale,
    NAME.zero, NAME.mask, NAME.left, NAME.right, and "dropped".
    """
    ### BEGIN SOLUTION
    parts = {name: weight.half() for name, weight in model.named_parameters() if weight.dim() == 1}

    def pack(name: str, owner, bits: int, group: int, hessian=None) -> None:
        """Round a weight, put its parts into the file, and go on with what the file holds."""
        codes, scale, zero, weight = rounded(owner.weight, bits, group, hessian)
        parts.update({f"{name}.codes{bits}": codes, f"{name}.scale": scale, f"{name}.zero": zero})
        owner.weight.copy_(weight)

    def on_arrival(name: str):
        """A hook that rounds a Linear as its input comes, after all that was rounded before it."""

        def hook(linear, inputs) -> None:
            x = inputs[0].flatten(0, 1).float()  # [tokens, in]
            pack(name, linear, 3, 64, hessian=x.T @ x)

        return hook

    with torch.no_grad():
        pack("model.embed_tokens.weight", model.get_input_embeddings(), 4, 32)
        hooks = []
        for name, linear in linears.pruned_linears(model).items():
            if "gate" in name or "up" in name:  # two fifths of all weights, and they bear it best
                hooks.append(linear.register_forward_pre_hook(on_arrival(f"{name}.weight")))
            else:
                pack(f"{name}.weight", linear, 4, 32)  # the grid on which it arrived: nothing is lost
        try:
            model.model(torch.cat(list(batches)).to(model.device), use_cache=False)
        finally:
            for hook in hooks:
                hook.remove()
    return parts


def rounded(weight: torch.Tensor, bits: int, group: int, hessian=None) -> tuple[torch.Tensor, ...]:
    """Codes uint8 [rows, columns], scale and zero [rows, groups], and the weight that they make.

    With the Hessian of its inputs, [columns, columns], each column's error is made up for by those that are
    still to be rounded. Source: Frantar et al. 2023, algorithm 1.
    """
    left = weight.float().T.contiguous()  # [columns, rows]: a column lies in one piece
    columns = len(left)
    group = next(size for size in range(min(group, columns), 0, -1) if columns % size == 0)
    block = next(size for size in (32, 16, 8, 4, 2, 1) if group % size == 0)
    upper = torch.eye(columns, device=weight.device)
    if hessian is not None:
        damp = 0.01 * hessian.diagonal().mean()
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian + damp * upper))
        upper = torch.linalg.cholesky(inverse, upper=True)
    codes, scales, zeros = torch.empty_like(left, dtype=torch.uint8), [], []
    for start in range(0, columns, block):
        if start % group == 0:
            scale, zero = grid(left[start : start + group], bits)
            scales.append(scale)
            zeros.append(zero)
        own, end = left[start : start + block], start + block
        errors = torch.empty_like(own)
        for place in range(block):
            code = ((own[place] - zero) / scale).round().clamp(0, 2**bits - 1)
            codes[start + place] = code.to(torch.uint8)
            exact = scale * code + zero
            to_others = upper[start + place, start + place :]  # its own entry first
            errors[place] = (own[place] - exact) / to_others[0]
            own[place + 1 :] -= to_others[1 : block - place, None] * errors[place]
            own[place] = exact
        left[end:] -= upper[start:end, end:].T @ errors
    return codes.T, torch.stack(scales, dim=1), torch.stack(zeros, dim=1), left.T


def grid(values: torch.Tensor, bits: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and zero, [rows] each, of one group [size, rows]: of five ranges the one with the least error."""
    low, high = values.amin(dim=0), values.amax(dim=0)
    scale, zero, least = low, low, torch.full_like(low, torch.inf)
    for share in (1.0, 0.95, 0.9, 0.85, 0.8):
        start = (low * share).half().float()
        step = ((high - low) * share / (2**bits - 1)).clamp(min=1e-6).half().float()
        codes = ((values - start) / step).round().clamp(0, 2**bits - 1)
        error = (step * codes + start - values).square().sum(dim=0)
        better = error < least
        scale, zero = torch.where(better, step, scale), torch.where(better, start, zero)
        least = torch.minimum(error, least)
    return scale, zero
    ### END SOLUTION


# %% [markdown]
# The check packs your file, reads it again, and measures it on the public addresses. It takes as long as your function,
# and a quarter of a minute.

# %% check="smallest_file" points=10
check.smallest_file(smallest_file)

# %% [markdown]
# ### Your file, and where it stands
#
# This cell does what the examiner does, with the public addresses. It is the one to work with.

# %% experiment
model = None  # the function gets one of its own
file = container.encode(
    smallest_file(models.load(challenge.model_name()), batches, challenge.SECONDS), config
)
loaded = challenge.loaded(file)
mine = perplexity(loaded, token_windows)
print(f"{len(file):,} bytes, {8 * len(file) / total:.2f} bits a weight, perplexity {mine:.2f}")

# %% [markdown]
# Does it still speak? On the three prompts of lab 04, beside the dense model:

# %% experiment
texts["your file"] = prompts.written(loaded, tokenizer)
del loaded
print(prompts.side_by_side(texts))

# %% [markdown]
# Files below the horizontal line count. Smaller ones stand to the left of yours.

# %% experiment
guess = None  # your guess: the perplexity of 4 bits in groups of 64; dense: 24, in groups of 32: 26

# %% experiment
ours, limit = expected.files(), challenge.RATIO * dense_perplexity
files, title = ours | {"your file": (len(file), mine)}, "Perplexity against bytes of the file"
plots.files_and_limit(files, limit, title, guess=(4.5 / 8 * total, guess))

# %% experiment
rows = [[name, f"{size:,}", f"{value:.2f}"] for name, (size, value) in ours.items()]
rows.append(["your file", f"{len(file):,}", f"{mine:.2f}"])
print(columns(["file", "bytes", "perplexity"], rows))
verdict = "it counts" if mine <= limit else "it earns nothing"
print(
    f"\nyour file has {mine / dense_perplexity:.2f} times the dense perplexity, {challenge.RATIO} is the limit: {verdict}"
)

# %% [markdown]
# **What if** every matrix but the MLP's had one bit less, or the first block and the last kept all of theirs? Change one
# thing in `smallest_file`, run its cell and *Your file* again, and note both numbers: question 1 asks for them.

# %% [markdown]
# ### The whole course in one figure
#
# Each method of labs 02 to 10 stands here alone, in a file with 16 bits a value, its zeros left out and their places
# counted. `python -m labsupport compare` measures them, on these windows; type it to see the whole table, with accuracies
# and times. Beside them stand the files of this lab.

# %% experiment
families = {}
for name, place in expected.methods().items():  # name -> (megabytes, perplexity)
    kind = "2:4" if "2:4" in name else "smaller" if "blocks" in name else "zeros" if name != "dense" else name
    families.setdefault(kind, {})[name] = place
families["few bits"] = {name: (size / 1e6, value) for name, (size, value) in files.items()}
best = front([place for points in families.values() for place in points.values()])
plots.perplexity_by_bytes(families, best, "Perplexity against the bytes of the file, the whole course")
on_it = [name for points in families.values() for name, place in points.items() if place in best]
print("no other file is smaller and better than:", ", ".join(on_it))

# %% [markdown]
# On the course model no pruned file with 16 bits a value is on the front, only the dense one: four bits in groups of 32 take a
# third of its bytes and cost 7 %, for the embedding alone. Half of all weights gone, by whatever method, saves a third and costs
# much. So few bits come first, and what you know about zeros and blocks is for what is left.

# %% [markdown]
# ### Which weights suffered?
#
# You can read the file yourself. How far is each decoded weight from the dense one?

# %% experiment
dense = models.load(challenge.model_name(), "cpu").state_dict()
away = {}
for name, weight in container.read(file, config).weights():
    if weight.dim() == 2 and weight.shape == dense[name].shape:
        kind = name.split(".")[-2].removesuffix("_proj")
        away.setdefault(kind, []).append(float((weight - dense[name]).norm() / dense[name].norm()))
for kind, shares in away.items():
    print(f"{kind:13} off by {min(shares):.1%} to {max(shares):.1%} of its norm")
del dense

# %% [markdown]
# A large distance need not be a large loss: what counts is the distance on the inputs that come. That is why GPTQ's rounding
# moves weights *further* from the dense ones, and the model stays nearer.

# %% [markdown]
# ## Your name in the table
#
# The class sees every file's place, bytes and perplexity under a name that its author chooses. Choose one that is not yours: at
# most 30 letters. Only your instructor sees whose it is. Without one, your file stands in the table without a name.

# %%
pseudonym = ""

# %% [markdown]
# ## Question 1
#
# Show your work as an engineer would: a table with one line for each change that you tried, at least three, with the bytes that
# it saved and the perplexity before and after, both measured. One line must be a change that did not pay. Then answer: which
# change saves most bytes for each percent of perplexity? And why do the losses of two changes together differ from the
# sum of their losses?

# %% [markdown] written="challenge_reflection" points=4
# | change | bytes before | bytes after | perplexity before | after |
# |---|---|---|---|---|
# | four bits, groups of 32, to the nearest | 538 million | 84,146,933 | 23.95 | 25.65 |
# | the block of least influence dropped | 84,146,933 | 81,931,903 | 25.65 | 28.57 |
# | groups of 64 instead | 84,146,933 | 75,741,760 | 25.65 | 34.63 |
# | in a file of groups of 192: gate and up in 3 bits, with GPTQ's rounding | 70,138,402 | 65,714,722 | 37.57 | 40.91 |
#
# The first change costs 7 % for five sixths of the bytes: the layers arrive on just that grid, and only the embedding, which
# arrives with 8 bits, loses. Dropping a block costs 11 % for 2.6 % of the bytes. Larger groups did not pay: 35 % for a tenth
# of the bytes, and the file is above the limit. Their grid is no longer the one on which the weights lie. Of the changes
# after the first the last one is the best: 8.9 % for 6.3 % of the bytes. So our file keeps the grid wherever it can,
# and gives three bits to gate and up.
# Losses do not add up because the second change meets a model whose inputs the first has already moved: errors of one block pass
# through all later ones, and the loss is not linear in them. Where much is lost already, a small error more is hardly seen.

# %% [markdown] answer
# **Rubric (4 points).** One point for three changes with bytes and perplexities before and after that fit each other (bytes can be
# checked by hand: weights times bits over 8). One for a change that did not pay, and a reason for it. One for the best change
# by the right quotient, bytes for each percent, not bytes alone. One for the reason why losses do not add up: the second change meets a
# model that the first has already moved, its errors pass through the same later layers, and the loss is not linear in them;
# or one change repairs or removes what the other would have damaged (a dropped block cannot be rounded badly). Answers with
# other changes than ours are as good; a table without measurements earns one point at most.

# %% [markdown]
# ## Read on
#
# - S. Han, H. Mao and W. Dally 2016, *Deep Compression* ([arXiv:1510.00149](https://arxiv.org/abs/1510.00149)): pruning, rounding
#   and Huffman's code together, where it began.
# - E. Frantar et al. 2023, *GPTQ* ([arXiv:2210.17323](https://arxiv.org/abs/2210.17323)): rounding that makes up for itself.
# - X. Men et al. 2024, *ShortGPT* ([arXiv:2403.03853](https://arxiv.org/abs/2403.03853)): blocks that do little.
# - J. Lin et al. 2024, *AWQ* ([arXiv:2306.00978](https://arxiv.org/abs/2306.00978)): scale the loud channels before rounding.
# - A. Tseng et al. 2024, *QuIP#* ([arXiv:2402.04396](https://arxiv.org/abs/2402.04396)): two bits, after a rotation.
#
# **Open question.** Our codes are not used equally often: those in the middle of a grid are several times as common as those at
# its ends. A code of Huffman's would use fewer bits for them. How much would it save on your file, and what would you then
# choose differently? The container has no place for it yet.
#
# **Finished?** Press the button below: the lab gives its memory back, and all that you see stays. (Under `start.py`, a
# lab whose tab you closed does so by itself after half an hour.)
#
# **Next:** this is the last lab. What you can do now is what the papers above do: choose a model that you use, and make it fit.

# %% experiment
closing.button()
