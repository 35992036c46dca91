"""Course models by name: source, device and dtype."""

import contextlib
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from torch import nn
from transformers import (
    AutoConfig,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging

from labsupport import settings
from labsupport.errors import LabError, reason
from labsupport.fetch import cache, embedded, hub
from labsupport.shapes import EMBEDDED, SHAPES, TINY
from labsupport.table import layer_table
from labsupport.widths import KINDS

logging.disable_progress_bar()  # transformers writes its bars to standard error; we show our own
logging.set_verbosity_error()
# peft uses a name that transformers has deprecated
warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)

HUB = {
    "smollm2-135m-hub": "HuggingFaceTB/SmolLM2-135M-Instruct",
    "tinyllama-1.1b-chat": "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
}
HUB_FILES = [
    "config.json", "generation_config.json", "model.safetensors",
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
]  # fmt: skip
NAMES = (EMBEDDED, *HUB, TINY)


_ready: dict[tuple, LlamaForCausalLM] = {}


def keep_ready() -> None:
    """Load the course model into the host's memory before a fork; each child's first `load` takes it."""
    model = load(device="cpu")
    _ready[settings.current().model, model.dtype] = model


def load(name: str | Path | None = None, device=None, dtype: torch.dtype | None = None) -> LlamaForCausalLM:
    """A course model in eval mode without gradients; `smollm2-135m` is converted on first use.

    name: one of NAMES, or a folder written by save_pretrained; by default the course model of settings.py.
    device and dtype default to those of settings.py. Raises LabError for an unknown name, and for a model
    that can neither be loaded nor downloaded.
    """
    name = known(name)
    device = settings.device() if device is None else torch.device(device)
    dtype = settings.current().dtype if dtype is None else dtype
    if device.type == "cuda" and not torch.cuda.is_available():
        raise LabError("There is no CUDA device here; leave `device` out or say 'cpu'.")
    if name == TINY:
        small: Any = tiny(seed=0)  # transformers declares `to` without its model
        return small.to(device, dtype)
    if (name, dtype) in _ready:
        ready: Any = _ready.pop((name, dtype))
        return ready.to(device)
    source = location(name)
    with _readable(name, source):
        found = AutoConfig.from_pretrained(source)
    kind = must_be_llama(found, source)[hasattr(found, "layer_widths")]
    with _readable(name, source):
        loaded: Any = kind.from_pretrained(
            source, dtype=dtype, use_safetensors=True, output_loading_info=True, ignore_mismatched_sizes=True
        )
        model, there = loaded
        _must_be_all(there)
    return model.to(device).eval().requires_grad_(False)


def _must_be_all(there: dict) -> None:
    """Raise ValueError if the files lack a weight, which would be random, or hold one too many or another."""
    if other := sorted(there["mismatched_keys"], key=lambda each: each[0]):
        name, stored, expected = other[0]
        raise ValueError(f"{name} is {list(stored)} in its files, and {list(expected)} by its config")
    for kind, says in (("missing_keys", "lack"), ("unexpected_keys", "hold, and its config does not know,")):
        if names := sorted(there[kind]):
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise ValueError(f"its files {says} {names[0]}{more}")


def tokenizer(name: str | Path | None = None) -> PreTrainedTokenizerFast:
    """The tokenizer that belongs to a course model."""
    name = known(name)
    if name == TINY:
        return byte_tokenizer()
    source = location(name)
    if not any((source / file).is_file() for file in ("tokenizer.json", "tokenizer.model")):
        raise LabError(f"There is no tokenizer in {source}: tokenizer.json and tokenizer_config.json of the "
                       "model that it was made from belong there.")  # fmt: skip
    with _readable(name, source, "tokenizer"):
        return AutoTokenizer.from_pretrained(source)


def known(name: str | Path | None) -> str:
    """The name or folder itself, or the course model's for None; raises LabError for an unknown one."""
    name = settings.current().model if name is None else str(name)
    with contextlib.suppress(OSError):  # a name that is too long is none
        if name in NAMES or (Path(name) / "config.json").is_file() or _on_the_hub(name):
            return name
    raise LabError(
        f"There is no model called '{name}'. Known: {', '.join(NAMES)}, "
        "or a folder that save_pretrained made, or OWNER/NAME on the model hub."
    )


def _on_the_hub(name: str) -> bool:
    """Whether a name can only be that of a model on the hub, such as TinyLlama/TinyLlama-1.1B-Chat-v1.0."""
    return re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name) is not None and not Path(name).exists()


def location(name: str) -> Path:
    """The folder of this model's files, downloaded first if they are missing; raises LabError."""
    if name == EMBEDDED:
        target = cache.folder() / EMBEDDED
        if not _complete(target):
            with cache.alone(target):
                if not _complete(target):  # another process may have finished it in the meantime
                    embedded.make(target)
        return target
    if name in HUB or _on_the_hub(name):
        return _from_hub(name)
    return Path(name)


def stored_config(name: str) -> PretrainedConfig:
    """The config that is stored with a model; raises LabError for another architecture."""
    if name == TINY:
        return config(name)
    folder = location(name)
    with _readable(name, folder):
        found = AutoConfig.from_pretrained(folder)
    must_be_llama(found, folder)
    return found


def fetch(name: str) -> Path:
    """Download a model, again if its stored files are damaged; its folder. Raises LabError."""
    folder = location(known(name))
    try:
        for file in sorted(folder.glob("*.safetensors")) or [folder / "model.safetensors"]:
            with safe_open(file, "pt") as weights:  # reads the header, checks the length
                weights.keys()
        AutoTokenizer.from_pretrained(folder)
    except Exception as problem:
        if name == EMBEDDED:
            with cache.alone(folder):
                embedded.make(folder)
        elif name in HUB or _on_the_hub(name):
            _from_hub(name, again=True)
        else:
            raise LabError(
                f"The model stored in {folder} cannot be read ({reason(problem)}): nobody else has it."
            ) from problem
    return folder


def _complete(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("config.json", "model.safetensors", "tokenizer.json"))


def _from_hub(name: str, again: bool = False) -> Path:
    instead = f"the embedded model '{EMBEDDED}' needs no hub."
    if name not in HUB:
        return hub.model(name, instead=instead, again=again)
    return hub.files(HUB[name], HUB_FILES, instead=instead, again=again)[0].parent


@contextlib.contextmanager
def _readable(name: str, folder: Path, what: str = "model") -> Iterator[None]:
    try:
        yield
    except Exception as problem:
        mend = f" `python -m labsupport fetch {name}` gets it again." if name in NAMES else ""
        raise LabError(
            f"The {what} stored in {folder} cannot be read ({reason(problem)}).{mend}"
        ) from problem


def tiny(seed: int = 0) -> LlamaForCausalLM:
    """A random Llama of 0.1 million weights with grouped-query attention, in eval mode, without a file.

    One input channel of every norm is an outlier channel, as in real models, so that activations matter.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(LlamaConfig(**SHAPES[TINY], initializer_range=0.2))
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if name.endswith("layernorm.weight"):
                    weight.uniform_(0.5, 1.5)
                    weight[torch.randint(len(weight), ())] = 8.0
    return model.eval().requires_grad_(False)


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """The tiny model's tokenizer: one token per byte, 256 in all, made without a file."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(BPE(vocab={letter: index for index, letter in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=core)


def shape(name: str) -> LlamaForCausalLM:
    """The architecture of a named model on the meta device: shapes and counts, no weights, no file."""
    if name not in SHAPES:
        raise LabError(f"There is no shape called '{name}'. Known: {', '.join(SHAPES)}.")
    with torch.device("meta"):
        return LlamaForCausalLM(LlamaConfig(**SHAPES[name]))


def config(name: str | Path) -> PretrainedConfig:
    """The config of a named model, or of a Llama in a folder or a config.json; raises LabError."""
    if isinstance(name, str) and name in SHAPES:
        return LlamaConfig(**SHAPES[name])
    path = location(str(name)) if _on_the_hub(str(name)) else Path(name)
    if not (path.is_file() or (path / "config.json").is_file()):
        raise LabError(
            f"There is no model called '{name}'. Known: {', '.join(SHAPES)}, "
            "or a folder with a config.json, or that file."
        )
    try:
        found = AutoConfig.from_pretrained(path)
    except Exception as problem:
        raise LabError(f"The config in {path} cannot be read ({reason(problem)}).") from problem
    must_be_llama(found, path)
    return found


def must_be_llama(
    found: PretrainedConfig, place: Path
) -> tuple[type[PreTrainedModel], type[PreTrainedModel]]:
    """The classes of a config's model type in `widths.KINDS`; raises LabError for another architecture."""
    if found.model_type not in KINDS:
        raise LabError(
            f"The model in {place} is of type {found.model_type}: "
            f"only models of type {', '.join(KINDS)} can be pruned here."
        )
    return KINDS[found.model_type]


def describe(model: nn.Module) -> None:
    """Print the layers with shapes and parameter counts; equal decoder layers share one line.

    The table of the report's third chapter, with the counts that are missing there.
    """
    print(layer_table(model))
