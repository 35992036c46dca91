"""The chat at the terminal: two models answer, and it ends and fails in one line."""

import builtins

import pytest
import torch

from labsupport import chat, models
from labsupport.__main__ import main
from labsupport.given import blocks
from labsupport.graded import SOCKET


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    """The tiny model, and a cache of this test's own."""
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")
    monkeypatch.setenv("PRUNING_LABS_CACHE", str(tmp_path))
    return tmp_path


def typed(monkeypatch, *lines) -> None:
    """What a person types; an exception among it is raised."""
    queue = iter(lines)

    def answer(prompt=""):
        said = next(queue, EOFError())
        if isinstance(said, BaseException):
            raise said
        return said

    monkeypatch.setattr(builtins, "input", answer)


def sliced():
    """The tiny model without 60 % of its channels and one of its two key-value heads."""
    model = models.tiny(0)
    blocks.prune_blocks(model, 0.6, range(2), "l1")
    return model


@pytest.mark.lengthy
@pytest.mark.parametrize("end", [EOFError(), KeyboardInterrupt()])
def test_dense_and_pruned_side_by_side(end, small, monkeypatch, capsys):
    """A kept model answers beside the course model; the end of the input is one line."""
    chat.keep(sliced(), "lab05")
    folder = small / "lab05"
    assert capsys.readouterr().out == (
        f"Kept. Talk to it in a terminal: python -m labsupport chat {folder}\n"
    )
    typed(monkeypatch, "Hello", "  ", "Hello", end)
    assert main(["chat", str(folder)]) == 0
    out, err = capsys.readouterr()
    assert err == "" and out.endswith("\nThe chat has ended.\n")
    first, second = out.split("\ntiny, 0.0 M weights")[1:]
    assert "| lab05, 0.0 M weights" in first
    assert first.split("The chat")[0].strip() == second.split("The chat")[0].strip()  # greedy: the same again
    assert all(len(line) <= 80 for line in out.splitlines()[1:])


def test_what_is_kept_is_the_sliced_model(small, capsys):
    """Loaded again it computes the same."""
    model = sliced()
    chat.keep(model, "lab05")
    ids = torch.arange(8)[None]
    again = models.load(small / "lab05")
    with torch.no_grad():
        assert torch.equal(again(ids).logits, model.to(again.device)(ids).logits)


def test_a_folder_without_a_tokenizer(small, monkeypatch, capsys):
    """save_pretrained of the model alone is enough: the course model's tokens serve both."""
    sliced().save_pretrained(small / "own")
    typed(monkeypatch, "Hello")
    assert main(["chat", str(small / "own"), "tiny"]) == 0
    assert "own, 0.0 M weights" in capsys.readouterr().out


def test_nothing_is_kept_under_grading(small, monkeypatch):
    monkeypatch.setenv(SOCKET, "somewhere")
    chat.keep(sliced(), "lab05")
    assert list(small.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "There is no model called 'nowhere'. Known: "),
        (["tiny", "tiny", "tiny"], "Two models fit side by side, and here are 3."),
        (["tiny", "--temperature", "-1"], "temperature is -1: it must be 0 or more."),
    ],
)
def test_what_cannot_be_talked_to(arguments, sentence, capsys):
    """One sentence, exit code 2, and no prompt."""
    assert main(["chat", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(sentence) and err.count("\n") == 1


def test_a_folder_that_is_damaged(small, capsys):
    sliced().save_pretrained(small / "own")
    (small / "own" / "model.safetensors").write_bytes(b"nothing")
    assert main(["chat", str(small / "own")]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"The model stored in {small / 'own'} cannot be read (") and err.count("\n") == 1
