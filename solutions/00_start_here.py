# %% [markdown]
# # 00  Start here
#
# Five minutes before the first lab: see what your machine can do, write one line of code, and meet the checks
# that will keep you company through the course.
#
# | | |
# |---|---|
# | **You learn** | what runs where, how long a lab takes on your machine, and how to read a check |
# | **You need** | this notebook, open in JupyterLab; not yet the model |
# | **Level** | basic: tensors, their axes, sums |
# | **It takes** | five minutes; all cells together run a quarter of a minute |
# | **Sources** | none: the papers come with the labs |
#
# A cell runs with **Shift+Enter**, which also moves on to the next one. Run them from top to bottom.

# %%
import torch
from labsupport import check, closing, doctor, given, plots, standing
from labsupport.given import patterns

# %% [markdown]
# ## Your machine
#
# The next cell measures it; if your machine is offline, it takes a few seconds to notice.

# %% experiment
print(doctor.report())

# %% [markdown]
# Three lines are worth a look. **memory** should say 8 GB or more. **cache** should name the course model; if it
# says *empty*, type `.venv/bin/python -m labsupport fetch` in a terminal once (93 MB; `start.py` does it for you; on a
# JupyterHub ask whoever runs it).
# **device** says CPU or CUDA: both are fine; a CPU is slower. The second table says
# how long *all the cells* of each lab run here; thinking takes longer, an hour or more per lab.

# %% [markdown]
# ## What runs where
#
# | | where | what it needs |
# |---|---|---|
# | the notebook, the model, the checks | on this machine, in this notebook's kernel | no network, no account |
# | **Validate**, or `python -m labsupport check` | on this machine, in a fresh kernel | the same |
# | your grade | at your instructor's, in a locked sandbox | the notebook file alone, as you hand it in |
#
# Grading runs your notebook again and asks your functions *other questions* of the same kind. What is right in
# general passes there too; what was fitted to the numbers of a check does not.

# %% [markdown]
# ## 0.1 sparsity
#
# **Goal** how much of a matrix does a mask drop? | **Points** 1 | **Minutes** 3
#
# ### True means keep
#
# To *prune* a weight is to set it to zero for good. Which weights stay is written down in a **mask**: a bool tensor of
# the shape of the weight. In this whole course `True` means *keep*, `False` means *drop*, so that
# `weight * mask` is the pruned matrix. The share that is gone is called **sparsity**:
#
# $$\mathrm{sparsity}(M) = \frac{\text{number of } \mathtt{False} \text{ in } M}{\text{number of entries of } M}$$
#
# Shapes: a bool tensor of any shape in, one Python number from 0 to 1 out. At 0 every weight stays (the matrix is
# *dense*), at 1 every weight is gone. For the mask `[True, True, True, False]` it is 0.25.
#
# ### The three faces of a check
#
# Below every exercise is a check. Run the next two cells as they are. Nothing is written yet, and the check says so:
#
#     Check 0.1  sparsity: not written yet
#
# Now replace the lines below the docstring by a typical mistake, `return mask.float().mean().item()`, and run both
# cells again:
#
#     Check 0.1  sparsity: not yet (2 of 8 parts pass)
#
#       It looks as if the share of the kept weights was taken, or True was read as drop:
#       see section 0.1, "True means keep".
#       Try sparsity(torch.tensor([True, True, True, False])): one of four is dropped,
#       0.25.
#
#       passed    one Python number
#       passed    between 0 and 1
#       FAILED    the share of the dropped weights, the False ones
#                 and 4 more parts, for the same reason
#       open      1 part, until the failed ones pass
#
#       mask         [[0, 0, 1, 0, 0], [0, 1, 0, 1, 0]]
#       your answer  0.3
#       expected     the zeros of the mask, counted, over the number of all its entries
#
# Read it from top to bottom: the likely mistake, something to try, what is right already, what is not, and
# numbers that you can redo on paper. Do try it, in a cell of your own. Then mend the function, until you read
#
#     Check 0.1  sparsity: all 8 parts pass
#
# <details><summary>Hint 1</summary>
#
# `~mask` turns `True` and `False` around. A sum over a bool tensor counts the `True` ones.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `mask.numel()` is the number of all entries, and `.item()` makes a Python number of a tensor that holds one.
#
# </details>


# %% exercise="sparsity"
def sparsity(mask: torch.BoolTensor) -> float:
    """The share of dropped weights, 0 to 1. mask: bool of any shape, True = keep."""
    ### BEGIN SOLUTION
    return (~mask).sum().item() / mask.numel()
    ### END SOLUTION


# %% check="sparsity" points=1
check.sparsity(sparsity)

# %% [markdown]
# Run a check as often as you like: it costs nothing. A run of *all* cells stops at the first check that
# does not pass: go on there.
#
# **Stuck? Go on, openly.** In every lab you may take the course's own function: write `sparsity = given.sparsity` in the
# exercise's cell. The exercise then says *given: 0 points*, and everything after it runs; come back to it when you like.

# %% [markdown]
# ## One sparsity, many masks
#
# Sparsity says how much is gone, not *what*. Here are 8 x 16 weights, some rows larger than others, and four masks
# that keep the large ones, each by a rule of its own. Your function gives the numbers.

# %% experiment
generator = torch.Generator().manual_seed(2)
weight = torch.randn(8, 16, generator=generator) * torch.linspace(0.5, 1.5, 8)[:, None]  # [out, in]
masks = patterns.halves(weight.abs())
named = {f"{name}\nsparsity {sparsity(mask):.2f}": mask for name, mask in masks.items()}
plots.mask_patterns(named, "The same half, four times: full squares stay")

# %% [markdown]
# All four drop half, and each of them changes a model differently. From left to right the patterns become more
# regular: there is less freedom to choose what stays, and the hardware can gain more (lab 08 measures it). This course
# is about that trade-off.

# %% [markdown]
# ## Before you hand in
#
# Click **Validate** above the notebook, or type this in a terminal, in the folder that holds `notebooks` and
# `.venv` (on Windows `.venv\Scripts\python`, with conda and on a JupyterHub just `python`):
#
#     .venv/bin/python -m labsupport check notebooks/00_start_here/00_start_here.ipynb
#
# Both run the notebook in a fresh kernel, so both find what only works because of a cell that you have
# deleted since. Both also name a starred exercise (★) that you have left out: it has no points, so hand in without it.
# Save first; then hand in the file under the name it has.

# %% [markdown]
# ## The labs, in order
#
# | lab | what you do |
# |---|---|
# | [01 perplexity](../01_perplexity/01_perplexity.ipynb) | say how good a language model is, as one number |
# | [02 magnitude pruning](../02_magnitude_pruning/02_magnitude_pruning.ipynb) | drop the smallest weights |
# | [03 Wanda calibration](../03_wanda_calibration/03_wanda_calibration.ipynb) | measure how large the inputs of every layer are |
# | [04 Wanda pruning](../04_wanda_pruning/04_wanda_pruning.ipynb) | drop the weights that matter least, given their inputs |
# | [05 structured pruning](../05_structured_pruning/05_structured_pruning.ipynb) | make the matrices themselves smaller |
# | [06 recovery](../06_recovery/06_recovery.ipynb) | train a pruned model until it has recovered |
# | [07 zero-shot](../07_zero_shot/07_zero_shot.ipynb) | ask whether it still chooses the right answer |
# | [08 cost](../08_cost/08_cost.ipynb) | measure what was saved, and what was not |
# | [09 SparseGPT](../09_sparsegpt/09_sparsegpt.ipynb) | let the weights that stay make up for those that go |
# | [10 depth](../10_depth/10_depth.ipynb) | drop whole blocks, and learn from the dense model |
# | [11 on a device](../11_on_device/11_on_device.ipynb) | fewer weights and fewer bits, in one file |
# | [12 the challenge](../12_challenge/12_challenge.ipynb) | make the smallest file that still speaks |
#
# A link to a lab that your instructor has not handed out yet leads nowhere. Each lab takes an hour or more. Lab 01 comes
# first; lab 04 builds on 02 and 03.

# %% [markdown]
# ## How far you are
#
# The last result of every check, in all labs, is kept on this machine. Come back here whenever you like and run
# the next cell, or type `.venv/bin/python -m labsupport progress` in a terminal, with `python` as above.

# %% experiment
print(standing.report())

# %% [markdown]
# *open* is a check that you have not run yet, *given* an exercise that takes the course's own function: 0 points. A
# *starred* exercise (★ in its heading) is for the fun of it: it has no points, and you lose none without it. The
# points are what the checks say here, on your machine. They are not your grade: grading asks other questions, and a
# person grades the written answers.
#
# **Finished?** Press the button below: the lab gives its memory back, and all that you see stays. (Under `start.py`, a
# lab whose tab you closed does so by itself after half an hour.)
#
# Go on with [01 perplexity](../01_perplexity/01_perplexity.ipynb).

# %% experiment
closing.button()
