"""The shapes of models, by name or from a config.json, without torch and transformers, which take seconds."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

EMBEDDED = "smollm2-135m"
TINY = "tiny"
SMOLLM2 = {
    "vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
    "num_attention_heads": 9, "num_key_value_heads": 3, "head_dim": 64, "tie_word_embeddings": True,
    "max_position_embeddings": 8192,
}  # fmt: skip
SHAPES = {
    EMBEDDED: SMOLLM2,
    "smollm2-135m-hub": SMOLLM2,
    "tinyllama-1.1b-chat": {
        "vocab_size": 32000, "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22,
        "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 64, "tie_word_embeddings": False,
        "max_position_embeddings": 2048,
    },
    TINY: {
        "vocab_size": 256, "hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 12, "tie_word_embeddings": True,
        "max_position_embeddings": 2048,
    },
}  # fmt: skip

# What a config.json must say to be read here; transformers knows what others leave out
NEEDED = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "tie_word_embeddings",
)  # fmt: skip
KINDS = ("llama", "mistral", "qwen2")  # see widths.py


def config(name: str) -> SimpleNamespace | None:
    """The config of a named model, or of a folder or a config.json; None where this file cannot tell."""
    if name in SHAPES:
        return SimpleNamespace(model_type="llama", **SHAPES[name])
    path = Path(name) / "config.json" if Path(name).is_dir() else Path(name)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        clear = found["model_type"] in KINDS and all(isinstance(found[name], int) for name in NEEDED)
        return SimpleNamespace(**found) if clear else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def impossible(config: Any) -> str:
    """What no model can have, of the numbers in a config; "" if all is well."""
    for name in NEEDED[:-1]:
        if getattr(config, name) < 1:
            return f"{name} is {getattr(config, name)}"
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    return "" if heads % kv_heads == 0 else f"{kv_heads} key-value heads cannot share {heads} heads"
