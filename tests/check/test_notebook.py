"""A check in a notebook whose function was not defined anew."""

import pytest
from nbclient import NotebookClient
from nbformat import v4

FIRST = "from labsupport import check\ndef sparsity(mask):\n    return 1 - mask.float().mean().item()"
BROKEN = "def sparsity(mask):\n    return 1 - mask.float().mean().item("
CHECK = "check.sparsity(sparsity)"


@pytest.mark.lengthy
def test_a_check_below_a_cell_that_did_not_run():
    """It says so, with error and line, above its verdict on the old function; afterwards no more."""
    cells = [v4.new_code_cell(code) for code in (FIRST, CHECK, BROKEN, CHECK, FIRST, CHECK)]
    NotebookClient(
        v4.new_notebook(cells=cells), kernel_name="python3", allow_errors=True, timeout=300
    ).execute()
    before, warned, after = ("".join(out.get("text", "") for out in cells[i].outputs) for i in (1, 3, 5))
    assert before == after and before.startswith("Check 0.1  sparsity: all")
    assert " ".join(warned.split()).startswith(
        "Your cell with sparsity did not run; in its line 2: '(' was never closed. This check"
    )
    assert warned.endswith(before)


@pytest.mark.lengthy
def test_a_check_below_a_cell_that_ran_up_to_its_mistake():
    """A `return` that lost its indentation comes after the function: the new one is judged, as is said."""
    slipped = "def sparsity(mask):\n    gone = (~mask).float()\nreturn gone.mean().item()"
    cells = [v4.new_code_cell(code) for code in (FIRST, slipped, CHECK)]
    notebook = v4.new_notebook(cells=cells)
    NotebookClient(notebook, kernel_name="python3", allow_errors=True, timeout=300).execute()
    (output,) = cells[2].outputs
    said = " ".join(output["evalue"].split())
    assert (
        "Your cell with sparsity ended in its line 3: 'return' outside function. This check judged what"
        in said
    )
    assert "not yet" in said and "None" in said
