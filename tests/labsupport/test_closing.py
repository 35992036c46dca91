"""The button of a lab's last cell, where nobody looks and where no server can be asked.

tests/browser presses it in JupyterLab.
"""

import json
import os

from nbclient import NotebookClient
from nbformat import v4

from labsupport import closing
from labsupport.graded import SOCKET
from tests.course.test_labs import text


def shown(environment: dict[str, str]) -> list:
    """The outputs of a lab's last cell in a kernel with these variables."""
    cell = v4.new_code_cell("from labsupport import closing\nclosing.button()")
    NotebookClient(v4.new_notebook(cells=[cell]), kernel_name="python3", timeout=300).execute(
        env=os.environ | environment
    )
    return cell.outputs


def test_a_sentence_where_there_is_no_server(monkeypatch, tmp_path):
    """Under Validate, on the site, and in a kernel whose server wrote no file."""
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    for environment in ({}, {"JPY_SESSION_NAME": str(tmp_path / "lab.ipynb")}):
        (output,) = shown(environment)
        assert text(output) == closing.BY_HAND + "\n"


def test_nothing_under_grading(monkeypatch, capsys):
    monkeypatch.setenv(SOCKET, "somewhere")
    closing.button()
    assert capsys.readouterr().out == ""


def test_a_server_that_does_not_answer_is_told(monkeypatch):
    """Gone, of another kind, or without a session of this kernel: the way by hand, and no traceback."""

    class Label:
        value = closing.CLOSED

    gone, other, label = closing.Server("http://127.0.0.1:9/", "", "kernel"), [], Label()
    closing._end(gone, label)
    assert label.value == closing.BY_HAND
    for answer in (b"<html>", b"[]", b'[{"id": 1}]', b"[1]", b'[{"id": "1", "kernel": {"id": "not mine"}}]'):
        label.value = closing.CLOSED
        monkeypatch.setattr(closing, "_ask", lambda _server, _method, _path, answer=answer: answer)
        closing._end(gone, label)
        assert label.value == closing.BY_HAND, answer
    sessions = [{"id": "1", "kernel": {"id": "not mine"}}, {"id": "2", "kernel": {"id": "kernel"}}]
    monkeypatch.setattr(closing, "_ask", lambda _s, *asked: other.append(asked) or json.dumps(sessions))
    closing._end(gone, label)
    assert other == [("GET", "api/sessions"), ("DELETE", "api/sessions/2")]
