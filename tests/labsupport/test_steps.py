"""The report's steps as commands: right numbers, whole files, and one sentence for what goes wrong."""

import hashlib
import json
import math
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from labsupport import __main__ as command
from labsupport import models, reported, widths, zeroshot
from labsupport.errors import LabError
from labsupport.fetch import books, hub
from labsupport.given import blocks, lora, macs
from labsupport.linears import model_sparsity, pruned_linears
from labsupport.planning import plan_widths
from labsupport.steps import calibration, measure, record, report, texts, training
from tests.labsupport import small_hub

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`")
TINYLLAMA = "tinyllama-1.1b-chat"
TAYLOR = "--criterion taylor --ratio 0.5 --layers 1:3 --calibrate sotu:4x32"


def run(line: str) -> int:
    return command.main(line.split())


def made(folder: str) -> dict:
    """The last step of made.json."""
    return json.loads(Path(folder, "made.json").read_text())["steps"][-1]


def weights_of(folder: str | Path) -> dict:
    return models.load(folder).state_dict()


# prune


@pytest.mark.lengthy
@pytest.mark.parametrize("criterion", ["taylor", "l1", "l2", "random"])
def test_a_criterion_is_that_of_the_labs(offline, criterion, capsys):
    """The folder holds what prune_blocks makes of the model, and a JSON says how it was made."""
    calibrate = " --calibrate sotu:4x32" if criterion == "taylor" else ""
    line = f"prune {TINYLLAMA} --to out --criterion {criterion} --ratio 0.5 --layers 1:3 --seed 3{calibrate}"
    assert run(line) == 0
    model = models.load(TINYLLAMA)
    windows = calibration.Calibration("sotu", 4, 32, 3).windows(models.tokenizer(TINYLLAMA))
    blocks.prune_blocks(model, 0.5, range(1, 3), criterion, [windows], seed=3)
    after = weights_of("out")
    assert after.keys() == model.state_dict().keys()
    assert all(torch.equal(after[name], weight) for name, weight in model.state_dict().items())
    step = made("out")
    assert (step["criterion"], step["ratio"], step["layers"], step["seed"]) == (criterion, 0.5, [1, 3], 3)
    assert step["from"] == {"model": TINYLLAMA, "weights": reported.WEIGHTS}
    assert step["parameters"]["after"] == sum(weight.numel() for weight in model.parameters())
    assert (step["calibration"] is None) == (criterion != "taylor")
    assert f"#Param after: {step['parameters']['after']}" in capsys.readouterr().out


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("options", "share"),
    [
        ("--method magnitude --sparsity 0.5", 0.5),
        ("--method magnitude --pattern 2:4", 0.5),
        ("--method wanda --sparsity 0.25 --calibrate sotu:2x32", 0.25),
        ("--method wanda --pattern 4:8 --calibrate sotu:2x32", 0.5),
        ("--method wanda --pattern 1:4 --calibrate wikitext2:2x32", 0.75),
    ],
)
def test_a_method_sets_its_share_to_zero(offline, options, share):
    """The other weights are bit-identical, and a plain Llama can hold the result."""
    assert run(f"prune {TINYLLAMA} --to out {options}") == 0
    dense, after = weights_of(offline), weights_of("out")
    assert model_sparsity(models.load("out")) == pytest.approx(share, abs=0.01)
    assert all(bool(((w == dense[name]) | (w == 0)).all()) for name, w in after.items())
    assert not Path("out", "sliced_llama.py").exists()
    if "--pattern" in options:
        keep, of = made("out")["pattern"]
        for linear in pruned_linears(models.load("out")).values():
            assert bool(((linear.weight != 0).unflatten(1, (-1, of)).sum(dim=2) == keep).all())


def test_steps_follow_one_another(offline):
    """A folder that was pruned twice says so, and from what."""
    assert run(f"prune {TINYLLAMA} --to one {TAYLOR}") == 0
    assert run("prune one --to two --method magnitude --sparsity 0.3") == 0
    first, second = json.loads(Path("two", "made.json").read_text())["steps"]
    assert (first["criterion"], second["method"]) == ("taylor", "magnitude")
    assert second["from"] == {"model": "one", "weights": record.digest(Path("one"))}


@pytest.mark.parametrize(
    "text", ["{}", "[]", '{"steps": 5}', '{"steps": [5]}', '{"steps": [{"step": "prune"}]}']
)
def test_a_damaged_history_is_one_sentence(offline, text, capsys):
    """Before anything is loaded: a result whose beginning nobody knows would be no result."""
    Path(offline, "made.json").write_text(text)
    assert run(f"prune {offline} --to out --method magnitude --sparsity 0.3") == 2
    said = capsys.readouterr().err
    assert "nobody knows what was pruned here" in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda weights: weights.pop("lm_head.weight"), "its files lack lm_head.weight)"),
        (lambda weights: weights.update({"score.weight": torch.zeros(2)}), "does not know, score.weight)"),
    ],
)
def test_no_weight_is_random_or_left_out(offline, change, sentence, capsys):
    """A folder that lacks a weight, or has one that the config does not know, is of another model."""
    weights = load_file(offline / "model.safetensors")
    change(weights)
    save_file(weights, offline / "model.safetensors", {"format": "pt"})
    assert run(f"measure {offline}") == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1


def test_half_precision_stays(offline, tmp_path):
    """A cut needs no more digits than the weights had: no file grows by being pruned."""
    half = small_hub.saved(tmp_path / "half", small_hub.model().to(torch.bfloat16))
    assert run(f"prune {half} --to out --criterion l1 --ratio 0.5") == 0
    assert models.stored_config("out").dtype is torch.bfloat16


@pytest.mark.lengthy
@pytest.mark.parametrize("kind", small_hub.KINDS)
@pytest.mark.parametrize("shape", [{}, {"num_key_value_heads": 4, "tie_word_embeddings": True}])
@pytest.mark.parametrize("layers", ["1:3", "0:3"])
def test_what_is_sliced_is_what_was_masked(tmp_path, monkeypatch, kind, shape, layers):
    """Llama, Mistral and Qwen2, with a KV head for each query head or fewer: only the dropped is gone."""
    monkeypatch.chdir(tmp_path)
    model, ids = small_hub.model(kind, **shape), torch.arange(60)[None]
    small_hub.saved(tmp_path / "dense", model)
    assert run(f"prune dense --to out --criterion l1 --ratio 0.5 --layers {layers}") == 0
    after = models.load("out")
    head_dim, before = widths.head_size(model.config), widths.of_model(model)
    planned, _ = plan_widths(before, head_dim, 0.5, range(*map(int, layers.split(":"))))
    assert widths.of_model(after) == planned
    with torch.no_grad():
        for index, width in enumerate(planned):
            attention, mlp = model.model.layers[index].self_attn, model.model.layers[index].mlp
            weights = [mlp.gate_proj.weight, mlp.up_proj.weight, mlp.down_proj.weight]
            gone = blocks.channel_importance(*weights, "l1").argsort()[: len(weights[0]) - width.channels]
            mlp.down_proj.weight[:, gone] = 0
            weights = [getattr(attention, f"{name}_proj").weight for name in "qkvo"]
            scores = blocks.kv_group_importance(*weights, head_dim, before[index].kv_heads, "l1")
            gone = scores.argsort()[: before[index].kv_heads - width.kv_heads]
            attention.o_proj.weight.unflatten(1, (before[index].kv_heads, -1))[:, gone] = 0
        assert torch.allclose(after(ids).logits, model(ids).logits, rtol=1e-3, atol=1e-4)
    assert after.generate(ids[:, :4], max_new_tokens=3, do_sample=False).shape == (1, 7)
    assert run("measure out --tokens 16") == 0


def test_any_model_of_the_hub(offline):
    """By OWNER/NAME, from the hub's cache, and the records have a place of their own."""
    name = models.HUB[TINYLLAMA]
    assert run(f"prune {name} --to out --criterion l1 --ratio 0.5") == 0
    assert made("out")["from"] == {"model": name, "weights": reported.WEIGHTS}
    assert run(f"measure {name}") == 0
    assert record.seen(name).weights == reported.WEIGHTS


def test_weights_in_another_dtype_or_in_several_files_are_the_same(tmp_path):
    """A copy of published weights in float32 stands beside the report's numbers as they do; others never."""
    published = small_hub.model().to(torch.bfloat16)
    published.save_pretrained(tmp_path / "published")
    found = record.digest(tmp_path / "published")
    whole = (tmp_path / "published" / "model.safetensors").read_bytes()
    assert found == hashlib.sha256(whole).hexdigest()
    published.save_pretrained(tmp_path / "split", max_shard_size="20kB")
    published.float().save_pretrained(tmp_path / "wide")
    assert record.digest(tmp_path / "split") == record.digest(tmp_path / "wide") == found
    file = tmp_path / "published" / "model.safetensors"
    save_file(load_file(file), file, {"format": "pt", "by": "another program"})
    assert record.digest(tmp_path / "published") == found
    small_hub.model().save_pretrained(tmp_path / "other")
    whole = (tmp_path / "other" / "model.safetensors").read_bytes()
    assert record.digest(tmp_path / "other") == hashlib.sha256(whole).hexdigest() != found
    small_hub.model().save_pretrained(tmp_path / "other split", max_shard_size="40kB")
    assert record.digest(tmp_path / "other split") == hashlib.sha256(whole).hexdigest()


def test_a_copy_in_float16_is_the_same_if_it_lost_nothing(tmp_path):
    """Small weights lose digits in float16: with them it is another model, without the report's numbers."""
    published = small_hub.model().to(torch.bfloat16)
    with torch.no_grad():
        for weight in published.parameters():
            weight[weight.abs() < 2**-17] = 2**-17
    published.save_pretrained(tmp_path / "published")
    published.half().save_pretrained(tmp_path / "half")
    found = record.digest(tmp_path / "published")
    assert record.digest(tmp_path / "half") == found
    published.bfloat16().lm_head.weight.data[0, 0] = 1.2345e-6
    published.save_pretrained(tmp_path / "published")
    published.half().save_pretrained(tmp_path / "half")
    assert record.digest(tmp_path / "half") != record.digest(tmp_path / "published") != found


def header(entries: object) -> bytes:
    """A file of safetensors that has this header and nothing else."""
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\0" * 5, (2**62).to_bytes(8, "little") + b"{}", (2**40).to_bytes(8, "little") + b"{}",
        header([1]), header(5), header(None), header({"a": "b"}), header({"a": {}}),
        header({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 2**58]}}),
        header({"a": {"dtype": "F32", "shape": [2], "data_offsets": [-50, -42]}}),
        header({"a": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 8]}}) + b"\0" * 8,
        header({"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}) + b"\0" * 8,
        header({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}) + b"\0" * 4,
    ],
)  # fmt: skip
def test_a_file_that_lies_is_one_sentence(tmp_path, content):
    """Cut off, or with a header of another kind: no traceback, no search without an end."""
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(LabError, match="cannot be read"):
        record.digest(tmp_path)


def test_weights_of_another_type_have_a_digest_too(tmp_path):
    """Codes, or numbers of double precision: nothing is rounded to tell two files apart."""
    found = set()
    whole = torch.arange(4)
    for codes in (whole.to(torch.int8), whole.double(), whole.double() + 1e-12):
        save_file({"a": codes}, tmp_path / "model.safetensors", {"format": "pt"})
        found.add(record.digest(tmp_path))
    assert len(found) == 3


def test_taylor_looks_at_bookcorpus_where_it_was_fetched(offline, hub_cache, capsys):
    """As published: a window of each of ten long sentences, no sentence twice, and made.json says so."""
    long = [letter * 80 for letter in "abcdefghijkl"]
    repository, name, revision = books.PLACE
    hub_cache(repository, {name: small_hub.parquet({"text": [*long, "short"]})}, "dataset", revision)
    windows = books.windows(small_hub.tokenizer(), 10, 64, seed=1)
    assert windows.shape == (10, 64) and len(windows.unique(dim=0)) == 10
    assert torch.equal(windows, books.windows(small_hub.tokenizer(), 10, 64, seed=1))
    assert run(f"prune {TINYLLAMA} --to out --criterion taylor --ratio 0.5") == 0
    assert made("out")["calibration"] == {"text": "bookcorpus", "count": 10, "length": 64, "seed": 0}
    assert run("fetch bookcorpus") == 0
    said = capsys.readouterr()
    assert "bookcorpus: 13 sentences" in said.out and "Generating" not in said.err


def test_too_few_long_sentences_are_one_sentence(offline, hub_cache, monkeypatch, capsys):
    """A text without them would be searched for ever."""
    repository, name, revision = books.PLACE
    hub_cache(repository, {name: small_hub.parquet({"text": ["short"]})}, "dataset", revision)
    monkeypatch.setattr(books, "TRIES", 20)
    assert run(f"prune {TINYLLAMA} --to out --criterion taylor --ratio 0.5") == 2
    assert "too few sentences of 64 tokens" in capsys.readouterr().err


def test_weights_in_several_files(offline, tmp_path):
    """A large model's weights are split: all files count, and a missing one is seen."""
    folder = tmp_path / "split"
    small_hub.model().save_pretrained(folder, max_shard_size="40kB")
    small_hub.tokenizer().save_pretrained(folder)
    files = sorted(folder.glob("*.safetensors"))
    assert len(files) > 1 and hub.complete(folder)
    assert run(f"prune {folder} --to out --criterion l1 --ratio 0.5") == 0
    record.digest(folder)
    (folder / "another.safetensors").write_bytes(b"of no model")
    assert record.digest(folder)
    files[-1].unlink()
    assert not hub.complete(folder)
    with pytest.raises(LabError, match="cannot be read"):
        record.digest(folder)


# perplexity


def independent(folder: Path, text: str, length: int) -> float:
    """A mean of losses over whole windows, by the model's own logits in double precision."""
    ids = [256, *models.byte_tokenizer()(text)["input_ids"]]  # the BOS token once; a token is a byte
    model, losses = models.load(folder).double(), []
    for start in range(0, len(ids) // length * length, length):
        window = torch.tensor(ids[start : start + length])
        logprobs = functional.log_softmax(model(window[None]).logits[0], dim=-1)
        losses += [-logprobs[place - 1, window[place]].item() for place in range(1, length)]
    return math.exp(sum(losses) / len(losses))


@pytest.mark.parametrize(
    ("protocol", "part", "join"), [("llm-pruner", "validation", "\n\n"), ("wanda", "test", " ")]
)
def test_perplexity_as_published(offline, protocol, part, join, capsys):
    """Same weights, another computation, one number; and it is said what was read."""
    line = f"perplexity {TINYLLAMA} --text wikitext2 ptb --window 100 --protocol {protocol}"
    assert run(line) == 0
    said = capsys.readouterr().out
    ptb = independent(offline, join.join([part, *small_hub.SENTENCES]), 100)
    wikitext = independent(offline, "\n\n".join(small_hub.WIKITEXT), 100)
    entries = {entry["of"]["text"]: entry for entry in record.entries(record.place_of(TINYLLAMA))}
    assert entries["ptb"]["found"]["perplexity"] == pytest.approx(ptb, rel=1e-5)
    assert entries["wikitext2"]["found"]["perplexity"] == pytest.approx(wikitext, rel=1e-5)
    assert entries["ptb"]["found"]["first token"] == "<s>"
    assert (
        f"protocol {protocol}" in said
        and f"{part} sentences" in said
        and f"{entries['ptb']['found']['perplexity']:.4f}" in said
    )


@pytest.mark.parametrize(("protocol", "window"), [("llm-pruner", 128), ("wanda", 2048)])
def test_the_published_window(offline, protocol, window, monkeypatch):
    """128 tokens for LLM-Pruner, the model's context for Wanda."""
    monkeypatch.setattr(texts, "perplexity", lambda _model, windows: float(windows.shape[1]))
    assert run(f"perplexity {TINYLLAMA} --text sotu --protocol {protocol}") == 0
    (entry,) = record.entries(record.place_of(TINYLLAMA))
    assert (entry["of"]["window"], entry["found"]["perplexity"]) == (window, window)


def test_nothing_is_measured_twice(offline, monkeypatch, capsys):
    """What an interrupted run measured is not measured again; other weights are."""
    assert run(f"prune {TINYLLAMA} --to out {TAYLOR}") == 0
    assert run("perplexity out --text ptb --window 500") == 0
    first = capsys.readouterr().out.splitlines()[-1]
    monkeypatch.setattr(models, "load", lambda *_: pytest.fail("the model was loaded again"))
    assert run("perplexity out --text ptb --window 500") == 0
    assert capsys.readouterr().out.splitlines()[-1] == first
    Path("out", "model.safetensors").write_bytes((offline / "model.safetensors").read_bytes())
    with pytest.raises(pytest.fail.Exception, match="loaded again"):
        run("perplexity out --text ptb --window 500")


# measure

LINES = {  # of the report, section 7: layers 0 to 3 and 4 to 17
    "q_proj": (("4.19 M", "268.44 M"), ("3.15 M", "201.33 M")),
    "k_proj": (("524.29 k", "33.55 M"), ("393.22 k", "25.17 M")),
    "v_proj": (("524.29 k", "33.55 M"), ("393.22 k", "25.17 M")),
    "o_proj": (("4.19 M", "268.44 M"), ("3.15 M", "201.33 M")),
    "self_attn": (("9.44 M", "603.98 M"), ("7.08 M", "452.98 M")),
    "gate_proj": (("11.53 M", "738.2 M"), ("8.07 M", "516.69 M")),
    "up_proj": (("11.53 M", "738.2 M"), ("8.07 M", "516.69 M")),
    "down_proj": (("11.53 M", "738.2 M"), ("8.07 M", "516.69 M")),
    "mlp": (("34.6 M", "2.21 G"), ("24.22 M", "1.55 G")),
}


def test_the_reports_lines():
    """TinyLlama's shape, 30 % of layers 4 to 17: every line of the report's list, to its last digit."""
    config = models.config(TINYLLAMA)
    after, _ = plan_widths(widths.of_config(config), 64, 0.3, range(4, 18))
    lines = macs.by_layer(macs.skeleton(config, after), 64)
    assert (lines[0].parameters, lines[0].macs) == (
        921_651_200,
        64 * (8 * 44_040_192 + 14 * 31_297_536 + 32000 * 2048),
    )
    layers = [place for place, line in enumerate(lines) if line.name.startswith("layers")]
    assert [lines[place].name for place in layers] == ["layers.(0-3)", "layers.(4-17)", "layers.(18-21)"]
    short = measure.short
    for column, place in enumerate((*layers[:2], layers[2])):
        found = {line.name: (short(line.parameters), short(line.macs)) for line in lines[place : place + 12]}
        expected = {name: counts[column % 2] for name, counts in LINES.items()}
        assert {name: found[name] for name in expected} == expected
    whole = [(short(lines[place].parameters), short(lines[place].macs)) for place in layers]
    assert whole == [("44.04 M", "2.82 G"), ("31.3 M", "2.0 G"), ("44.04 M", "2.82 G")]
    assert (short(lines[-1].parameters), short(lines[-1].macs)) == ("65.54 M", "4.19 G")
    dense = macs.by_layer(models.shape(TINYLLAMA), 64)
    assert (dense[0].parameters, dense[0].macs) == (1_100_048_384, 66_202_894_336)


def test_measure(offline, capsys):
    """Exact counts, and a memory that holds the weights; all of it is kept."""
    assert run(f"measure {TINYLLAMA} --tokens 16") == 0
    said = capsys.readouterr().out
    (entry,) = record.entries(record.place_of(TINYLLAMA))
    model = models.load(TINYLLAMA)
    assert entry["found"]["parameters"] == sum(weight.numel() for weight in model.parameters())
    assert entry["found"]["macs"] == macs.linear_macs(model, 16)
    assert entry["found"]["peak_bytes"] >= entry["found"]["weight_bytes"]
    assert "layers.(0-2)" in said and f"{entry['found']['parameters']:,}" in said


# zeroshot


def test_the_harness_table(offline, capsys, monkeypatch):
    """A task of the hub from its cache alone; every document is kept, and no task runs twice."""
    assert run(f"prune {TINYLLAMA} --to out {TAYLOR}") == 0
    assert run("zeroshot out --tasks openbookqa") == 0
    table = capsys.readouterr().out
    assert "|openbookqa|" in table and "acc_norm" in table and "±" in table
    documents = Path("out", "measured", "zeroshot-openbookqa-all.jsonl").read_text().splitlines()
    assert [json.loads(line)["doc"]["question_stem"] for line in documents] == ["The sun", "Water", "A stone"]
    kept = json.loads(Path("out", "measured", "zeroshot-openbookqa-all.json").read_text())
    own = zeroshot.evaluate(models.load("out"), models.tokenizer("out"), ["openbookqa"])["openbookqa"]
    assert kept["found"]["results"]["openbookqa"]["acc,none"] == own.acc
    monkeypatch.setattr(zeroshot, "run", lambda *_: pytest.fail("the task ran again"))
    assert run("zeroshot out --tasks openbookqa") == 0
    assert capsys.readouterr().out.splitlines()[-1] == table.splitlines()[-1]


# recover

RECOVER = "recover {} --to mended --data alpaca --epochs 2 --rank 2 --learning-rate 1e-3 --batch 12"


@pytest.mark.lengthy
def test_recover(offline, capsys):
    """A part is held out and watched, and the folder says what was trained on what."""
    assert run(f"prune {TINYLLAMA} --to out {TAYLOR}") == 0
    assert run(RECOVER.format("out")) == 0
    step = made("mended")
    assert (step["steps"], step["of"], len(step["losses"])) == (6, 6, 6)  # 36 of 40 rows, 3 batches, twice
    held_out = step["held out"]
    assert held_out["after"] < held_out["before"]
    assert [place for place, _ in held_out["during"]] == list(range(1, 7))
    assert sorted(path.name for path in Path().iterdir()) == ["mended", "out"]
    assert "held-out loss" in capsys.readouterr().out


@pytest.mark.lengthy
@pytest.mark.parametrize("kind", small_hub.KINDS)
@pytest.mark.parametrize("shape", [{}, {"num_key_value_heads": 4, "tie_word_embeddings": True}])
@pytest.mark.parametrize(
    "way", ["--criterion l2 --ratio 0.5 --layers 1:3", "--method magnitude --sparsity 0.5"]
)
def test_every_kind_recovers(offline, tmp_path, kind, shape, way):
    """The loss on what is held out falls, zeros remain, and the perplexity is that of another computation."""
    small_hub.saved(tmp_path / "dense", small_hub.model(kind, **shape))
    assert run(f"prune {tmp_path / 'dense'} --to out {way}") == 0
    assert run(RECOVER.format("out")) == 0
    held_out = made("mended")["held out"]
    assert held_out["after"] < held_out["before"]
    before, after = models.load("out"), models.load("mended")
    assert after.state_dict().keys() == before.state_dict().keys()
    assert after.config.tie_word_embeddings == bool(shape)
    assert model_sparsity(after) == pytest.approx(model_sparsity(before), abs=1e-3)
    for folder in ("out", "mended"):
        assert run(f"perplexity {folder} --text ptb --window 100") == 0
        (entry,) = record.entries(record.place_of(folder))
        ptb = independent(Path(folder), "\n\n".join(["validation", *small_hub.SENTENCES]), 100)
        assert entry["found"]["perplexity"] == pytest.approx(ptb, rel=1e-5)


class Killed(BaseException):
    """What no handler catches, as a kill."""


def kill_at(monkeypatch, step: int, with_: type[BaseException]) -> None:
    """End the training in the middle of a step, once."""
    backward, calls = lora.backward, []

    def killed(model, batch):
        calls.append(batch)
        if len(calls) == step:
            raise with_
        return backward(model, batch)

    monkeypatch.setattr(lora, "backward", killed)


@pytest.mark.lengthy
def test_a_killed_training_goes_on_with_the_same_losses(offline, monkeypatch):
    """As if it had not been killed: losses, held-out losses and weights, to the last bit."""
    assert run(RECOVER.format(TINYLLAMA)) == 0
    whole, weights = made("mended"), weights_of("mended")
    Path("mended").rename("undisturbed")
    kill_at(monkeypatch, 5, Killed)
    with pytest.raises(Killed):
        run(RECOVER.format(TINYLLAMA))
    assert not Path("mended").exists() and Path("mended.training", "checkpoint.pt").is_file()
    assert run(RECOVER.format(TINYLLAMA)) == 0
    again = made("mended")
    assert again["losses"] == whole["losses"] and again["held out"] == whole["held out"]
    assert all(torch.equal(weight, weights[name]) for name, weight in weights_of("mended").items())


@pytest.mark.lengthy
def test_an_interrupt_keeps_what_was_learned(offline, monkeypatch, capsys):
    """The folder is whole, says how far the training came, and the same command goes on."""
    kill_at(monkeypatch, 4, KeyboardInterrupt)
    assert run(RECOVER.format(TINYLLAMA)) == 130
    said = capsys.readouterr().out
    assert "Interrupted after 3 of 6 steps" in said and "The same command goes on" in said
    assert (made("mended")["steps"], made("mended")["of"]) == (3, 6)
    dense = weights_of(offline)
    assert any(not torch.equal(weight, dense[name]) for name, weight in weights_of("mended").items())
    assert run(RECOVER.format(TINYLLAMA)) == 0
    assert made("mended")["steps"] == 6
    assert run(RECOVER.format(TINYLLAMA)) == 2  # it is finished now
    assert "is there already" in capsys.readouterr().err


@pytest.mark.lengthy
def test_a_checkpoint_of_other_settings_is_refused(offline, monkeypatch, capsys):
    """Two trainings never mix."""
    kill_at(monkeypatch, 4, Killed)
    with pytest.raises(Killed):
        run(RECOVER.format(TINYLLAMA))
    assert run(f"{RECOVER.format(TINYLLAMA)} --seed 1") == 2
    assert "belongs to other settings" in capsys.readouterr().err
    Path("mended.training", "checkpoint.pt").write_bytes(b"not a checkpoint")
    assert run(RECOVER.format(TINYLLAMA)) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_sotu_is_cut_into_windows(offline):
    """Without the hub's data: the calibration years, a tenth of them held out, none in both."""
    about = {"data": "sotu", "epochs": 1, "batch": 64, "seed": 0}
    learned, held_out = (torch.cat(part) for part in training.data(models.tokenizer(TINYLLAMA), about))
    assert len(held_out) == (len(learned) + len(held_out)) // 10
    assert not {tuple(row) for row in learned.tolist()} & {tuple(row) for row in held_out.tolist()}


# report


def test_the_page_stands_beside_the_report(offline, capsys):
    """For the same weights wherever they lie: a name, a copy in a folder, and one pruned as in the report."""
    assert run(f"measure {TINYLLAMA}") == 0
    assert run(f"measure {offline}") == 0
    line = f"prune {offline} --to small --criterion l2 --ratio 0.3 --layers 0:3"
    assert run(line) == 0
    place = Path("small", "made.json")
    place.write_text(place.read_text().replace("[\n    0,\n    3\n   ]", "[4, 18]"))  # as the report's
    assert run("perplexity small --text wikitext2 ptb --window 64") == 0
    for entry in Path("small", "measured").iterdir():
        entry.write_text(entry.read_text().replace('"window": 64', '"window": 2048'))
    assert run(f"report {TINYLLAMA} {offline} small --html page.html") == 0
    page = Path("page.html").read_text()
    assert page.count("report: 77.32 G") == 2  # of the dense weights, in both places
    assert page.count("report: 1,100,048,384") == 2 and page.count("report: 921,651,200") == 1
    assert page.count("report: 42.1902") == 1 and page.count("report: 167.5185") == 1
    assert "ratio 0.3 of layers 4 to 17 removed by l2" in page
    assert "Written: page.html" in capsys.readouterr().out


def test_no_number_of_other_weights(offline):
    """Neither the report's for another model, nor ours for weights that are no longer there."""
    assert run(f"prune {TINYLLAMA} --to small --criterion l2 --ratio 0.2 --layers 0:3") == 0
    assert run("measure small") == 0
    (subject,) = [record.seen("small")]
    assert len(report.current(subject)) == 1
    assert "report: " not in report.page([subject])
    Path("small", "model.safetensors").write_bytes((offline / "model.safetensors").read_bytes())
    assert report.current(record.seen("small")) == []


def test_a_name_cannot_write_the_page():
    """A folder's name is text on the page, whatever it is."""
    name = "<script>alert(1)</script>"
    subject = record.Subject(name, "0" * 64, Path("nowhere"))
    row = ("perplexity", [report.Cell("1", "")])
    assert name not in report.render([subject], [row]) and "&lt;script&gt;" in report.render([subject], [row])


# What goes wrong


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("prune nosuch --to out --criterion l1 --ratio 0.5", "There is no model called 'nosuch'"),
        ("prune no/such --to out --method magnitude --sparsity 0.5", "There is no folder 'no/such'"),
        (f"prune {TINYLLAMA} --to out", "How to prune?"),
        (f"prune {TINYLLAMA} --to out --criterion l1", "it needs --ratio"),
        (f"prune {TINYLLAMA} --to out --criterion l1 --ratio 1.5", "--ratio is 1.5"),
        (f"prune {TINYLLAMA} --to out --criterion l1 --ratio 0.5 --layers 1:9", "There is no layer 3"),
        (f"prune {TINYLLAMA} --to out --criterion l1 --ratio 0.5 --layers x", "must be A:B"),
        (f"prune {TINYLLAMA} --to out --criterion l1 --ratio 0.5 --calibrate sotu:1x8", "looks at no text"),
        (f"prune {TINYLLAMA} --to out --method wanda --sparsity 2", "--sparsity is 2"),
        (f"prune {TINYLLAMA} --to out --method wanda --pattern 5:4", "--pattern is '5:4'"),
        (f"prune {TINYLLAMA} --to out --method magnitude --pattern 2:5", "no multiple of 5"),
        (f"prune {TINYLLAMA} --to out --method wanda --pattern 2:4 --sparsity 0.3", "no sparsity of 0.3"),
        (f"prune {TINYLLAMA} --to out --method wanda --sparsity 0.5 --calibrate sotu", "TEXT:COUNTxLENGTH"),
        (f"prune {TINYLLAMA} --to out --method wanda --sparsity 0.5 --calibrate x:1x8", "no text called 'x'"),
        (f"prune {TINYLLAMA} --to out --method wanda --sparsity 0.5 --calibrate sotu:1x4096", "longer than"),
        (f"prune {TINYLLAMA} --to . --method magnitude --sparsity 0.5", "is there already"),
        (f"prune {TINYLLAMA} --to FULL --method magnitude --sparsity 0.5", "is there already"),
        (f"prune {TINYLLAMA} --to FILE/out --method magnitude --sparsity 0.5", "is not a folder"),
        ("prune GPT2 --to out --method magnitude --sparsity 0.5", "is of type gpt2"),
        (f"perplexity {TINYLLAMA} --text nosuch", "has no text called 'nosuch'"),
        (f"perplexity {TINYLLAMA} --text c4 --protocol wanda", "allenai/c4 is on the model hub"),
        (f"perplexity {TINYLLAMA} --text ptb --window 0", "A window of 0 tokens predicts nothing"),
        (f"perplexity {TINYLLAMA} --text sotu --window 4096", "longer than the model's context"),
        (f"zeroshot {TINYLLAMA} --tasks nosuch", "There is no task called 'nosuch'"),
        (f"zeroshot {TINYLLAMA} --tasks piqa", "The task 'piqa' is on the model hub"),
        (f"zeroshot {TINYLLAMA} --tasks openbookqa --limit 0", "The limit is 0"),
        (f"prune {TINYLLAMA} --to out --criterion random --ratio 0.5 --seed {10**20}", "--seed is 1000"),
        (f"prune {TINYLLAMA} --to out --method wanda --pattern 2:4 --calibrate sotu:{10**12}x8", "at most"),
        (f"recover {TINYLLAMA} --to out --data sotu --epochs 0", "must be 1 or more"),
        (f"recover {TINYLLAMA} --to out --data sotu --epochs {10**11}", "--epochs must be"),
        (f"recover {TINYLLAMA} --to out --data sotu --rank {10**8}", "at most 10,000"),
        (f"recover {TINYLLAMA} --to out --data sotu --seed -1", "--seed is -1"),
        (f"recover {TINYLLAMA} --to out --data sotu --wandb x", "`pip install wandb`, or leave wandb out"),
        (f"recover {TINYLLAMA} --to FULL --data sotu", "is there already"),
        (f"measure {TINYLLAMA} --tokens 0", "--tokens is 0"),
        (f"measure {TINYLLAMA} --tokens 9999", "longer than the model's context"),
        (f"prune {TINYLLAMA} --to / --method magnitude --sparsity 0.5", "/ is there already"),
        (f"prune {TINYLLAMA} --to LOOP --method magnitude --sparsity 0.5", "a link to itself"),
        (f"prune {TINYLLAMA} --to {'x' * 300} --method magnitude --sparsity 0.5", "File name too long"),
        (f"prune {TINYLLAMA} --to a\0b --method magnitude --sparsity 0.5", "letters that can be printed"),
        (f"prune {TINYLLAMA} --to out --criterion l1 --ratio 0.5 --layers {10**20}:{10**21}", "is no layer"),
        (f"prune {'x' * 5000} --to out --method magnitude --sparsity 0.5", "There is no model called"),
        (f"prune {TINYLLAMA} --to /proc/out --method magnitude --sparsity 0.5", "Cannot write /proc/out"),
        (f"recover {TINYLLAMA} --to / --data sotu", "/ is there already"),
        (f"recover {TINYLLAMA} --to out --data sotu --learning-rate inf", "--learning-rate is inf"),
        (f"zeroshot {TINYLLAMA} --tasks openbookqa --limit {10**30}", "at most 1,000,000,000"),
        ("chat GPT2 --temperature inf", "temperature is inf"),
        ("fetch GPT2", "The model stored in GPT2 cannot be read"),
        ("plan GPT2/wrong.json --ratio 0.5", "num_key_value_heads is 0"),
        ("report nosuch --html page.html", "Nothing was measured of 'nosuch'"),
        ("report FULL --html page.html", "Nothing was measured of 'FULL'"),
        ("report FULL --html .", "Nothing was measured of 'FULL'"),
    ],
)
def test_one_sentence(offline, line, sentence, capsys):
    """What a person can mend is one line, the status is not 0, and nothing new is there."""
    Path("FULL").mkdir()
    Path("FULL", "thesis.txt").write_text("months of work")
    Path("FILE").write_text("")
    Path("GPT2").mkdir()
    Path("GPT2", "config.json").write_text('{"model_type": "gpt2"}')
    Path("GPT2", "model.safetensors").write_bytes(b"")
    Path("LOOP").symlink_to("LOOP")
    shape = small_hub.SHAPE | {"model_type": "llama", "num_key_value_heads": 0, "tie_word_embeddings": False}
    Path("GPT2", "wrong.json").write_text(json.dumps(shape))
    before = sorted(map(str, Path().rglob("*")))
    assert run(line) == 2
    said = capsys.readouterr()
    assert sentence in said.err and said.err.count("\n") == 1 and said.err.isascii()
    assert sorted(map(str, Path().rglob("*"))) == before


@pytest.mark.parametrize("line", ["measure bad", "prune bad --to out --criterion l1 --ratio 0.5",
                                  "zeroshot bad --tasks openbookqa", "perplexity bad --text ptb --window 64",
                                  "recover bad --to out --data alpaca"])  # fmt: skip
@pytest.mark.parametrize("damage", ["nan", "widths", "tokenizer"])
def test_a_damaged_model_is_one_sentence(offline, line, damage, capsys):
    """Weights that are no numbers, another shape than the config says, no tokenizer: named, and no result."""
    bad = small_hub.saved(Path("bad"))
    if damage == "nan":
        model = small_hub.model()
        model.model.layers[1].mlp.up_proj.weight[0, 0] = math.nan
        model.save_pretrained(bad)
        sentence = "no finite numbers, the first in model.layers.1.mlp.up_proj.weight"
    elif damage == "widths":
        (bad / "config.json").write_text((bad / "config.json").read_text().replace(": 40", ": 80"))
        sentence = "model.layers.0.mlp.down_proj.weight is [48, 40] in its files, and [48, 80] by its config"
    else:
        for file in bad.glob("token*"):
            file.unlink()
        sentence = "There is no tokenizer in bad"
        if line == "measure bad":
            assert run(line) == 0  # it looks at no text
            return
    assert run(line) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert not Path("out").exists() and not (bad / "measured").exists()


def test_no_file_is_replaced_by_a_page(offline, capsys):
    """A name that was mistyped costs no result; a page of before is replaced."""
    assert run(f"measure {offline}") == 0
    config = Path(offline, "config.json")
    before = config.read_bytes()
    assert run(f"report {offline} --html {config}") == 2
    assert "is there already and is no page" in capsys.readouterr().err
    assert config.read_bytes() == before
    assert run(f"report {offline} --html page.html") == run(f"report {offline} --html page.html") == 0


def test_a_link_stays_a_link(offline):
    """The folder that it points to, on a larger disk perhaps, gets the model."""
    Path("large").mkdir()
    Path("out").symlink_to("large")
    assert run(f"prune {TINYLLAMA} --to out --method magnitude --sparsity 0.5") == 0
    assert Path("out").is_symlink() and Path("large", "model.safetensors").is_file()


@pytest.mark.lengthy
def test_a_training_that_ends_in_nan_is_no_result(offline, capsys):
    """Nothing is saved, and its checkpoints, which would lead there again, are gone."""
    line = "recover {} --to mended --data alpaca --epochs 1 --rank 2 --learning-rate {}"
    assert run(line.format(TINYLLAMA, "1e30")) == 2
    assert "numbers that are not finite" in capsys.readouterr().err
    assert list(Path().iterdir()) == []
    assert run(line.format(TINYLLAMA, "1e-3")) == 0


STEPS = [
    f"prune {TINYLLAMA} --to out --method magnitude --sparsity 0.5",
    f"perplexity {TINYLLAMA} --text ptb --window 512",
    f"zeroshot {TINYLLAMA} --tasks openbookqa",
    f"recover {TINYLLAMA} --to out --data alpaca --epochs 1",
    f"measure {TINYLLAMA}",
]


@pytest.mark.lengthy
@pytest.mark.parametrize("line", STEPS)
def test_an_interrupt_leaves_nothing_half_written(offline, line, monkeypatch, capsys):
    """Ctrl-C where the step writes its result: one line, and no trace of the result."""

    def interrupt(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(record, "keep", interrupt)
    monkeypatch.setattr(record, "write_made", interrupt)
    assert run(line) == 130
    assert capsys.readouterr().err == "Interrupted; no incomplete file was kept.\n"
    assert not Path("out").exists() and not list(Path().glob(".out*"))
    assert record.entries(record.place_of(TINYLLAMA)) == []


@pytest.mark.parametrize("error", [ModuleNotFoundError, LabError, RuntimeError])
def test_an_interrupt_while_modules_are_loaded(offline, error, monkeypatch, capsys):
    """transformers makes of it a module that cannot be imported: that is not what the user did."""

    def imports(*_):
        try:
            raise KeyboardInterrupt
        except BaseException as problem:
            raise error("Could not import module 'LlamaConfig'.") from problem

    monkeypatch.setattr(models, "load", imports)
    if error is RuntimeError:  # anything else stays what it is
        with pytest.raises(RuntimeError):
            run(STEPS[-1])
        return
    assert run(STEPS[-1]) == 130
    assert capsys.readouterr().err == "Interrupted; no incomplete file was kept.\n"


@pytest.mark.lengthy
@pytest.mark.parametrize("line", [*STEPS, "report FULL --html page.html"])
def test_a_full_disk_is_one_sentence(offline, line, monkeypatch, capsys):
    """No file that is begun can be finished: nothing half-written is left."""
    assert run(f"prune {TINYLLAMA} --to FULL --criterion l1 --ratio 0.5") == 0
    assert run("measure FULL") == 0
    capsys.readouterr()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # 3.11 would keep half a module for ever
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256, limits[1]))
    try:
        assert run(line) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    said = capsys.readouterr().err
    assert "Cannot write" in said and "File too large" in said and said.count("\n") == 1
    assert sorted(path.name for path in Path().iterdir() if path.suffix != ".training") == ["FULL"]


def test_a_pipe_is_not_replaced_by_a_page(offline, capsys):
    """Nor is a device of the system, such as /dev/stdout, which root could lose for everybody."""
    assert run(f"measure {TINYLLAMA}") == 0
    os.mkfifo("pipe")
    assert run(f"report {TINYLLAMA} --html pipe") == 2
    assert "Cannot write pipe: It is a device or a pipe" in capsys.readouterr().err
    assert Path("pipe").is_fifo() and sorted(path.name for path in Path().iterdir()) == ["pipe"]


def test_a_release_of_the_first_labs(offline, monkeypatch, capsys):
    """It lacks what later labs are given: a step that needs it says so."""
    monkeypatch.setitem(sys.modules, "labsupport.given.blocks", None)
    monkeypatch.delitem(sys.modules, "labsupport.steps.prune", raising=False)
    monkeypatch.delattr("labsupport.steps.prune", raising=False)
    monkeypatch.delattr("labsupport.given.blocks", raising=False)
    assert run(STEPS[0]) == 2
    assert "needs labsupport.given.blocks, which this release does not hold" in capsys.readouterr().err


def test_a_closed_pipe_ends_quietly(tmp_path):
    """`| head -1`: no traceback, and the status of a command whose reader has gone."""
    code = (
        "import sys; from labsupport import console\n"
        "def main():\n    for number in range(10**5): print(number)\n    return 0\n"
        "sys.exit(console.to_the_end(main))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None and child.stderr is not None
        assert child.stdout.readline() == b"0\n"
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 141


def test_fetch_ahead_of_a_class(offline, capsys):
    """Texts with all their parts, a task and alpaca: what the cache holds is counted, without a network."""
    assert run("fetch wikitext2 ptb alpaca openbookqa sotu") == 0
    said = capsys.readouterr().out
    for words in (
        "wikitext2, evaluation",
        "ptb, validation",
        "alpaca: 40",
        "openbookqa: 3 documents",
        "sotu, ",
    ):
        assert words in said
    assert run("fetch boolq") == 2
    assert "The task 'boolq' is on the model hub" in capsys.readouterr().err
