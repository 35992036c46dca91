"""An engine that is not ours runs the files of lab 11: does it write what transformers writes?"""

import pytest
import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from labsupport import engine, gguf_file, given, linears, models
from labsupport.errors import LabError

PROMPT, TOKENS = "The work", 24
CLOSE = 0.1  # a logit; the engine computes with 16 bits, and its first choice may be our second by a hair


@pytest.fixture
def there():
    """Only where the engine is installed; .ci/run sees to it."""
    pytest.importorskip(engine.NAME, reason="there is no engine here: pip install pruning-labs[engine]")


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    """Bytes, and one merge: an engine reads no tokenizer that has none."""
    words = [*sorted(pre_tokenizers.ByteLevel.alphabet())[:-1], "or"]
    core = Tokenizer(BPE(vocab={word: index for index, word in enumerate(words)}, merges=[("o", "r")]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=core, bos_token=words[0], eos_token=words[1])


@pytest.fixture
def model() -> LlamaForCausalLM:
    """Random, of four blocks, its matrices whole blocks of 32."""
    sizes = {"hidden_size": 64, "intermediate_size": 96, "head_dim": 16, "num_hidden_layers": 4}
    config = LlamaConfig(**{**models.SHAPES[models.TINY], **sizes}, initializer_range=0.2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return LlamaForCausalLM(config).requires_grad_(False)


def lost(model, tokenizer, path, read) -> torch.Tensor:
    """How far each token that the engine chooses is below the best by our logits: float32 [TOKENS]."""
    blocks = {
        name: read(*given.quantise(linear.weight, 4, 32))
        for name, linear in linears.pruned_linears(model).items()
    }
    gguf_file.write(path, model, tokenizer, blocks)
    found = engine.run(path, PROMPT, TOKENS)
    assert len(found.tokens) == TOKENS
    assert found.tokens_per_second > 0 and found.peak > path.stat().st_size
    prompt = tokenizer(PROMPT, return_tensors="pt").input_ids  # [1, L]
    written = torch.tensor([found.tokens])  # [1, TOKENS]
    logits = gguf_file.read(path)(torch.cat([prompt, written], 1)).logits[0, prompt.shape[1] - 1 : -1]
    return logits.max(1).values - logits.gather(1, written.T)[:, 0]


@pytest.mark.lengthy
def test_it_writes_what_transformers_writes(there, model, tokenizer, tmp_path):
    """The best token by our logits or one as good, with all blocks and with half of them."""
    for keep in ([0, 1, 2, 3], [0, 3]):
        given.drop_blocks(model, keep)
        assert lost(model, tokenizer, tmp_path / "phone.gguf", engine.as_read).max() < CLOSE


@pytest.mark.lengthy
def test_it_rounds_the_zero_of_a_group(there, model, tokenizer, tmp_path):
    """With zeros between two codes it computes another model. When this fails, lab 11 need not say so."""
    assert lost(model, tokenizer, tmp_path / "phone.gguf", lambda *block: block).max() > CLOSE


@pytest.mark.lengthy
def test_a_file_that_it_refuses(there, tmp_path):
    """One sentence with the engine's reason."""
    path = tmp_path / "phone.gguf"
    path.write_bytes(b"no model")
    with pytest.raises(LabError, match="The engine cannot run phone.gguf: "):
        engine.run(path, PROMPT)


def test_without_an_engine(monkeypatch, tmp_path):
    """The sentence says what to install."""
    monkeypatch.setattr(engine, "NAME", "no_such_engine")
    assert not engine.installed()
    with pytest.raises(LabError, match="pip install openvino-genai"):
        engine.run(tmp_path / "phone.gguf", PROMPT)
