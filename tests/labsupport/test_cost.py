"""What models cost: do the counts equal torch's own, and the packed bytes, and is a peak a peak?"""

import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from grader.course import ROOT
from labsupport import cost, expected, models
from labsupport.errors import LabError
from labsupport.given import blocks, macs, packing, plans
from labsupport.linears import pruned_linears
from labsupport.settings import device
from tests.sample import few

MIB = 2**20
TINYLLAMA = "tinyllama-1.1b-chat"


def agree(model, tokens: int) -> None:
    """The closed form equals torch's counter, to the last digit."""
    assert macs.counted_macs(model, tokens) == macs.model_macs(model, tokens) + macs.attention_macs(
        model, tokens
    )


def sliced(ratio: float = 0.5, layers: range = range(1, 2)):
    model = models.tiny(5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        blocks.prune_blocks(model, ratio, layers, "l1")
    return model


@pytest.mark.parametrize("tokens", [1, 2, 64])
@pytest.mark.parametrize("make", [models.tiny, sliced], ids=["dense", "sliced unevenly"])
def test_torch_counts_the_same(make, tokens):
    """A lab that says 'equal to the last digit' must not be off by one attention product."""
    model = make()
    agree(model, tokens)
    assert macs.model_macs(model, tokens) == macs.model_macs(model.config, tokens)
    assert macs.attention_macs(model, tokens) == macs.attention_macs(model.config, tokens) > 0


@pytest.mark.lengthy
@given(st.data())
def test_any_small_llama(data):
    """Whatever the heads, KV heads, widths and ratio, dense and sliced alike."""
    kv_heads, served = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
    depth = data.draw(st.integers(1, 3))
    config = LlamaConfig(
        vocab_size=data.draw(st.integers(5, 40)),
        hidden_size=data.draw(st.integers(1, 5)) * kv_heads * served,
        intermediate_size=data.draw(st.integers(1, 20)), num_hidden_layers=depth,
        num_attention_heads=kv_heads * served, num_key_value_heads=kv_heads,
        head_dim=data.draw(st.integers(1, 4)) * 2, tie_word_embeddings=data.draw(st.booleans()),
        attention_bias=data.draw(st.booleans()), mlp_bias=data.draw(st.booleans()),
    )  # fmt: skip
    torch.manual_seed(0)
    model, tokens = LlamaForCausalLM(config).eval(), data.draw(st.integers(1, 9))
    agree(model, tokens)
    dense = macs.model_macs(model, tokens)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        blocks.prune_blocks(model, data.draw(st.floats(0, 1)), range(data.draw(st.integers(0, depth))), "l1")
    agree(model, tokens)
    assert macs.model_macs(model, tokens) <= dense


def test_the_reports_numbers():
    """TinyLlama at 64 tokens, counted on the meta device: 66.203 G and 0.369 G, then 54.785 G and 0.310 G."""
    model = models.shape(TINYLLAMA)
    assert macs.model_macs(model, 64) == macs.model_macs(model.config, 64) == 66_202_894_336
    assert macs.attention_macs(model, 64) == 369_098_752
    agree(model, 64)
    plan = plans.plan(model.config, 0.3, range(4, 18), tokens=64)
    model.config.layer_widths = [vars(width) for width in plan.layers]
    assert round(macs.model_macs(model.config, 64) / 1e9, 3) == 54.785
    assert macs.model_macs(model.config, 64) == plan.macs_after
    assert round(macs.attention_macs(model.config, 64) / 1e9, 3) == 0.310


def test_reference_counts():
    """The lab's references are what the plan says of the course model, with no weights at all."""
    model = models.shape("smollm2-135m")
    plan = plans.plan(model.config, 0.5, range(30), tokens=128)
    dense, sliced = expected.COST["parameters, dense"], expected.COST["parameters, sliced"]
    assert (dense, sliced) == (plan.parameters_before, plan.parameters_after)
    linear = "MACs of Linear layers at 128 tokens"
    assert expected.COST[f"{linear}, dense"] == expected.COST[f"{linear}, zeros"] == plan.macs_before
    assert expected.COST[f"{linear}, sliced"] == plan.macs_after
    weights = [layer.weight for layer in pruned_linears(model).values()]
    assert expected.COST["bytes of decoder layers, dense, float32"] == 4 * sum(w.numel() for w in weights)
    two_of_four = sum(w.numel() * 2 + w.numel() // 8 for w in weights)  # half of the values, a bit a weight
    assert expected.COST["bytes of decoder layers, 2:4, float32"] == two_of_four


def test_zeros_cost_the_same(tiny_model):
    """The counter does not look at values."""
    zeros = models.tiny().apply(lambda m: m.weight.data.zero_() if isinstance(m, torch.nn.Linear) else None)
    assert macs.counted_macs(zeros, 8) == macs.counted_macs(tiny_model, 8)


def test_counting_changes_no_setting():
    """Attention runs as before afterwards, also when the model failed meanwhile."""
    model = models.tiny()
    flags = (torch.backends.cuda.flash_sdp_enabled, torch.backends.cuda.mem_efficient_sdp_enabled)
    before = (model.config._attn_implementation, *(flag() for flag in flags))
    macs.counted_macs(model, 4)
    model.lm_head = None
    with pytest.raises(TypeError):
        macs.counted_macs(model, 4)
    assert (model.config._attn_implementation, *(flag() for flag in flags)) == before
    assert torch.is_grad_enabled()


def in_a_fresh_process(call: str) -> None:
    """A call of this module in a process of its own, so that no peak holds what earlier tests left there."""
    command = [sys.executable, "-c", f"from tests.labsupport import test_cost as tests; tests.{call}"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("measure", few(("own way", "sampled"), of=("own way",)))
def test_a_peak_is_seen(measure):
    """64 MiB that live for a moment are seen; afterwards they are gone, from the next peak too."""
    if measure == "sampled" and device().type == "cuda":
        pytest.skip("CUDA keeps its own mark")
    in_a_fresh_process(f"peak_is_seen({measure!r})")


def peak_is_seen(measure: str) -> None:
    """Where a thread samples, the moment lasts until it has looked: its turn may come late."""
    peak_of = cost.peak_memory if measure == "own way" else cost._sampled_peak
    resident, looked = cost._resident, threading.Event()

    def look() -> int:
        found = resident()
        looked.set()
        return found

    def busy(sampled: bool = False) -> float:
        tensor = torch.ones(64 * MIB // 4, device=device())
        for _ in range(2 * sampled):  # the first look may have begun before the tensor was there
            looked.clear()
            assert looked.wait(300)
        return tensor.sin_().sum().item()

    busy()
    before = cost.allocated()
    cost._resident = look
    value, peak = peak_of(lambda: busy(measure == "sampled"))
    assert value == pytest.approx(0.84147 * 64 * MIB // 4, rel=1e-3)
    assert 60 * MIB < peak < 72 * MIB
    assert abs(cost.allocated() - before) < 4 * MIB
    _, quiet = peak_of(lambda: None)
    assert quiet < 4 * MIB


def test_a_peak_is_no_sum():
    """Four times 40 MiB, one after the other, peak at 40; held together they peak at 160."""
    in_a_fresh_process("peak_is_no_sum()")


def peak_is_no_sum() -> None:
    """Pieces of more than 32 MiB: smaller ones the C library may keep, and hand out again."""

    def piece(_) -> torch.Tensor:
        return torch.ones(40 * MIB // 4, device=device())

    _, one_by_one = cost.peak_memory(lambda: [piece(i).sum().item() for i in range(4)])
    held, together = cost.peak_memory(lambda: [piece(i) for i in range(4)])
    assert len(held) == 4
    assert 36 * MIB < one_by_one < 64 * MIB
    assert 152 * MIB < together < 172 * MIB


def test_peak_of_an_error():
    """An action that fails fails as it would alone, and the next measurement works."""
    with pytest.raises(ZeroDivisionError):
        cost.peak_memory(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cost._sampled_peak(lambda: 1 / 0)
    assert cost.peak_memory(lambda: 7)[0] == 7


def drawn(shape: tuple, sparsity: float, dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    weight = torch.randint(1, 9, shape, generator=generator).to(dtype)
    gone = torch.randperm(weight.numel(), generator=generator)[: round(sparsity * weight.numel())]
    weight.view(-1)[gone] = 0
    return weight


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("sparsity", [0.0, 0.37, 1.0])
@pytest.mark.parametrize("shape", [(3, 5), (8, 16), (1, 7)])
def test_packed_and_unpacked(shape, sparsity, dtype):
    """What is packed holds everything: the weight can be made again from the tensors alone."""
    weight = drawn(shape, sparsity, dtype)
    values, bits = packing.packed(weight, "bitmask")
    keep = torch.from_numpy(np.unpackbits(bits.numpy(), count=weight.numel())).bool().view(shape)
    assert torch.equal(torch.zeros(shape, dtype=dtype).masked_scatter(keep, values), weight)
    values, columns, pointers = packing.packed(weight, "csr")
    assert columns.dtype == pointers.dtype == torch.int32
    rows = torch.repeat_interleave(torch.arange(shape[0]), pointers.diff().long())
    again = torch.zeros(shape, dtype=dtype)
    again[rows, columns.long()] = values
    assert torch.equal(again, weight)
    assert packing.packed(weight, "dense") == [weight]


def test_two_of_four_packed_and_unpacked():
    """Two values and two places of 2 bits make every four weights; a third value has no room."""
    groups = torch.tensor([[0, 5, 0, 7], [1, 2, 0, 0], [0, 0, 3, 4], [6, 0, 0, 8], [0, 0, 9, 0]]).float()
    values, bits = packing.packed(groups.view(1, -1), "2:4")
    flags = torch.from_numpy(np.unpackbits(bits.numpy(), count=20)).view(5, 2, 2).long()
    places = 2 * flags[..., 0] + flags[..., 1]
    assert torch.equal(torch.zeros(5, 4).scatter(1, places, values), groups)
    assert packing.bytes_of([values, bits]) == 10 * 4 + 3
    groups[0, 0] = 1
    with pytest.raises(ValueError, match="2 of every 4"):
        packing.packed(groups.view(1, -1), "2:4")
    with pytest.raises(ValueError, match="form"):
        packing.packed(groups, "zip")


def test_formula_and_files():
    """The lab's formulas equal the bytes of torch's own tensors; CSR's are torch's, with int32 indices."""
    weight = drawn((24, 40), 0.5, torch.float16)
    sparse = weight.to_sparse_csr()
    kept = sparse.values().numel()
    assert kept == 480
    assert packing.bytes_of(packing.packed(weight, "csr")) == (
        sparse.values().nbytes + (sparse.col_indices().nbytes + sparse.crow_indices().nbytes) // 2
    )
    assert packing.bytes_of(packing.packed(weight, "bitmask")) == 480 * 2 + 120
    assert torch.equal(packing.csr(weight.float()).to_dense(), weight.float())


def test_weight_bytes_counts_shared_weights_once():
    """Tied embeddings are held once; half precision takes half."""
    model = models.tiny()
    count = sum(p.numel() for p in model.parameters())
    assert model.config.tie_word_embeddings
    assert cost.weight_bytes(model) == 4 * count
    assert cost.weight_bytes(model.half()) == 2 * count


def test_latency_calls_and_order():
    """One warm-up and so many repeats, in turns; the median lies in its own spread. No time is judged."""
    calls = []
    found = cost.latencies({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 5)
    assert calls == ["a", "b"] * 6
    for median, (low, high) in found.values():
        assert 0 < low <= median <= high
    median, (low, high) = cost.latency(lambda: None, 3)
    assert low <= median <= high


def test_no_kernel_is_said():
    """Without a GPU for 2:4, or with a shape that its kernels refuse, one sentence says so."""
    with pytest.raises(LabError, match="2:4"):
        cost.semi_structured(torch.ones(3, 4, device=device()))
