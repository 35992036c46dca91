"""The container: what goes in comes out, every byte is accounted for, and no file does harm."""

import copy
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from labsupport import container, models, widths
from labsupport.container import bit_packing
from labsupport.given.blocks import prune_blocks

CONFIG = LlamaConfig(
    vocab_size=16, hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2,
    num_key_value_heads=1, head_dim=4, tie_word_embeddings=True, max_position_embeddings=32,
)  # fmt: skip
UP, GATE = "model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.gate_proj.weight"
TOKENS = torch.arange(12)[None] % 16


@pytest.fixture(scope="module")
def small() -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(CONFIG).eval().requires_grad_(False)


def floats(model) -> dict[str, torch.Tensor]:
    return {name: weight.detach() for name, weight in model.named_parameters()}


def coded(name: str, bits: int, groups: int = 2, shape=(12, 8), zero: bool = True) -> dict:
    parts = {
        f"{name}.codes{bits}": torch.randint(2**bits, shape, dtype=torch.uint8),
        f"{name}.scale": torch.rand(shape[0], groups).half(),
    }
    return parts | ({f"{name}.zero": torch.randn(shape[0], groups).half()} if zero else {})


def with_up(model, parts: dict) -> bytes:
    """The file of a model whose up_proj is given in parts."""
    rest = {name: weight for name, weight in floats(model).items() if name != UP}
    return container.encode(rest | parts, CONFIG)


def decoded(file: bytes, name: str = UP) -> torch.Tensor:
    return dict(container.read(file, CONFIG).weights())[name]


def rich(model) -> bytes:
    """A file with every kind of section."""
    mask = torch.rand(12, 8) > 0.4
    down = "model.layers.1.mlp.down_proj.weight"
    two = torch.tensor([True, False, True, False] * 3).expand(8, 12)
    parts = {name: weight for name, weight in floats(model).items() if name not in (UP, GATE, down)}
    parts |= coded(UP, 3) | {f"{UP}.mask": mask}
    parts |= coded(GATE, 5, zero=False) | {
        f"{GATE}.left": torch.randn(12, 2),
        f"{GATE}.right": torch.randn(2, 8),
    }
    parts |= {down: floats(model)[down].half(), f"{down}.mask": two}
    return container.encode(parts, CONFIG)


def changed(file: bytes, change) -> bytes:
    """The file with another table."""
    length = int.from_bytes(file[8:12], "little")
    table = json.loads(file[12 : 12 + length])
    change(table)
    head = json.dumps(table).encode()
    return file[:8] + len(head).to_bytes(4, "little") + head + file[12 + length :]


def up(table: dict) -> dict:
    return next(entry for entry in table["weights"] if entry["name"] == UP)


# Bits


@given(st.integers(1, 8), st.integers(0, 200), st.integers(0, 2**32 - 1))
def test_codes_come_back(bits, count, seed):
    """Any number of codes, in exactly as many bytes as their bits need."""
    codes = np.random.default_rng(seed).integers(0, 2**bits, count, dtype=np.uint8)
    packed = bit_packing.packed_codes(codes, bits)
    assert len(packed) == bit_packing.code_bytes(count, bits) == -(-count * bits // 8)
    assert (bit_packing.unpacked_codes(packed, count, bits) == codes).all()


def test_codes_lie_where_the_format_says():
    """Whoever reads a file with other code finds them: from the lowest bit upwards."""
    assert bit_packing.packed_codes(np.array([1, 2, 3], dtype=np.uint8), 3) == bytes(
        [1 + 2 * 8 + (3 & 3) * 64, 0]
    )
    assert bit_packing.packed_codes(np.array([1, 15], dtype=np.uint8), 4) == bytes([0xF1])


@given(st.integers(1, 5), st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_a_2_of_4_mask_takes_two_thirds_of_a_bit(rows, fours, seed):
    draw = np.random.default_rng(seed)
    mask = np.stack([draw.permutation([True, True, False, False]) for _ in range(rows * fours)]).reshape(
        rows, -1
    )
    assert bit_packing.is_two_of_four(mask)
    packed = bit_packing.packed_two_of_four(mask)
    assert len(packed) == bit_packing.two_of_four_bytes(mask.size) == -(-mask.size // 12)
    assert (bit_packing.unpacked_two_of_four(packed, mask.size) == mask.reshape(-1)).all()


# A weight, in each of its forms


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_values_come_back_bit_for_bit(small, dtype):
    values = torch.randn(12, 8).to(dtype)
    assert torch.equal(decoded(with_up(small, {UP: values})), values.float())


@given(bits=st.integers(1, 8), groups=st.sampled_from([1, 2, 4, 8]), zero=st.booleans(),
       keep=st.sampled_from([None, 0.0, 0.3, 1.0]), rank=st.integers(0, 3))  # fmt: skip
def test_codes_make_the_weight_that_the_rules_promise(small, bits, groups, zero, keep, rank):
    """scale * code + zero, the dropped ones 0, and a low-rank part on top."""
    parts = coded(UP, bits, groups, zero=zero)
    codes, scale = parts[f"{UP}.codes{bits}"], parts[f"{UP}.scale"].float()
    zeros = parts[f"{UP}.zero"].float() if zero else -scale * 2 ** (bits - 1)
    size = 8 // groups
    wanted = scale.repeat_interleave(size, 1) * codes + zeros.repeat_interleave(size, 1)
    if keep is not None:
        parts[f"{UP}.mask"] = mask = torch.rand(12, 8) < keep
        wanted = wanted * mask
    if rank:
        left, right = torch.randn(12, rank).half(), torch.randn(rank, 8).half()
        parts |= {f"{UP}.left": left, f"{UP}.right": right}
        wanted = wanted + left.float() @ right.float()
    assert torch.allclose(decoded(with_up(small, parts)), wanted, atol=1e-6)


def test_a_rank_alone_is_a_weight(small):
    left, right = torch.randn(12, 2).half(), torch.randn(2, 8).half()
    found = decoded(with_up(small, {f"{UP}.left": left, f"{UP}.right": right}))
    assert torch.allclose(found, left.float() @ right.float())


def sections(file: bytes) -> int:
    return len(file) - 12 - int.from_bytes(file[8:12], "little")


@pytest.mark.parametrize(("parts", "size"), [
    ({UP: torch.zeros(12, 8)}, 4 * 96),
    ({UP: torch.zeros(12, 8).half()}, 2 * 96),
    (coded(UP, 3), 36 + 2 * 2 * 24),
    (coded(UP, 3, zero=False), 36 + 2 * 24),
    (coded(UP, 4) | {f"{UP}.mask": torch.arange(96).view(12, 8) % 3 == 0}, 12 + 16 + 2 * 2 * 24),
    (coded(UP, 4) | {f"{UP}.mask": torch.arange(96).view(12, 8) % 2 == 0}, 8 + 24 + 2 * 2 * 24),
    ({f"{UP}.left": torch.zeros(12, 2), f"{UP}.right": torch.zeros(2, 8)}, 2 * 2 * 20),
])  # fmt: skip
def test_every_byte_is_accounted_for(small, parts, size):
    """A student can say beforehand how large a file will be; only the table comes on top."""
    others = sum(weight.nbytes for name, weight in floats(small).items() if name != UP)
    file = with_up(small, parts)
    assert sections(file) == others + size
    assert len(file) - sections(file) < 110 * len(floats(small))


# A model


def test_a_whole_model_comes_back(small):
    """The values in float32 make the same logits; a tied head may be handed over and is not stored."""
    file = container.encode(small.state_dict(), CONFIG)
    assert file == container.encode(floats(small), CONFIG)
    torch.manual_seed(1)
    again = LlamaForCausalLM(CONFIG).eval()
    container.restore(again, container.read(file, CONFIG))
    assert torch.equal(again(TOKENS).logits, small(TOKENS).logits)


def test_a_dropped_block_is_gone_and_the_model_writes(small):
    """The cache of keys knows the new places: with and without it the same tokens come."""
    parts = {name: weight for name, weight in floats(small).items() if "layers.0." not in name}
    file = container.read(container.encode(parts | {"dropped": torch.tensor([0])}, CONFIG), CONFIG)
    model = copy.deepcopy(small)
    container.restore(model, file)
    wanted = copy.deepcopy(small)
    wanted.model.layers = wanted.model.layers[1:]
    assert torch.equal(model(TOKENS, use_cache=False).logits, wanted(TOKENS, use_cache=False).logits)
    more = {"attention_mask": torch.ones_like(TOKENS), "max_new_tokens": 6, "do_sample": False}
    assert (
        model.generate(TOKENS, use_cache=True, **more).tolist()
        == model.generate(TOKENS, use_cache=False, **more).tolist()
    )


def test_a_sliced_model_comes_back():
    """What lab 05 makes fits into a file, with layers of different widths."""
    dense = models.tiny()
    sliced = copy.deepcopy(dense)
    config = copy.deepcopy(dense.config)
    prune_blocks(sliced, 0.5, range(1, 2), "l1")
    file = container.read(container.encode(floats(sliced), config), config)
    container.restore(dense, file)
    assert widths.of_model(dense) == widths.of_model(sliced) and dense.config.layer_widths
    assert torch.equal(dense(TOKENS).logits, sliced(TOKENS).logits)


# Files from strangers


@pytest.mark.lengthy
def test_a_file_that_ends_too_early_is_refused_wherever_it_ends(small):
    file = rich(small)
    container.read(file, CONFIG)
    for length in range(len(file)):
        with pytest.raises(container.Refused):
            container.read(file[:length], CONFIG)


@pytest.mark.thorough
@pytest.mark.lengthy
def test_a_changed_byte_is_refused_or_makes_another_weight(small):
    """Each byte in turn: nothing but Refused comes out of it, and no weight is larger than the model's."""
    file, known = rich(small), {name: weight.shape for name, weight in floats(small).items()}
    for place in range(len(file)):
        damaged = bytearray(file)
        damaged[place] ^= 1 << place % 8
        try:
            for name, weight in container.read(bytes(damaged), CONFIG).weights():
                assert weight.shape == known[name] and bool(weight.isfinite().all())
        except container.Refused as problem:
            assert len(str(problem)) < 400


@pytest.mark.parametrize(("lie", "said"), [
    (lambda table: up(table).update(shape=[2**31, 2**31]), "it must be"),
    (lambda table: up(table).update(shape=[13, 8]), "it must be"),
    (lambda table: up(table).update(shape=[96]), "it must be"),
    (lambda table: up(table).update(shape=[0, 8]), "table cannot be read"),
    (lambda table: up(table).update(rank=2**31), "above 8, the smaller side"),
    (lambda table: up(table).update(groups=3), "do not divide"),
    (lambda table: up(table).update(groups=2**31), "do not divide"),
    (lambda table: up(table).update(groups=0), "codes have groups"),
    (lambda table: up(table).update(bits=9), "table cannot be read"),
    (lambda table: up(table).update(bits=8), "too early"),
    (lambda table: up(table).update(bits=0, groups=0, zeros=False), "must have values"),
    (lambda table: up(table).update(values="float16"), "must have values"),
    (lambda table: up(table).update(values="float64"), "table cannot be read"),
    (lambda table: up(table).update(mask="4:8"), "table cannot be read"),
    (lambda table: up(table).update(name="model.layers.7.mlp.up_proj.weight"), "no weight of the model"),
    (lambda table: up(table).update(name="x" * 10_000), "table cannot be read"),
    (lambda table: up(table).update(code="print()"), "table cannot be read"),
    (lambda table: table["weights"].append(up(table)), "twice"),
    (lambda table: table["weights"].remove(up(table)), "1 of 20 weights are missing"),
    (lambda table: table["weights"].extend([up(table)] * 2000), "table cannot be read"),
    (lambda table: table.update(dropped=[0]), "is in 'dropped'"),
    (lambda table: table.update(dropped=[0, 1]), "one block at least must stay"),
    (lambda table: table.update(dropped=[2]), "no block 2"),
    (lambda table: table.update(dropped=[-1]), "table cannot be read"),
    (lambda table: table.update(dropped=list(range(3000))), "table cannot be read"),
    (lambda table: table.update(dropped=[[[[]]]]), "table cannot be read"),
    (lambda table: table.update(more=1), "table cannot be read"),
])  # fmt: skip
def test_a_table_that_lies_is_refused_before_anything_is_decoded(small, lie, said):
    with pytest.raises(container.Refused, match=said):
        container.read(changed(rich(small), lie), CONFIG)


@pytest.mark.parametrize(("file", "said"), [
    (b"", "first eight bytes"),
    (b"PK\x03\x04" * 9, "no file of the course"),
    (b"SPEAKS01\xff\xff\xff\xff", "bytes; 1,048,576 are allowed"),
    (b"SPEAKS01" + (4).to_bytes(4, "little") + b"\xff\xfe{}", "cannot be read"),
    (b"SPEAKS01" + (9).to_bytes(4, "little") + b"[[[[[[[[[", "cannot be read"),
    (b"SPEAKS01" + (10**6).to_bytes(4, "little") + b"[" * 10**6, "cannot be read"),
])  # fmt: skip
def test_bytes_that_are_no_file(file, said):
    with pytest.raises(container.Refused, match=said):
        container.read(file, CONFIG)


def test_bytes_that_are_left_over_are_refused(small):
    """A file is as long as what it says: nothing travels behind it."""
    with pytest.raises(container.Refused, match="3 bytes are left over"):
        container.read(rich(small) + b"...", CONFIG)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("odd", [torch.nan, torch.inf])
def test_no_number_is_infinite(small, dtype, odd):
    """Neither on the way in nor in a file made by other means."""
    values = torch.zeros(12, 8, dtype=dtype)
    values[3, 4] = odd
    with pytest.raises(container.Refused, match="NaN or infinity"):
        with_up(small, {UP: values})
    right = with_up(small, {UP: torch.full((12, 8), 0.123, dtype=dtype)})
    number = bytes(torch.full((1,), 0.123, dtype=dtype).view(torch.uint8).tolist())
    damaged = right.replace(number, bytes(torch.full((1,), odd, dtype=dtype).view(torch.uint8).tolist()), 1)
    with pytest.raises(container.Refused, match="NaN or infinity"):
        container.read(damaged, CONFIG)


def test_a_2_of_4_byte_above_215_is_refused(small):
    file = rich(small)
    mask = bit_packing.packed_two_of_four(np.tile([True, False, True, False], 24))
    assert file.count(mask) == 1
    with pytest.raises(container.Refused, match="2:4 mask is 216"):
        container.read(file.replace(mask, b"\xd8" + mask[1:]), CONFIG)
