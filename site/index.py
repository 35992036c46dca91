# %% [markdown]
# # LLM pruning labs
#
# A language model is matrices of numbers, its *weights*. **Pruning** removes those that matter least,
# so that the model becomes smaller. The second and the third matrix below lack half of the weights;
# they differ in the choice alone.

# %%
import sys

from IPython.display import HTML, Markdown, display

from labsupport import comparison, plots, settings

sys.path.insert(0, "site")
import picture

setting = comparison.setting()
rows = comparison.compare(setting)
found = {row.method: row for row in rows}

# %%
display(HTML(picture.pruning({name: row.perplexity for name, row in found.items()})))

# %%
display(
    Markdown(
        "A square is a weight, its size the weight's. The bars above the third matrix are its inputs: a "
        "small weight on a loud input matters. *Perplexity* says how surprised the model is by a text; the "
        f"three numbers were measured on a whole model, `{setting.model}`, dense and with "
        f"{setting.sparsity:.0%} of its decoder's weights gone. In these labs you write every step yourself, "
        "and measure it."
    )
)

# %% [markdown]
# ## Every method in one table

# %%
first, last = setting.layers
display(
    Markdown(
        f"The model is `{setting.model}`, the text `{setting.text}`, on a {settings.device().type.upper()}. "
        f"*Magnitude*, *Wanda* and *SparseGPT* set {setting.sparsity:.0%} of the decoder's weights to zero, "
        f"*OWL* not as many in each block; *blocks* cuts {setting.ratio:.0%} of channels and heads out of "
        f"layers {first} to {last - 1}; *blocks dropped* lacks a fifth of all blocks. *LoRA* "
        f"trains {setting.steps} steps afterwards, *teacher* as many, on the dense model's guesses."
    )
)

# %%
lines = ["| method | gone | perplexity | accuracy | MACs | memory | time | file |", "|:--|" + "--:|" * 7]
for row in rows:
    cells = [
        row.method,
        f"{row.sparsity:.0%}",
        f"{row.perplexity:,.1f}",
        f"{row.accuracy:.2f} ± {row.accuracy_stderr:.2f}",
        *(f"{share:.2f}" for share in (row.macs / found["dense"].macs, row.memory / found["dense"].memory)),
        f"{row.seconds / row.dense_seconds:.2f}",
        f"{comparison.file_bytes(setting, row) / 1e6:,.0f} MB",
    ]
    lines.append("| " + " | ".join(cells) + " |")
display(Markdown("\n".join(lines)))

# %% [markdown]
# *Gone* is the share of the decoder's weights that are zero or cut out. Perplexity: lower is better.
# Accuracy: a multiple-choice task of the same texts, chance is 0.25, with its standard error. MACs,
# memory and time: of one pass over 128 tokens, the dense model's being 1. File: with 16 bits a value,
# without the zeros, the places of the others counted.

# %%
plots.comparison(rows, "The choice of weights decides the quality; only smaller matrices save anything")

# %% [markdown]
# Read it column by column: zeros, wherever they stand, save no multiplication, no memory and no time
# by themselves; a file that leaves them out is smaller. [Lab 08](../08_cost/08_cost.ipynb) makes this
# table, and says why.
