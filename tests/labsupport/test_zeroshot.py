"""The harness as a library, and the course's own task: fair questions, its numbers, clear refusals."""

import copy
import json
import logging
import random
import socket
from collections import Counter
from pathlib import Path

import pytest
import torch

from grader.author import reference
from labsupport import corpora, expected, models, zeroshot
from labsupport.errors import LabError
from labsupport.fetch import hub
from labsupport.linears import apply_masks, pruned_linears
from labsupport.tasks import addresses


@pytest.fixture
def own_cache(tmp_path, monkeypatch) -> Path:
    """An empty course cache."""
    monkeypatch.setenv("PRUNING_LABS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "task-addresses" / "documents.jsonl"


@pytest.fixture
def no_network(monkeypatch) -> list:
    """Every address that somebody tries to connect to; none is reached."""
    asked = []

    def refuse(_socket, address):
        asked.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return asked


@pytest.fixture(scope="module")
def tokenizer():
    return models.byte_tokenizer()


@pytest.fixture(scope="module")
def scores(tiny_model, tokenizer) -> zeroshot.Scores:
    """The tiny model on a quarter of the questions."""
    return zeroshot.evaluate(tiny_model, tokenizer, ["addresses"], limit=20)["addresses"]


@pytest.fixture(scope="module")
def lab() -> dict:
    """The reference functions of lab 07."""
    return reference.functions("07_zero_shot")


# the questions


def ranks(document: dict) -> int:
    """Which the right choice is, from shortest (0) to longest (3)."""
    lengths = [len(choice) for choice in document["choices"]]
    assert len(set(lengths)) == 4
    return sorted(lengths).index(lengths[document["answer"]])


def test_neither_length_nor_place_gives_the_answer_away():
    """Every rank of length in every place, equally often."""
    found = Counter((ranks(document), document["answer"]) for document in addresses.make())
    assert set(found) == {(rank, place) for rank in range(4) for place in range(4)}
    assert set(found.values()) == {addresses.COUNT // 16}


def test_no_choice_is_better_on_its_own():
    """Every continuation is right once and wrong three times, so it says nothing without its context."""
    documents = addresses.make()
    right = Counter(document["choices"][document["answer"]] for document in documents)
    shown = Counter(choice for document in documents for choice in document["choices"])
    assert set(right.values()) == {1}
    assert set(shown.values()) == {4}
    assert right.keys() == shown.keys()


def test_the_questions_are_of_the_evaluation_years():
    """What calibrates a model is never asked about, and only the right choice goes on as the text does."""
    evaluation, calibration = (corpora.addresses(split) for split in ("evaluation", "calibration"))
    for document in addresses.make():
        passage = f"{document['context']} {document['choices'][document['answer']]}"
        assert passage in evaluation
        assert passage not in calibration
        for index, choice in enumerate(document["choices"]):
            assert choice in evaluation
            assert (f"{document['context']} {choice}" in evaluation) == (index == document["answer"])


def test_a_character_is_a_byte():
    """The harness's acc_norm counts characters, ours counts bytes: on this task they must be one."""
    assert all(text.isascii() for d in addresses.make() for text in (d["context"], *d["choices"]))


def test_the_questions_are_the_same_everywhere(own_cache):
    """Drawn twice, read back, and whatever the state of the global source: the same bytes."""
    random.seed(0)
    first = addresses.as_lines(addresses.make())
    random.seed(1)
    assert addresses.as_lines(addresses.make()) == first
    documents = addresses.documents()
    assert own_cache.read_bytes() == first
    assert addresses.documents() == documents == [json.loads(line) for line in first.splitlines()]
    assert [path.name for path in own_cache.parent.iterdir()] == ["documents.jsonl"]


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"\xff\xfe not text"])
def test_damaged_questions_are_made_again(own_cache, capsys, damage):
    """With one sentence that says so; silently wrong questions would be wrong numbers."""
    documents = addresses.documents()
    assert capsys.readouterr().out == ""
    whole = own_cache.read_bytes()
    own_cache.write_bytes(damage or whole[: len(whole) // 2])
    assert addresses.documents() == documents
    assert own_cache.read_bytes() == whole
    (said,) = capsys.readouterr().out.splitlines()
    assert "were damaged or old: made again" in said


def test_other_addresses_are_refused(own_cache, monkeypatch):
    """A package of other texts makes other questions: refused, and nothing is kept."""
    text = corpora.addresses("evaluation")
    monkeypatch.setattr(corpora, "addresses", lambda _split: text.replace("America", "Atlantis"))
    with pytest.raises(LabError, match="are not those of the course"):
        addresses.documents()
    assert not own_cache.exists()


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    """One sentence for the reader; under grading, where the cache is read-only, the questions still."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PRUNING_LABS_CACHE", str(tmp_path / "file"))
    with pytest.raises(LabError, match="Cannot write"):
        addresses.documents()
    monkeypatch.setenv("PRUNING_LABS_SOCKET", "somewhere")
    assert len(addresses.documents()) == addresses.COUNT


# the harness


def test_the_reader_gets_the_harness_numbers(scores, lab):
    """acc, acc_norm and both standard errors, to the last bit that counts."""
    acc, acc_norm = lab["accuracies"](scores.logprobs, scores.lengths, scores.answers)
    assert (acc, acc_norm) == (scores.acc, scores.acc_norm)
    assert lab["standard_error"](acc, 20) == pytest.approx(scores.acc_stderr, rel=1e-12)
    assert lab["standard_error"](acc_norm, 20) == pytest.approx(scores.acc_norm_stderr, rel=1e-12)
    assert acc != acc_norm


def test_the_reader_gets_the_harness_logprobs(scores, lab, tiny_model):
    """On the same requests, choice by choice."""
    for choices, given in zip(scores.requests, scores.logprobs.tolist(), strict=True):
        own = [lab["continuation_logprob"](tiny_model, *request) for request in choices]
        assert own == pytest.approx(given, rel=1e-5)


def test_requests_are_the_documents(scores, tokenizer):
    """Token by token what the document says, in its order; lengths in bytes."""
    for number, document in enumerate(addresses.documents()[:20]):
        assert scores.answers[number] == document["answer"]
        assert scores.lengths[number].tolist() == [len(choice) for choice in document["choices"]]
        for (context, continuation), choice in zip(scores.requests[number], document["choices"], strict=True):
            assert tokenizer.decode(context) == document["context"]
            assert tokenizer.decode(continuation) == f" {choice}"


def test_what_was_run_is_reported(scores):
    """A number without harness, version and limit cannot be compared."""
    assert (scores.task, scores.version, scores.limit) == ("addresses", "1.0", 20)
    assert scores.harness.count(".") == 2
    assert scores.logprobs.shape == scores.lengths.shape == (20, 4)
    assert scores.answers.shape == (20,)


@pytest.mark.parametrize("training", [False, True])
def test_it_runs_silently_and_leaves_everything_as_found(training, tokenizer, no_network, capfd, own_cache):
    """No network, no output; seeds, log level, the model, its mode and the tokenizer are as they were."""
    model = models.tiny().train(training)
    before = (len(tokenizer), copy.deepcopy(tokenizer.special_tokens_map), logging.getLogger("lm_eval").level)
    weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    torch.manual_seed(3)
    random.seed(3)
    states = torch.get_rng_state(), random.getstate()
    zeroshot.evaluate(model, tokenizer, ["addresses"], limit=2)
    assert torch.equal(torch.get_rng_state(), states[0]) and random.getstate() == states[1]
    assert (len(tokenizer), tokenizer.special_tokens_map, logging.getLogger("lm_eval").level) == before
    assert model.training is training
    assert all(torch.equal(weight, weights[name]) for name, weight in model.state_dict().items())
    assert capfd.readouterr() == ("", "")
    assert no_network == []


def test_a_masked_model_goes_in_as_it_is(scores, tokenizer):
    """Its own numbers come out, not those of the dense weights."""
    model = models.tiny()
    halves = {name: w.weight.abs() > w.weight.abs().median() for name, w in pruned_linears(model).items()}
    apply_masks(model, halves)
    found = zeroshot.evaluate(model, tokenizer, ["addresses"], limit=20)["addresses"]
    assert not torch.allclose(found.logprobs, scores.logprobs, rtol=1e-2)


def test_a_sliced_model_goes_in_as_it_is(tokenizer, lab):
    """A model whose MLPs have lost channels, in memory only."""
    model = models.tiny()
    for layer in model.model.layers:
        for linear in (layer.mlp.gate_proj, layer.mlp.up_proj):
            linear.weight = torch.nn.Parameter(linear.weight[:50].clone(), requires_grad=False)
        narrow = layer.mlp.down_proj.weight[:, :50].clone()
        layer.mlp.down_proj.weight = torch.nn.Parameter(narrow, requires_grad=False)
    found = zeroshot.evaluate(model, tokenizer, ["addresses"], limit=3)["addresses"]
    own = lab["continuation_logprob"](model, *found.requests[2][3])
    assert own == pytest.approx(found.logprobs[2, 3].item(), rel=1e-5)


def test_a_single_question_has_no_standard_error(tiny_model, tokenizer):
    """n - 1 is zero: None, and no division."""
    found = zeroshot.evaluate(tiny_model, tokenizer, ["addresses"], limit=1)["addresses"]
    assert found.acc in (0.0, 1.0)
    assert found.acc_stderr is None
    assert found.logprobs.shape == (1, 4)


# other tasks, from files as the hub would give them


@pytest.fixture
def as_if_from_hub(tmp_path, monkeypatch):
    """Call it with a task's rows: a task of the hub's kind, its documents a local file."""

    def put(name: str, yaml: str, rows: list[dict]) -> None:
        data = tmp_path / f"{name}.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        path = tmp_path / f"{name}.yaml"
        files = json.dumps({"test": str(data)})
        path.write_text(
            f"task: {name}\ndataset_path: json\ndataset_kwargs: {{data_files: {files}}}\ntest_split: test\n"
            f"output_type: multiple_choice\n{yaml}metadata: {{version: 3}}\n"
        )
        monkeypatch.setitem(zeroshot.HUB, name, str(path))
        monkeypatch.setattr(zeroshot, "NAMES", (*zeroshot.NAMES, name))
        monkeypatch.setattr(hub, "reachable", lambda: True)

    return put


def test_questions_with_unequal_numbers_of_choices(as_if_from_hub, tiny_model, tokenizer, lab):
    """As in ARC: what is missing can never win."""
    yaml = 'doc_to_text: "{{q}}"\ndoc_to_choice: "{{c}}"\ndoc_to_target: "{{a}}"\n'
    as_if_from_hub(
        "uneven", yaml, [{"q": "one", "c": ["a", "bcd"], "a": 0}, {"q": "two", "c": ["a", "b", "c"], "a": 2}]
    )
    found = zeroshot.evaluate(tiny_model, tokenizer, ["uneven"])["uneven"]
    assert found.logprobs.shape == (2, 3)
    assert found.logprobs.isinf().tolist() == [[False, False, True], [False, False, False]]
    assert found.lengths.tolist() == [[1, 3, 1], [1, 1, 1]]
    own = lab["accuracies"](found.logprobs, found.lengths, found.answers)
    assert own == (found.acc, found.acc_norm)


def test_choices_in_the_context(as_if_from_hub, tiny_model, tokenizer, lab):
    """As in WinoGrande: the choices are contexts, the continuation is shared, and there is no acc_norm."""
    yaml = (
        'doc_to_text: "{{a}}"\ndoc_to_choice: "{{c}}"\ndoc_to_target: "{{end}}"\n'
        "metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]\n"
    )
    rows = [{"c": ["The dog was", "The cat was"], "end": f"loud {i}.", "a": i % 2} for i in range(5)]
    as_if_from_hub("contexts", yaml, rows)
    found = zeroshot.evaluate(tiny_model, tokenizer, ["contexts"])["contexts"]
    assert found.answers.tolist() == [0, 1, 0, 1, 0]
    assert found.acc_norm is None and found.acc_norm_stderr is None
    assert lab["accuracies"](found.logprobs, found.lengths, found.answers)[0] == found.acc
    assert [tokenizer.decode(context) for context, _ in found.requests[0]] == rows[0]["c"]


# refusals


def test_an_unknown_task(tiny_model, tokenizer):
    with pytest.raises(
        LabError, match=r"There is no task called 'mmlu'. Known: addresses, arc_challenge, arc_easy, boolq"
    ):
        zeroshot.evaluate(tiny_model, tokenizer, ["addresses", "mmlu"])


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_that_asks_nothing(tiny_model, tokenizer, limit):
    with pytest.raises(LabError, match=rf"The limit is {limit}"):
        zeroshot.evaluate(tiny_model, tokenizer, ["addresses"], limit=limit)


@pytest.mark.parametrize("task", zeroshot.HUB)
def test_no_hub(task, tiny_model, tokenizer, no_network, monkeypatch, tmp_path, capfd):
    """One sentence that names what needs no hub, and nothing else on the screen."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path))
    with pytest.raises(LabError) as problem:
        zeroshot.evaluate(tiny_model, tokenizer, [task], limit=2)
    assert str(problem.value) == (
        f"The task '{task}' is on the model hub, which cannot be reached from here; "
        "the task 'addresses' needs no hub."
    )
    assert capfd.readouterr() == ("", "")


def test_the_harness_knows_the_tasks_of_the_report():
    """The files that HUB names are there, and are what they are called."""
    import lm_eval.tasks
    from lm_eval.tasks._yaml_loader import load_yaml

    for name, path in zeroshot.HUB.items():
        task = load_yaml(Path(lm_eval.tasks.__file__).parent / path, resolve_func=False)
        assert task["task"] == name
        assert task["output_type"] == "multiple_choice"


def token_counts() -> list[int]:
    """The longest request of each of the first five documents; the tiny model's tokens are bytes."""
    return [len(d["context"]) + 1 + max(map(len, d["choices"])) for d in addresses.documents()[:5]]


def test_a_document_longer_than_the_context(tokenizer, monkeypatch):
    """Refused before the model runs: the harness would silently cut its beginning off."""
    model, lengths = models.tiny(), token_counts()
    model.config.max_position_embeddings = max(lengths) - 2
    monkeypatch.setattr(type(model), "forward", lambda *_: pytest.fail("the model was run"))
    found = f"Document {lengths.index(max(lengths))} of the task 'addresses' has {max(lengths)} tokens"
    with pytest.raises(LabError, match=found):
        zeroshot.evaluate(model, tokenizer, ["addresses"], limit=5)


def test_a_document_that_just_fits(tokenizer, lab):
    """The last token is asked for, not read: one token more than the context is no reason to refuse."""
    model, ask = models.tiny(), lab["continuation_logprob"]
    model.config.max_position_embeddings = max(token_counts()) - 1
    found = zeroshot.evaluate(model, tokenizer, ["addresses"], limit=5)["addresses"]
    own = [[ask(model, *request) for request in choices] for choices in found.requests]
    assert torch.allclose(torch.tensor(own).double(), found.logprobs, rtol=1e-5)


# the report


def test_the_report_errors_follow_from_its_accuracies(lab):
    """The questions counted in expected.py are those of the report: its own standard errors come out."""
    printed = {
        "arc_challenge": 0.0134067,
        "boolq": 0.0085182,
        "hellaswag": 0.0049749,
        "openbookqa": 0.0191731,
        "winogrande": 0.0137511,
    }
    for task, error in printed.items():
        count, _, measures = expected.PUBLISHED[task]
        assert lab["standard_error"](measures["acc"][0], count) == pytest.approx(error, rel=1e-3)
