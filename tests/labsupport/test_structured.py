"""Structured pruning: right counts, right couplings, sliced equals masked, and it can be kept."""

import ast
import json
import re
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from grader import course
from labsupport import __main__ as command
from labsupport import expected, models, settings, shapes, structured, widths
from labsupport.errors import LabError
from labsupport.given import blocks, macs, plans
from labsupport.given.perplexity import perplexity
from labsupport.linears import pruned_linears
from labsupport.settings import CPU
from tests.labsupport import small_hub

TOKENS = torch.randint(64, (2, 24), generator=torch.Generator().manual_seed(1))
BATCHES = list(TOKENS[:, None])


def llama(kv_heads=2, served=2, head_dim=4, channels=24, layers=2, hidden=72, tied=True, bias=False):
    """A small random Llama of any widths; hidden size is not heads * head_dim."""
    config = LlamaConfig(
        vocab_size=64, hidden_size=hidden, intermediate_size=channels, num_hidden_layers=layers,
        num_attention_heads=kv_heads * served, num_key_value_heads=kv_heads, head_dim=head_dim,
        tie_word_embeddings=tied, attention_bias=bias, mlp_bias=bias, initializer_range=0.3,
    )  # fmt: skip
    torch.manual_seed(0)
    model = LlamaForCausalLM(config).eval().requires_grad_(False)
    for name, weight in model.named_parameters():
        if name.endswith("bias"):
            weight.normal_()
    return model


def in_float64(model):
    """The model in double precision throughout: the norms of transformers leave it for float32 in any model.

    Sliced and masked add the same numbers in another order. A small random model can enlarge what float32
    rounds off to 1e-3, where a wrong slice may be no larger; here it stays below 1e-11.
    """
    for norm in model.double().modules():
        if isinstance(norm, LlamaRMSNorm):
            norm.forward = lambda x, w=norm.weight, eps=norm.variance_epsilon: functional.rms_norm(
                x, w.shape, w, eps
            )
    return model


def pruned(model, ratio, layers, criterion):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that nothing is to be removed is said elsewhere
        blocks.prune_blocks(model, ratio, layers, criterion, BATCHES)
    return model


# Counts


@pytest.mark.parametrize("criterion", structured.CRITERIA)
def test_the_reports_counts_come_out(criterion, monkeypatch):
    """TinyLlama at ratio 0.3 in layers 4 to 17 has 921,651,200 parameters, by every criterion."""
    model = models.shape("tinyllama-1.1b-chat")
    shapes = {name: linear.weight for name, linear in pruned_linears(model).items()}
    monkeypatch.setattr(blocks, "gradients", lambda *_: shapes)  # weights without values have none
    blocks.prune_blocks(model, 0.3, range(4, 18), criterion, [torch.zeros(1, 8, dtype=torch.long)])
    assert sum(weight.numel() for weight in model.parameters()) == 921_651_200
    layers = widths.of_model(model)
    assert layers[4:18] == [widths.Widths(3, 24, 3942)] * 14
    assert layers[:4] + layers[18:] == [widths.Widths(4, 32, 5632)] * 8


def test_the_plan_needs_no_weights():
    """plan gives the report's counts from a config, and the MACs of its Linear layers."""
    plan = plans.plan(models.config("tinyllama-1.1b-chat"), 0.3, range(4, 18))
    assert (plan.parameters_before, plan.parameters_after) == (1_100_048_384, 921_651_200)
    assert (plan.macs_before, plan.macs_after) == (66_202_894_336, 54_785_474_560)
    assert plan.notes == []


@pytest.mark.parametrize("kind", small_hub.KINDS)
@pytest.mark.parametrize("more", [{}, dict(tie_word_embeddings=True, attention_bias=True, mlp_bias=True)])
def test_the_plan_reads_a_config_without_torch(kind, more, tmp_path):
    """What config.json says is enough for the counts of every kind, biases and tied embeddings included."""
    model = small_hub.model(kind, **more)
    model.save_pretrained(tmp_path)
    read = plans.plan(shapes.config(str(tmp_path)), 0.0, range(3), tokens=5)
    assert read == plans.plan(model.config, 0.0, range(3), tokens=5)
    assert read.parameters_before == sum(weight.numel() for weight in model.parameters())
    assert read.macs_before == macs.linear_macs(model, 5)


@pytest.mark.lengthy
@given(
    kv_heads=st.integers(1, 4), served=st.integers(1, 3), head_dim=st.sampled_from((2, 4, 6)),
    channels=st.integers(1, 30), layers=st.integers(1, 3), tied=st.booleans(), bias=st.booleans(),
    ratio=st.floats(0, 1), criterion=st.sampled_from(structured.CRITERIA), data=st.data(),
)  # fmt: skip
def test_sliced_is_masked(kv_heads, served, head_dim, channels, layers, tied, bias, ratio, criterion, data):
    """For any heads, widths and ratio: sliced computes what dense with zeros computes."""
    first = data.draw(st.integers(0, layers))
    chosen = range(first, data.draw(st.integers(first, layers)))
    shape = dict(kv_heads=kv_heads, served=served, head_dim=head_dim, channels=channels, layers=layers)
    dense, sliced = (in_float64(llama(**shape, tied=tied, bias=bias)) for _ in range(2))
    pruned(sliced, ratio, chosen, criterion)
    plan = plans.plan(dense.config, ratio, chosen)
    assert widths.of_model(sliced) == plan.layers == widths.of_config(sliced.config)
    assert sum(weight.numel() for weight in sliced.parameters()) == plan.parameters_after
    assert all(min(width.kv_heads, width.heads, width.channels) >= 1 for width in plan.layers)
    zero_what_went(dense, sliced)
    torch.testing.assert_close(sliced(TOKENS).logits, dense(TOKENS).logits, rtol=0, atol=1e-9)


def zero_what_went(dense, sliced):
    """Set to zero, in the dense model, every output row that the sliced model lacks."""
    for old, new in zip(dense.model.layers, sliced.model.layers, strict=True):
        for block, names in (("self_attn", "qkv"), ("mlp", ("gate", "up"))):
            for name in names:
                before = getattr(getattr(old, block), f"{name}_proj")
                after = getattr(getattr(new, block), f"{name}_proj")
                there = {tuple(row.tolist()) for row in after.weight}
                gone = torch.tensor([tuple(row.tolist()) not in there for row in before.weight])
                assert int((~gone).sum()) == after.out_features
                before.weight[gone] = 0
                if before.bias is not None:
                    before.bias[gone] = 0


# An independent tool


def graph(model):
    tool = pytest.importorskip("torch_pruning")
    found = tool.DependencyGraph().build_dependency(
        model, example_inputs=TOKENS[:1, :4], forward_fn=lambda m, x: m(x, use_cache=False).logits
    )
    return tool, found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("criterion", "power"), [("l1", 1), ("l2", 2)])
@pytest.mark.parametrize("ratio", [0.3, 0.5])
def test_the_channels_of_torch_pruning_are_kept(criterion, power, ratio):
    """A general pruning library traces the MLP's coupling, scores it alike, and keeps the same weights."""
    ours, theirs = llama(channels=25), llama(channels=25).requires_grad_(True)
    tool, traced = graph(theirs)
    score = tool.importance.GroupMagnitudeImportance(p=power, group_reduction="sum", normalizer=None)
    pruned(ours, ratio, range(2), criterion)
    for index, layer in enumerate(theirs.model.layers):
        gate, rows = layer.mlp.gate_proj, tool.prune_linear_out_channels
        scores = score(traced.get_pruning_group(gate, rows, list(range(25))))
        gone = scores.argsort()[: 25 - int(25 * (1 - ratio))].tolist()
        traced.get_pruning_group(gate, rows, gone).prune()
        for name, linear in layer.mlp.named_children():
            if isinstance(linear, torch.nn.Linear):
                assert torch.equal(linear.weight, getattr(ours.model.layers[index].mlp, name).weight)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("criterion", "power"), [("l1", 1), ("l2", 2)])
def test_a_whole_model_comes_out_as_by_torch_pruning(criterion, power):
    """Its pruner, heads and channels at 50 %, leaves the same widths and weights of a multi-head model."""
    ours, theirs = llama(4, 1), llama(4, 1).requires_grad_(True)
    tool, _ = graph(theirs)
    attentions = [layer.self_attn for layer in theirs.model.layers]
    residual = [layer.mlp.down_proj for layer in theirs.model.layers] + [a.o_proj for a in attentions]
    tool.BasePruner(
        theirs, TOKENS[:1, :4],
        tool.importance.GroupMagnitudeImportance(p=power, group_reduction="sum", normalizer=None),
        pruning_ratio=0.5, head_pruning_ratio=0.5, prune_num_heads=True, prune_head_dims=False,
        num_heads={linear: 4 for a in attentions for linear in (a.q_proj, a.k_proj, a.v_proj)},
        ignored_layers=[*residual, theirs.lm_head], root_module_types=[torch.nn.Linear],
        forward_fn=lambda m, x: m(x, use_cache=False).logits,
    ).step()  # fmt: skip
    pruned(ours, 0.5, range(2), criterion)
    assert widths.of_model(theirs) == widths.of_model(ours) == [widths.Widths(2, 2, 12)] * 2
    for (name, weight), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert torch.equal(weight, other), name


def twin(model, power):
    """The multi-head model that computes nothing of use but whose heads, added up, score like the groups.

    Each query head gets a copy of its key-value head, scaled so that all copies weigh as one.
    """
    config = model.config
    served = config.num_attention_heads // config.num_key_value_heads
    heads = llama(config.num_attention_heads, 1, config.head_dim, config.intermediate_size)
    with torch.no_grad():
        for old, new in zip(model.model.layers, heads.model.layers, strict=True):
            for name in "qkvo":
                weight = getattr(old.self_attn, f"{name}_proj").weight
                if name in "kv":
                    copies = weight.view(config.num_key_value_heads, 1, config.head_dim, -1)
                    weight = copies.expand(-1, served, -1, -1).reshape(-1, weight.shape[1])
                    weight = weight / served ** (1 / power)
                getattr(new.self_attn, f"{name}_proj").weight.copy_(weight)
    return heads


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("criterion", "power"), [("l1", 1), ("l2", 2)])
@pytest.mark.parametrize("served", [1, 3])
def test_groups_are_those_of_torch_pruning(criterion, power, served):
    """Its scores of heads, added up over the query heads that one key-value head serves, are our scores.

    The library traces multi-head attention only, so grouped queries go through a multi-head twin.
    """
    model = llama(kv_heads=3, served=served)
    heads = twin(model, power).requires_grad_(True)
    tool, traced = graph(heads)
    score = tool.importance.GroupMagnitudeImportance(p=power, group_reduction="sum", normalizer=None)
    for ours, theirs in zip(model.model.layers, heads.model.layers, strict=True):
        out = theirs.self_attn.o_proj
        group = traced.get_pruning_group(out, tool.prune_linear_in_channels, list(range(out.in_features)))
        expected = score(group).view(3, -1).sum(dim=1)
        a = ours.self_attn
        weights = (a.q_proj.weight, a.k_proj.weight, a.v_proj.weight, a.o_proj.weight)
        assert torch.allclose(blocks.kv_group_importance(*weights, 4, 3, criterion), expected, rtol=1e-5)


# What is left works, and can be kept


@pytest.mark.parametrize("criterion", structured.CRITERIA)
@pytest.mark.parametrize("layers", [range(2), range(1, 2)])
def test_a_pruned_model_generates_and_reloads(tmp_path, criterion, layers):
    """It writes text, is saved without pickle, and comes back with the same perplexity exactly."""
    model = pruned(models.tiny(2), 0.5, layers, criterion)
    assert model.generate(TOKENS[:1], max_new_tokens=4, do_sample=False).shape == (1, 28)
    model.save_pretrained(tmp_path)
    source = set() if len(layers) == 2 else {".py"}  # equal widths fit into a stock config
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"} | source
    again = models.load(tmp_path)
    assert widths.of_model(again) == widths.of_model(model)
    assert perplexity(again, TOKENS) == perplexity(model, TOKENS)


def test_head_counts_that_no_plain_config_allows(tmp_path):
    """Three heads of four do not divide the hidden size: the model is saved and reloaded all the same."""
    model = pruned(llama(kv_heads=4, served=1, hidden=40), 0.3, range(2), "l1")
    assert widths.of_model(model) == [widths.Widths(3, 3, 16)] * 2
    model.save_pretrained(tmp_path)
    assert perplexity(models.load(tmp_path), TOKENS) == perplexity(model, TOKENS)


def test_a_damaged_width_list_is_one_sentence(tmp_path):
    """A pruned model whose config does not fit its weights is refused, not loaded half."""
    pruned(models.tiny(2), 0.5, range(1, 2), "l1").save_pretrained(tmp_path)
    place = tmp_path / "config.json"
    for damage in ([{"kv_heads": 1}] * 2, [{"kv_heads": 1, "heads": 2, "channels": 7}] * 2, [1]):
        place.write_text(json.dumps({**json.loads(place.read_text()), "layer_widths": damage}))
        with pytest.raises(LabError, match="cannot be read"):
            models.load(tmp_path)


def test_twice_pruned_is_pruned_of_what_was_left():
    """A second call starts from the widths that the first one left."""
    model = pruned(pruned(llama(kv_heads=4), 0.5, range(1), "l1"), 0.5, range(2), "l2")
    assert widths.of_model(model) == [widths.Widths(1, 2, 6), widths.Widths(2, 4, 12)]


@pytest.mark.parametrize(
    ("ratio", "layers", "criterion", "batches", "phrase"),
    [
        (-0.1, range(2), "l1", None, "from 0 to 1"),
        (float("nan"), range(2), "l1", None, "from 0 to 1"),
        (0.5, range(3), "l1", None, "no layer 2"),
        (0.5, range(2), "l3", None, "one of l1, l2, taylor, random"),
        (0.5, range(2), "taylor", None, "batches"),
    ],
)
def test_bad_arguments_change_nothing(ratio, layers, criterion, batches, phrase):
    """Each is one sentence, and the model is as it was."""
    model = llama()
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    with pytest.raises(ValueError, match=phrase):
        blocks.prune_blocks(model, ratio, layers, criterion, batches)
    assert all(torch.equal(before[name], weight) for name, weight in model.named_parameters())


def test_what_a_ratio_does_not_do_is_said():
    """Less than one head, and all of it: handled, and said."""
    with pytest.warns(UserWarning, match="Attention stays as it is"):
        blocks.prune_blocks(llama(), 0.3, range(2), "l1")
    with pytest.warns(UserWarning, match="none may end empty"):
        blocks.prune_blocks(llama(), 1.0, range(2), "l1")
    with pytest.warns(UserWarning, match="removes nothing"):
        blocks.prune_blocks(llama(), 0.0, range(2), "l1")


def test_gradients_leave_no_trace():
    """They are those of the loss, for the layers asked for, and the model is as before."""
    model = llama(layers=3)
    model.train()
    found = structured.gradients(model, BATCHES, range(1, 3))
    assert model.training
    assert all(weight.grad is None and not weight.requires_grad for weight in model.parameters())
    assert {name.split(".")[2] for name in found} == {"1", "2"} and len(found) == 14
    free = llama(layers=3).requires_grad_(True)
    sum(free(batch, labels=batch).loss for batch in BATCHES).backward()
    for name, weight in free.named_parameters():
        if name.removesuffix(".weight") in found:
            assert torch.allclose(found[name.removesuffix(".weight")], weight.grad, rtol=1e-4, atol=1e-6)


# The command


def test_the_command_prints_json(capsys):
    """What other programs read: the counts, and every layer."""
    arguments = [
        "plan",
        "tinyllama-1.1b-chat",
        "--ratio",
        "0.3",
        "--layers",
        "4:18",
        "--tokens",
        "64",
        "--json",
    ]
    assert command.main(arguments) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["parameters_after"] == 921_651_200
    assert printed["macs_before"] == 66_202_894_336
    assert printed["layers"][4] == {"layer": 4, "kv_heads": 3, "heads": 24, "channels": 3942}
    assert len(printed["layers"]) == 22


def test_the_command_takes_a_path(capsys, tmp_path):
    """A saved model, sliced or not, can be planned from its folder and from its config.json."""
    pruned(models.tiny(2), 0.5, range(1, 2), "l1").save_pretrained(tmp_path)
    assert command.main(["plan", str(tmp_path), "--ratio", "0"]) == 0
    folder = capsys.readouterr().out
    assert command.main(["plan", str(tmp_path / "config.json"), "--ratio", "0"]) == 0
    assert capsys.readouterr().out == folder
    assert "Ratio 0 removes nothing." in folder


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        ("plan nosuch --ratio 0.3", "no model called 'nosuch'"),
        ("plan tiny --ratio 2", "must be from 0 to 1"),
        ("plan tiny --ratio 0.3 --layers 1:9", "no layer 2"),
        ("plan tiny --ratio 0.3 --layers x", "must be A:B"),
        ("plan tiny --ratio 0.3 --tokens 0", "1 or more"),
    ],
)
def test_bad_input_is_one_sentence(arguments, phrase, capsys):
    """And exit status 2."""
    assert command.main(arguments.split()) == 2
    said = capsys.readouterr()
    assert phrase in said.err and said.err.count("\n") == 1 and not said.out


@pytest.mark.parametrize("content", ["{", '{"model_type": "gpt2"}', '{"model_type": "nosuch"}'])
def test_no_llama_is_one_sentence(content, capsys, tmp_path):
    """A config that is damaged or of another kind."""
    (tmp_path / "config.json").write_text(content)
    assert command.main(["plan", str(tmp_path), "--ratio", "0.3"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_coupled_matrices_are_named_in_the_papers_order_and_replaced_in_place():
    """prune_blocks of lab 05 hands these weights to functions that take gate, up, down and q, k, v, o."""
    model = llama()
    block = model.model.layers[1]
    mlp, attention = structured.mlp(model, 1), structured.attention(model, 1)
    assert [name.rsplit(".", 1)[1] for name in (*mlp, *attention)] == [
        "gate_proj", "up_proj", "down_proj", "q_proj", "k_proj", "v_proj", "o_proj",
    ]  # fmt: skip
    assert list(mlp.values()) == [block.mlp.gate_proj, block.mlp.up_proj, block.mlp.down_proj]
    assert all(pruned_linears(model)[name] is linear for name, linear in (mlp | attention).items())
    gate, up, down = structured.weights(mlp)
    assert gate.data_ptr() == block.mlp.gate_proj.weight.data_ptr(), "no second copy of the weights"
    structured.replace(mlp, (gate[:5], up[:5], down[:, :5]))
    assert block.mlp.down_proj.in_features == 5 and torch.equal(block.mlp.up_proj.weight, up[:5])


def test_the_table_of_lab_05_has_a_reference_for_each_of_its_numbers(monkeypatch):
    """Its ratios are those that were measured, in four digits and without a stray point."""
    monkeypatch.setattr(settings, "current", lambda: CPU)
    source = course.source(course.lab("05")).read_text(encoding="utf-8")
    ratios = ast.literal_eval(re.search(r"^ratios = (\(.+\))$", source, re.MULTILINE)[1])
    found = expected.structured()
    assert found.keys() == {(criterion, ratio) for criterion in structured.CRITERIA for ratio in ratios}
    assert all(re.fullmatch(r"\d+(\.\d+)?", value) for value in found.values())
