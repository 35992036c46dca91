# %% [markdown]
# # LLM pruning labs
#
# How are large language models pruned, what does it cost them, and what does it save? The labs
# answer that on a real model, from the first perplexity to the table below. Here they are as
# walkthroughs: everything has been run, every figure is there, and the answers are folded away, so
# that you can try before you look.
#
# ## Every method in one table

# %%
from IPython.display import Markdown, display

from labsupport import comparison, plots, settings

setting = comparison.setting()
rows = comparison.compare(setting)
found = {row.method: row for row in rows}

# %%
first, last = setting.layers
display(
    Markdown(
        f"The model is `{setting.model}`, the text `{setting.text}`, on a {settings.device().type.upper()}. "
        f"*Magnitude* and *Wanda* set {setting.sparsity:.0%} of the decoder's weights to zero; *blocks* cuts "
        f"{setting.ratio:.0%} of the channels and heads out of layers {first} to {last - 1}; *LoRA* trains "
        f"{setting.steps} steps afterwards. The dense model has perplexity "
        f"**{found['dense'].perplexity:,.1f}**; by magnitude it becomes "
        f"**{found['magnitude'].perplexity:,.1f}**, by Wanda **{found['Wanda'].perplexity:,.1f}**."
    )
)

# %%
lines = ["| method | gone | perplexity | accuracy | MACs | memory | time |", "|:--|--:|--:|--:|--:|--:|--:|"]
for row in rows:
    cells = [
        row.method,
        f"{row.sparsity:.0%}",
        f"{row.perplexity:,.1f}",
        f"{row.accuracy:.2f} ± {row.accuracy_stderr:.2f}",
        *(f"{share:.2f}" for share in (row.macs / found["dense"].macs, row.memory / found["dense"].memory)),
        f"{row.seconds / row.dense_seconds:.2f}",
    ]
    lines.append("| " + " | ".join(cells) + " |")
display(Markdown("\n".join(lines)))

# %% [markdown]
# *Gone* is the share of the decoder's weights that are zero or cut out. Perplexity: lower is better.
# Accuracy: a multiple-choice task of the same texts, chance is 0.25, with its standard error. MACs,
# memory and time: of one pass over 128 tokens, the dense model's being 1.

# %%
plots.comparison(rows, "The choice of weights decides the quality; only smaller matrices save anything")

# %% [markdown]
# Read it column by column: zeros, wherever they stand, save no multiplication, no memory and no time
# by themselves. [Lab 08](../08_cost/08_cost.ipynb) makes this table, and says why.
#
# ## How to read, and how to do it yourself
#
# Each exercise shows what is to be written, then the answer, folded; below it stands a check with
# what it says of that answer. To write your own, get the project and type `python3 start.py`: it
# opens the same labs as notebooks, without the answers, where the checks name your mistakes. [Sources
# and licences](sources.md) says where model and texts come from.
