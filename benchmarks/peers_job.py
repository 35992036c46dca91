"""One model pruned by one tool in a process of its own; theirs runs where this project is not installed."""

import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.job import clocked, peak


def ours(method: str, folder: str, device: str) -> dict:
    """Seconds and peak memory of our function; the model is left in the folder."""
    from labsupport.given.input_norms import input_norms
    from labsupport.given.sparsegpt import prune_sparsegpt
    from labsupport.given.wanda import wanda_masks
    from labsupport.linears import apply_masks

    def prune(model, windows: torch.Tensor) -> None:
        batches = list(windows[:, None])
        if method == "Wanda":
            apply_masks(model, wanda_masks(model, input_norms(model, batches), 0.5))
        else:
            prune_sparsegpt(model, batches, 0.5, (2, 4) if "2:4" in method else None)

    return _measured(prune, Path(folder), "ours", device)


def theirs(method: str, folder: str, device: str) -> dict:
    """The same of llmcompressor's modifier."""
    from datasets import Dataset
    from llmcompressor import oneshot  # pyright: ignore[reportMissingImports]
    from llmcompressor.modifiers import pruning  # pyright: ignore[reportMissingImports]

    kind: Any = pruning.WandaPruningModifier if method == "Wanda" else pruning.SparseGPTModifier
    structure = "2:4" if "2:4" in method else "0:0"

    def prune(model, windows: torch.Tensor) -> None:
        tokens = windows.tolist()
        data = Dataset.from_dict({"input_ids": tokens, "attention_mask": [[1] * len(row) for row in tokens]})
        recipe = kind(sparsity=0.5, mask_structure=structure, targets=["Linear"], ignore=["re:.*lm_head"])
        oneshot(
            model=model, dataset=data, recipe=recipe, max_seq_length=windows.shape[1],
            num_calibration_samples=len(windows), shuffle_calibration_samples=False,
        )  # fmt: skip

    return _measured(prune, Path(folder), "theirs", device)


def _measured(prune, folder: Path, way: str, device: str) -> dict:
    """On a CPU its seconds, with one thread; on a GPU those of the clock, the device's queue included."""
    torch.set_num_threads(1)
    model = _loaded(folder / "dense").to(device)
    windows = torch.load(folder / "windows.pt")
    with torch.no_grad():
        model(windows[:1, :16].to(device))  # code is loaded on the first call
    started = time.process_time()
    _, waited = clocked(lambda: prune(model.eval(), windows))
    taken = time.process_time() - started if device == "cpu" else waited
    most = peak()
    model.save_pretrained(folder / way)
    return {"seconds": taken, "peak": most}


def _loaded(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
