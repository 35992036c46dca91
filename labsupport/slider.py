"""A slider over the sparsity of a model: perplexity, a few words, and a patch of a mask. Never graded."""

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedTokenizerFast

from labsupport import linears, plots
from labsupport.given.perplexity import perplexity
from labsupport.graded import being_graded

Masks = dict[str, torch.Tensor]  # by layer: bool [out, in], True = keep
PROMPT = "The state of our union is"
WORDS = 10  # tokens that the pruned model adds to the prompt
PATCH = (16, 48)  # rows and columns of the mask that is drawn


def explore(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerFast,
    token_windows: torch.Tensor,
    methods: dict[str, Callable[[float], Masks]],
) -> None:
    """Show what a sparsity does to a model: a slider, or one figure at 50 % where no slider is shown.

    model: dense, and dense again after every look. token_windows: int64 [n, L]; one of 128 tokens answers
    in about two seconds on a CPU. methods: by name, sparsity -> masks. Under grading nothing happens.
    """
    if being_graded():
        return

    def look(sparsity: float, names: list[str]) -> None:
        """Measure the model at one sparsity, print its words, draw a patch of a mask of each method."""
        patches = {}
        for name in names:
            masks = methods[name](sparsity)
            with linears.masked(model, masks):
                found, words = perplexity(model, token_windows), _words(model, tokenizer)
            print(f"{name}: {words}")
            layer = list(masks)[len(masks) // 2]
            patches[f"{name}\nperplexity {found:,.1f}"] = masks[layer][: PATCH[0], : PATCH[1]]
        plots.mask_patterns(patches, f"{sparsity:.0%} of the weights are gone: full squares stay, in {layer}")

    if widgets_are_shown():
        _slider(look, list(methods))
    else:
        look(0.5, list(methods))


def widgets_are_shown() -> bool:
    """Whether a person looks at this kernel, in JupyterLab or VS Code.

    Jupyter's server tells a kernel the name of its notebook; a run by nbclient or Validate does not.
    """
    return "JPY_SESSION_NAME" in os.environ or "VSCODE_PID" in os.environ


def _slider(look: Callable[[float, list[str]], None], names: list[str]) -> None:
    """A slider for the sparsity and buttons for the method, above what `look` shows."""
    import ipywidgets
    from IPython.display import display

    sparsity = ipywidgets.FloatSlider(
        0.5, min=0, max=0.9, step=0.1, description="sparsity", readout_format=".0%", continuous_update=False
    )
    method = ipywidgets.ToggleButtons(options=names, description="method")
    shown = ipywidgets.interactive_output(
        lambda sparsity, method: look(sparsity, [method]), {"sparsity": sparsity, "method": method}
    )
    display(ipywidgets.VBox([sparsity, method, shown]))


@torch.no_grad()
def _words(model: Any, tokenizer: PreTrainedTokenizerFast) -> str:
    """The prompt, and how the model goes on by the likeliest token."""
    ids: Any = tokenizer(PROMPT, return_tensors="pt", add_special_tokens=False)["input_ids"]  # [1, T]
    ids = ids.to(model.device)
    tokens = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=WORDS, do_sample=False, pad_token_id=0
    )
    return repr(tokenizer.decode(tokens[0]))
