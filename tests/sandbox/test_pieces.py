"""Output counts by pieces too: many small ones cost a notebook its output, never minutes of the grader."""

import json

import pytest

from grader.sandbox import run
from grader.sandbox.limits import Limits
from grader.sandbox.run import run_notebook
from tests.sample import few
from tests.sandbox.test_sandbox import notebook, texts

pytestmark = pytest.mark.sandbox

LIMITS = Limits(cell_seconds=60, output=2**20)
SEND = "send = get_ipython().kernel.send_response; to = get_ipython().kernel.iopub_socket\n"
PIECES = {
    "displays": "while True: display(1)",
    "updates": "handle = display(1, display_id=True)\nwhile True: handle.update(2)",
    "both streams": "import sys\nwhile True: print(1, flush=True); print(2, file=sys.stderr, flush=True)",
    "clear_output": "from IPython.display import clear_output\nwhile True: clear_output()",
    "comm messages": SEND + "while True: send(to, 'comm_msg', {'comm_id': '1', 'data': {}})",
    "status": SEND + "while True: send(to, 'status', {'execution_state': 'busy'})",
}


@pytest.mark.parametrize("kind", few(PIECES, of=["displays"]))
def test_many_small_pieces(kind):
    """A cell that sends them without end is interrupted or killed, and the reason says what was too much."""
    outcome = run_notebook(notebook("1", PIECES[kind]), None, LIMITS, "none")
    assert (outcome.status, outcome.cell) == ("OUTPUT_LIMIT", "q1")
    assert "more than 1 MiB or 1,024 pieces" in outcome.reason
    assert len(json.loads(outcome.notebook)["cells"][1]["outputs"]) <= 1024 + 3


def test_what_no_page_shows_is_not_kept():
    """Deep, huge or odd data of an output is dropped with the output; the notebook is as before."""
    odd = """
deep = 1
for _ in range(400): deep = [deep]
display({"application/json": deep}, raw=True)
display({"application/json": float("nan"), "text/plain": "plain"}, raw=True, metadata={"x": float("inf")})
display({"text/plain": {"no": "text"}}, raw=True)
print("\\ud800")
"""
    outcome = run_notebook(notebook("1", odd, "print('next')"), None, LIMITS, "none")
    assert outcome.status == "FINISHED"
    cells = json.loads(outcome.notebook)["cells"]
    assert [output["data"] for output in cells[1]["outputs"] if "data" in output][:2] == [
        {}, {"text/plain": ["plain"]},
    ]  # fmt: skip
    assert texts(outcome)[2] == "next\n"


def test_a_forged_report_of_many_outputs():
    """The report is untrusted: of a million outputs in it few are kept, and all of them are valid."""
    one = {"output_type": "stream", "name": "stdout", "text": "x"}
    kept = run._outputs([one] * 1_000_000, 5)
    assert len(kept) == 5
    assert run._outputs([one, {"output_type": "nothing"}], 5) == []
