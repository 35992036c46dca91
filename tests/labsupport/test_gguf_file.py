"""A GGUF file of our own: does another reader find in it the weights that were measured?"""

import gguf
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from labsupport import gguf_file, given, models
from labsupport.linears import pruned_linears


@pytest.fixture
def model() -> LlamaForCausalLM:
    """A random Llama whose matrices are whole blocks, with fewer KV heads than query heads."""
    sizes = {"hidden_size": 64, "intermediate_size": 96, "head_dim": 16}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        found = LlamaForCausalLM(
            LlamaConfig(**{**models.SHAPES[models.TINY], **sizes}, initializer_range=0.2)
        )
    return found.eval().requires_grad_(False)


def on_grid(model) -> dict:
    """Codes, scale and zero of every matrix; the model has the weights that they stand for afterwards."""
    found = {}
    for name, linear in pruned_linears(model).items():
        codes, scale, zero = given.quantise(linear.weight, 4, 32)
        found[name] = (codes, scale, zero)
        linear.weight.copy_(given.dequantise(codes, scale.half(), zero.half(), 32))
    return found


def test_what_a_phone_loads_is_what_was_measured(model, tmp_path):
    """Matrices bit for bit, q and k in their own order again, and the same logits."""
    blocks = on_grid(model)
    gguf_file.write(tmp_path / "phone.gguf", model, models.byte_tokenizer(), blocks)
    back = gguf_file.read(tmp_path / "phone.gguf")
    ours, theirs = dict(model.named_parameters()), dict(back.named_parameters())
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        if name == "model.embed_tokens.weight":
            assert (weight - theirs[name]).abs().max() <= weight.abs().max() / 127
            weight.copy_(theirs[name])
        else:
            assert torch.equal(weight, theirs[name]), name
    tokens = torch.arange(40)[None]
    assert torch.equal(model(tokens).logits, back(tokens).logits)


def test_matrices_that_are_no_whole_blocks_stay_as_they_are(tiny_model, tmp_path):
    """A row of 48 weights does not fit into blocks of 32: nothing is rounded, and nothing is lost."""
    gguf_file.write(tmp_path / "tiny.gguf", tiny_model, models.byte_tokenizer(), {})
    back = dict(gguf_file.read(tmp_path / "tiny.gguf").named_parameters())
    assert all(torch.equal(weight, back[name]) for name, weight in tiny_model.named_parameters())


def test_a_block_is_five_bits_a_weight(model, tmp_path):
    """The file takes what the lab counts: 20 bytes for 32 weights; and it brings its words along."""
    gguf_file.write(tmp_path / "phone.gguf", model, models.byte_tokenizer(), on_grid(model))
    reader = gguf.GGUFReader(tmp_path / "phone.gguf")
    sizes = {tensor.name: int(tensor.n_bytes) for tensor in reader.tensors}
    assert sizes["blk.1.ffn_down.weight"] == 64 * 96 * 5 / 8
    assert sizes["token_embd.weight"] == 256 * 64 * 8.5 / 8
    assert len(reader.fields["tokenizer.ggml.tokens"].data) == 256


def test_our_blocks_are_those_of_the_format():
    """gguf's own code packs the same weights into the same bytes."""
    weight = torch.randint(-8, 8, (3, 64), generator=torch.Generator().manual_seed(1)) / 2.0
    weight[:, ::32], weight[:, 1::32] = -4.0, 3.5  # the ends of a grid whose step float16 holds
    theirs = gguf.quantize(weight.numpy(), gguf.GGMLQuantizationType.Q4_1)
    assert (gguf_file.q4_1(*given.quantise(weight, 4, 32)) == theirs).all()
