"""The hostile class: one entry a submission, with what must become of it.

An entry takes the right answers as a notebook and returns the files that are handed in. `share` says
what part of the points each exercise must earn; exercises that are not named must earn nothing.
"""

import copy
import json
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from grader.author import notebooks
from grader.grade.experiments import TAG
from labsupport.check.judge import EXERCISES

LAB = "02_magnitude_pruning"
FILE = f"{LAB}.ipynb"
ALL = {"magnitude_mask": 1.0, "prune_magnitude": 1.0, "global_magnitude_masks": 1.0}
FIRST = {"magnitude_mask": 1.0}
NOT_FIRST = {"prune_magnitude": 1.0, "global_magnitude_masks": 1.0}
NOT_SECOND = {"magnitude_mask": 1.0, "global_magnitude_masks": 1.0}


@dataclass(frozen=True)
class Entry:
    """One submission: `files` makes it, the rest is what must come of it."""

    files: Callable[[NotebookNode], dict[str, bytes]]
    status: str = "GRADED"
    share: dict[str, float] = field(default_factory=dict)
    says: str = ""  # in the reason, a flag or a message
    cell: str = ""


ENTRIES: dict[str, Entry] = {}


def entry(status: str = "GRADED", share: dict | None = None, says: str = "", cell: str = ""):
    """Enter the function below as a submission of its name."""

    def enter(files):
        ENTRIES[files.__name__.replace("_", "-")] = Entry(files, status, share or {}, says, cell)
        return files

    return enter


def find(notebook: NotebookNode, grade_id: str) -> NotebookNode:
    return next(
        cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id
    )


def place(notebook: NotebookNode, grade_id: str) -> int:
    return notebook.cells.index(find(notebook, grade_id))


def file(notebook: NotebookNode) -> dict[str, bytes]:
    return {FILE: nbformat.writes(notebook).encode()}


def with_source(notebook: NotebookNode, grade_id: str, source: str) -> dict[str, bytes]:
    find(notebook, grade_id).source = source
    return file(notebook)


def with_first_cell(notebook: NotebookNode, source: str) -> dict[str, bytes]:
    notebook.cells.insert(0, nbformat.v4.new_code_cell(source))
    return file(notebook)


# Cells that do not end, or end too much


@entry("TIMEOUT", FIRST, "longer than", "prune_magnitude")
def endless_loop(right):
    return with_source(right, "prune_magnitude", "while True: pass")


@entry("TIMEOUT", FIRST, "longer than", "prune_magnitude")
def loop_that_swallows_interrupts(right):
    source = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
    return with_source(right, "prune_magnitude", source)


@entry("KERNEL_DIED", FIRST, "ended the Python process", "prune_magnitude")
def exits_at_once(right):
    return with_source(right, "prune_magnitude", "import os; os._exit(0)")


@entry("KERNEL_DIED", FIRST, "ended the Python process", "prune_magnitude")
def kills_itself(right):
    return with_source(right, "prune_magnitude", "import os; os.kill(os.getpid(), 9)")


@entry("KERNEL_DIED", FIRST, "ended the Python process", "check_prune_magnitude")
def exits_in_the_check(right):
    return with_source(
        right, "prune_magnitude", "def prune_magnitude(model, sparsity):\n    import os; os._exit(0)"
    )


@entry("GRADED", NOT_SECOND)
def sys_exit_in_a_cell(right):
    return with_source(right, "prune_magnitude", "import sys; sys.exit()")


@entry("GRADED", NOT_SECOND, "SystemExit")
def sys_exit_in_a_function(right):
    return with_source(
        right, "prune_magnitude", "def prune_magnitude(model, sparsity):\n    raise SystemExit"
    )


@entry("OUT_OF_MEMORY", FIRST, "memory", "prune_magnitude")
def takes_all_memory(right):
    return with_source(right, "prune_magnitude", "hoard = []\nwhile True: hoard.append(bytearray(2**26))")


@entry("GRADED", NOT_SECOND)
def forks_without_end(right):
    source = "import os, time\nfor _ in range(5000):\n    if os.fork() == 0: time.sleep(600)"
    return with_source(right, "prune_magnitude", source)


@entry("OUTPUT_LIMIT", NOT_SECOND, "cut", "prune_magnitude")
def prints_300_megabytes(right):
    source = "import sys\nfor _ in range(300): sys.stdout.write('x' * 2**20)"
    return with_source(right, "prune_magnitude", source)


@entry("OUTPUT_LIMIT", NOT_SECOND, "pieces", "prune_magnitude")
def displays_thousands(right):
    return with_source(right, "prune_magnitude", "for number in range(6000): display(number)")


@entry("GRADED", ALL)
def displays_what_is_too_deep(right):
    source = "deep = 1\nfor _ in range(500): deep = [deep]\ndisplay({'application/json': deep}, raw=True)"
    return with_first_cell(right, source)


@entry("GRADED", ALL, "NaN")
def nan_in_an_output(right):
    data = nbformat.v4.new_output("display_data", {"application/json": "HERE"})
    right.cells.insert(0, nbformat.v4.new_code_cell("1", outputs=[data]))
    return {FILE: file(right)[FILE].replace(b'"HERE"', b"NaN")}


@entry("KERNEL_DIED", {}, "sent messages that no notebook's kernel sends", "cell-1")
def output_of_no_notebook(right):
    """A stream whose text is a list: whatever reads it stumbles, and that is no fault of the grader."""
    source = """
kernel = get_ipython().kernel
content = {"name": "stdout", "text": ["a", "b"]}
kernel.session.send(kernel.iopub_socket, "stream", content, parent=kernel.get_parent())
"""
    return with_first_cell(right, source)


@entry("GRADED", ALL, "Below is your own output")
def half_a_letter_in_a_kept_output(right):
    """Half of a surrogate pair, which JSON can say and no file in UTF-8 holds, below an experiment."""
    cells = notebooks.source_notebook(LAB).cells
    kept = next(cell for cell in cells if TAG in cell.metadata.get("tags", []))
    kept.outputs = [nbformat.v4.new_output("stream", text="HALF")]
    right.cells.append(kept)
    return {FILE: file(right)[FILE].replace(b"HALF", b"\\ud83d")}


@entry("GRADED", ALL)
def holds_connections(right):
    source = """
import os, socket
held = [socket.socket(socket.AF_UNIX) for _ in range(500)]
for one in held: one.connect(os.environ["PRUNING_LABS_SOCKET"])
"""
    return with_first_cell(right, source)


@entry("KERNEL_DIED", {}, "ended the Python process", "cell-1")
def kills_every_process(right):
    return with_first_cell(right, "import os, signal\nos.kill(-1, signal.SIGKILL)")


@entry("TIMEOUT", {}, "longer than", "cell-1")
def stops_every_process(right):
    return with_first_cell(right, "import os, signal\nos.kill(-1, signal.SIGSTOP)")


@entry("OUT_OF_MEMORY", {}, "memory allowed", "cell-1")
def takes_shared_memory(right):
    """Segments of System V outlive the process that made them."""
    source = """
import ctypes
library = ctypes.CDLL(None)
library.shmat.restype = ctypes.c_void_p
for _ in range(8):
    place = library.shmat(library.shmget(0, 1 << 30, 0o1666), None, 0)
    ctypes.memset(place, 1, 1 << 30)
"""
    return with_first_cell(right, source)


@entry("GRADED", ALL)
def fills_every_folder(right):
    """One large file, then small ones, wherever it may write."""
    source = """
import os
for place in ("/tmp", "/dev/shm", "."):
    try:
        with open(f"{place}/large", "wb") as file:
            while True: file.write(bytes(1 << 20))
    except OSError:
        pass
    try:
        os.truncate(f"{place}/large", 0)
        for number in range(200_000): open(f"{place}/{number}", "w").close()
    except OSError:
        pass
"""
    return with_first_cell(right, source)


@entry("GRADED", {}, "ran and sent nothing")
def takes_every_descriptor(right):
    source = """
held = []
try:
    while True: held.append(open("/dev/null"))
except OSError:
    pass
"""
    return with_first_cell(right, source)


@entry("GRADED", NOT_SECOND)
def asks_for_input(right):
    return with_source(right, "prune_magnitude", "def prune_magnitude(model, sparsity):\n    return input()")


@entry("GRADED", ALL)
def noisy_on_stderr(right):
    cell = find(right, "magnitude_mask")
    noise = "    import sys, warnings\n    from tqdm import tqdm\n    warnings.warn('hm')\n"
    noise += "    list(tqdm(range(3), file=sys.stderr))\n    print('careful', file=sys.stderr)\n"
    lines = cell.source.splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if "### BEGIN SOLUTION" in line) + 1
    cell.source = "".join([*lines[:at], noise, *lines[at:]])
    return file(right)


@entry("GRADED", ALL)
def leaves_a_process_behind(right):
    return with_first_cell(
        right, "import subprocess; subprocess.Popen(['sleep', '12345'], start_new_session=True)"
    )


# Cells deleted, doubled, changed


@entry("GRADED", ALL, "put back")
def check_cell_deleted(right):
    del right.cells[place(right, "check_magnitude_mask")]
    return file(right)


@entry("GRADED", {"global_magnitude_masks": 0.0, "magnitude_mask": 1.0, "prune_magnitude": 1.0}, "put back")
def solution_and_check_deleted(right):
    del right.cells[place(right, "global_magnitude_masks")]
    del right.cells[place(right, "check_global_magnitude_masks")]
    return file(right)


@entry("GRADED", ALL, "check_magnitude_mask")
def check_cell_twice(right):
    at = place(right, "check_magnitude_mask")
    right.cells.insert(at, copy.deepcopy(right.cells[at]))
    return file(right)


@entry("GRADED", {}, "as released again")
def check_edited(right):
    find(right, "magnitude_mask").source = "def magnitude_mask(weight, sparsity):\n    return None"
    find(right, "prune_magnitude").source = find(right, "global_magnitude_masks").source = "pass"
    find(right, "check_magnitude_mask").source = "print('all parts pass')"
    return file(right)


@entry("GRADED", ALL, "points")
def points_raised(right):
    find(right, "check_magnitude_mask").metadata.nbgrader.points = 100
    return file(right)


@entry("GRADED", ALL)
def grade_switched_off(right):
    find(right, "check_prune_magnitude").metadata.nbgrader.grade = False
    return file(right)


@entry("GRADED", ALL)
def grade_id_renamed(right):
    find(right, "magnitude_mask").metadata.nbgrader.grade_id = "mine"
    return file(right)


@entry("GRADED", NOT_SECOND)
def solution_turned_to_markdown(right):
    cell = find(right, "prune_magnitude")
    cell.source = "I would apply the masks."
    right.cells[right.cells.index(cell)] = nbformat.v4.new_markdown_cell(cell.source, metadata=cell.metadata)
    return file(right)


@entry("GRADED", ALL)
def metadata_stripped(right):
    for cell in right.cells:
        cell.metadata = {}
    return file(right)


# Cells around the checks: what fails there is named, and costs only what needs it


def imports(notebook: NotebookNode) -> NotebookNode:
    return next(cell for cell in notebook.cells if cell.source.startswith("import torch"))


def with_cell(notebook: NotebookNode, before: str, source: str) -> dict[str, bytes]:
    """A cell of the student's own above a graded one."""
    notebook.cells.insert(place(notebook, before), nbformat.v4.new_code_cell(source))
    return file(notebook)


def with_line(notebook: NotebookNode, grade_id: str, line: str) -> NotebookNode:
    """The function of an exercise with one line more at its beginning."""
    cell = find(notebook, grade_id)
    first = "### BEGIN SOLUTION"
    assert first in cell.source
    cell.source = cell.source.replace(first, f"{first}\n    {line}")
    return notebook


@entry("GRADED", ALL)
def widget_above_the_imports(right):
    imports(right).source = "%matplotlib widget\n" + imports(right).source
    return file(right)


@entry("GRADED", ALL, "import cell was missing or changed")
def import_cell_deleted(right):
    right.cells.remove(imports(right))
    return file(right)


@entry("GRADED", ALL, "import cell was missing or changed")
def import_cell_with_a_typo(right):
    imports(right).source = imports(right).source.replace("from labsupport import", "form labsupport import")
    return file(right)


@entry("GRADED", ALL)
def colab_cell_with_imports_of_its_own(right):
    """`math` stands below a line that fails here."""
    cell = "from google.colab import drive\ndrive.mount('/content/drive')\nimport math"
    return with_first_cell(with_line(right, "magnitude_mask", "math.pi"), cell)


@entry("GRADED", ALL)
def installs_and_extensions(right):
    return with_first_cell(right, "!pip install --retries 0 torch\n%load_ext autoreload\n%load_ext nope")


@entry("GRADED", ALL)
def more_magics_than_ipython_takes(right):
    """Such a cell does not run, and reads nothing of the course's."""
    return with_first_cell(right, "given = 1\n" + "!true\n" * 501)


@entry("GRADED", ALL)
def exit_and_quit_in_cells(right):
    right.cells.insert(1, nbformat.v4.new_code_cell("import time; time.sleep(1)"))
    return with_first_cell(right, "exit()") | with_cell(right, "prune_magnitude", "quit()")


@entry("GRADED", ALL)
def scratch_cells_that_fail(right):
    right.cells.append(nbformat.v4.new_code_cell("assert magnitude_mask is None"))
    return with_cell(right, "prune_magnitude", "input('and now?')")


@entry("GRADED", ALL)
def check_is_a_variable(right):
    return with_cell(right, "magnitude_mask", "check = 5")


NAMED = "cell 2, which defines it, ended in SyntaxError: expected ':', in line 12"


@entry("GRADED", {}, NAMED)
def syntax_error_in_an_exercise(right):
    cell = find(right, "magnitude_mask")
    assert "if k == 0:" in cell.source
    return with_source(right, "magnitude_mask", cell.source.replace("if k == 0:", "if k == 0"))


@entry("GRADED", {}, "its cell, cell 2, defines my_mask")
def function_of_another_name(right):
    cell = find(right, "magnitude_mask")
    return with_source(right, "magnitude_mask", cell.source.replace("def magnitude_mask", "def my_mask"))


@entry("GRADED", {}, "ended in UsageError: Line magic function `%nope` not found")
def unknown_magic_in_an_exercise(right):
    return with_source(right, "magnitude_mask", "%nope\n" + find(right, "magnitude_mask").source)


@entry("GRADED", {}, "Cell 3 gives the name magnitude_mask to something else")
def result_under_the_functions_name(right):
    return with_cell(right, "check_magnitude_mask", "magnitude_mask = magnitude_mask(torch.ones(2, 2), 0.5)")


@entry("GRADED", NOT_SECOND, "Cell 4, which sets helper, ended in ZeroDivisionError")
def helper_in_a_cell_that_fails(right):
    right = with_line(right, "prune_magnitude", "helper()")
    return with_cell(right, "prune_magnitude", "1 / 0\ndef helper():\n    pass")


@entry("GRADED", {"prune_magnitude": 0.0, "magnitude_mask": 1.0, "global_magnitude_masks": 1.0},
       "Cell 4 defines prune_magnitude too")  # fmt: skip
def function_above_its_stub(right):
    cell = find(right, "prune_magnitude")
    own, cell.source = cell.source, "def prune_magnitude(model, sparsity):\n    raise NotImplementedError()"
    return with_cell(right, "prune_magnitude", own)


@entry("GRADED", {}, "Cell 3, between the function")
def function_cut_in_two(right):
    cell = find(right, "magnitude_mask")
    above, line, below = cell.source.partition("    magnitude = weight.abs()")
    assert line
    cell.source = above
    return with_cell(right, "check_magnitude_mask", line + below)


@entry("TIMEOUT", FIRST, "It is cell 5", "cell-5")
def long_loop_in_an_own_cell(right):
    at = place(right, "prune_magnitude")
    right.cells.insert(at, nbformat.v4.new_markdown_cell("## My tries"))
    return with_cell(right, "prune_magnitude", "while True: pass")


# Code that is long or deep for whoever reads it: the sandbox runs it, the grader must not read it to its end

DEEP = "x = 1" + " + 1" * 1500
WRONG_LINE = ("magnitude > kth_smallest", "magnitude >= kth_smallest")


@entry("GRADED", ALL)
def sum_of_1500_terms(right):
    return with_first_cell(right, DEEP)


@entry("GRADED", ALL)
def number_of_thousands_of_digits(right):
    """Python reads it in hexadecimal, and writes it nowhere in decimal."""
    return with_first_cell(right, "given = 0x" + "f" * 9000)


@entry("GRADED", ALL)
def six_hundred_branches(right):
    return with_first_cell(right, "a = 0\nif a:\n    pass\n" + "elif a:\n    pass\n" * 600)


@entry("GRADED", NOT_FIRST)
def megabytes_of_empty_lines(right):
    cell = find(right, "magnitude_mask")
    assert WRONG_LINE[0] in cell.source
    cell.source = cell.source.replace(*WRONG_LINE)
    own = nbformat.v4.new_code_cell("LINES")
    right.cells.insert(place(right, "magnitude_mask"), own)
    lines = json.dumps("pass" + "\n" * 1_500_000 + "pass")  # as one text: nbformat writes 50 MB of lines
    return {FILE: file(right)[FILE].replace(b'"LINES"', lines.encode())}


# Files that are no notebook


@entry("UNREADABLE", says="cut off")
def truncated(right):
    return {FILE: nbformat.writes(right).encode()[:3000]}


@entry("UNREADABLE", says="empty")
def empty_file(right):
    return {FILE: b""}


@entry("UNREADABLE", says="HTML")
def html_page(right):
    return {FILE: b"<!DOCTYPE html><html><body>Sign in to continue</body></html>"}


@entry("UNREADABLE", says="UTF-8")
def not_utf8(right):
    return {FILE: nbformat.writes(right).encode().replace(b"import", b"\xff\xfe\xfa", 1)}


@entry("GRADED", ALL, "(1)")
def downloaded_twice(right):
    return {f"{LAB} (1).ipynb": file(right)[FILE]}


@entry("NOT_SUBMITTED", says="essay.docx")
def another_file(right):
    return {"essay.docx": b"PK"}


@entry("NOT_SUBMITTED")
def nothing(right):
    return {}


@entry("GRADED", ALL)
def newer_schema(right):
    right.nbformat_minor = 99
    return {FILE: nbformat.v4.writes_json(right).encode()}


@entry("GRADED", ALL, "kernel")
def unknown_kernel(right):
    right.metadata.kernelspec = {"name": "julia-9", "display_name": "Julia", "language": "julia"}
    return file(right)


@entry("GRADED", ALL, "Not taken along")
def modules_beside_the_notebook(right):
    fake = b"raise SystemExit('taken along')"
    return file(right) | {"torch.py": fake, "labsupport.py": fake, "sitecustomize.py": fake}


@entry("UNREADABLE", says="link")
def symlink_out(right):
    return {FILE: Path("/etc/passwd")}  # a path: becomes a link


# Looking around, and reaching out

LOOK = """
import os, pathlib, socket
found = []
for name in ("solutions", "grader", "submitted", "gradebook.db", "course", "journal", "tests"):
    for root in {roots}:
        found += [str(p) for p in pathlib.Path(root).rglob(name)] if os.path.isdir(root) else []
secret = [name for name in os.environ if "SECRET" in name]
try:
    socket.create_connection(("192.0.2.1", 80), timeout=3)
    found.append("network")
except OSError:
    pass
try:
    found += [line for line in pathlib.Path("/proc/1/environ").read_text().split("\\0") if "SECRET" in line]
except OSError:
    pass
assert not found and not secret, ("REACHED", found, secret)
print("nothing to be found")
"""


@entry("GRADED", ALL, "nothing to be found")
def looks_around(right):
    here = Path(__file__).resolve().parents[2]
    roots = [str(here), str(Path.home()), os.environ.get("PRUNING_LABS_COURSE", "/nowhere"), "/tmp", "/opt"]
    return with_first_cell(right, LOOK.replace("{roots}", repr(roots)))


# Tricks on the check

WRONG = "def magnitude_mask(weight, sparsity):\n    return torch.ones_like(weight, dtype=torch.bool)\n"


@entry("GRADED", {})
def replaces_what_judges(right):
    source = """
import sys, types, numpy, torch, labsupport.check, labsupport.check.ask.call
torch.equal = numpy.allclose = torch.allclose = lambda *_, **__: True
for name in ("judge", "judge.kit", "judge.kit.exercise", "judge.kit.compare"):
    module = sys.modules["labsupport.check." + name] = types.ModuleType("labsupport.check." + name)
    module.__getattr__ = lambda name: lambda *_, **__: True
labsupport.check.ask.call.same = lambda *_: True
labsupport.check._check = lambda *_: print("all parts pass")
"""
    find(right, "magnitude_mask").source = WRONG
    find(right, "prune_magnitude").source = find(right, "global_magnitude_masks").source = (
        "prune_magnitude = WRONG = 1"
    )
    return with_first_cell(right, source)


@entry("GRADED", {})
def hooks_into_ipython(right):
    source = """
import ast
from IPython import get_ipython
shell = get_ipython()
def swap(lines):
    return ["print('all parts pass: 3 of 3')"] if "check." in "".join(lines) else lines
shell.input_transformers_cleanup.append(swap)
class Swap(ast.NodeTransformer):
    def visit_Assert(self, node): return ast.Pass()
shell.ast_transformers.append(Swap())
shell.events.register("pre_run_cell", lambda info: None)
shell.events.register("post_run_cell", lambda result: print("1.0"))
from IPython.display import display
display({"text/plain": "3.0", "text/html": "<script>document.title='forged'</script>"}, raw=True)
"""
    find(right, "magnitude_mask").source = WRONG
    find(right, "prune_magnitude").source = find(right, "global_magnitude_masks").source = "pass"
    return with_first_cell(right, source)


EVERYTHING = """
class Everything(torch.Tensor):
    def __eq__(self, other): return True
    def __getattr__(self, name): return self
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None): return True
"""


@entry("GRADED", {}, "not yet")
def equals_everything(right):
    find(right, "prune_magnitude").source = find(right, "global_magnitude_masks").source = "pass"
    source = "class Everything:\n    def __eq__(self, other): return True\n    __hash__ = None\n"
    source += "    def __getattr__(self, name): return self\n    def __call__(self, *a, **k): return self\n"
    return with_source(
        right, "magnitude_mask", source + "def magnitude_mask(weight, sparsity): return Everything()"
    )


@entry("GRADED", {}, "not yet")
def tensor_that_equals_everything(right):
    find(right, "prune_magnitude").source = find(right, "global_magnitude_masks").source = "pass"
    source = EVERYTHING + "def magnitude_mask(weight, sparsity):\n"
    source += "    return torch.ones_like(weight, dtype=torch.bool).as_subclass(Everything)"
    return with_source(right, "magnitude_mask", source)


@entry("GRADED", {}, "it is torch.float32 with NaN inside")
def mask_of_nan(right):
    find(right, "prune_magnitude").source = find(right, "global_magnitude_masks").source = "pass"
    source = "def magnitude_mask(weight, sparsity):\n    return torch.full_like(weight.float(), float('nan'))"
    return with_source(right, "magnitude_mask", source)


COMPARED = "magnitude > kth_smallest(magnitude.flatten(), k)"  # what the lab's own answer returns


@entry("GRADED", {}, "it is torch.float32")
def mask_as_float(right):
    return only_first(right, f"({COMPARED}).float()")


@entry("GRADED", {}, "yours is (12,)")
def mask_of_another_shape(right):
    return only_first(right, f"({COMPARED}).flatten()")


def only_first(right: NotebookNode, returned: str) -> dict[str, bytes]:
    """The first exercise returns this instead; the others are not written."""
    find(right, "prune_magnitude").source = find(right, "global_magnitude_masks").source = "pass"
    source = find(right, "magnitude_mask").source
    assert COMPARED in source
    return with_source(right, "magnitude_mask", source.replace(COMPARED, returned))


@entry("GRADED", {})
def scores_itself(right):
    find(right, "global_magnitude_masks").source = "'100 points'"
    find(right, "prune_magnitude").source = "-1.0"
    return with_source(right, "magnitude_mask", "float('nan')")


@entry("GRADED", NOT_SECOND, "measurement differs")
def claims_another_perplexity(right):
    cell = find(right, "prune_magnitude")
    cell.source += "\nimport labsupport.given.perplexity as given\ngiven.perplexity = lambda *_: 3.14\n"
    return file(right)


SAY = """
import os, socket, struct, pickle
def say(data):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(os.environ["PRUNING_LABS_SOCKET"])
    from labsupport.check.ask import wire
    wire.send(connection, {"exercise": "magnitude_mask"})
    wire.receive(connection)
    try:
        connection.sendall(data)
        connection.settimeout(20)
        connection.recv(1)
    except OSError:
        pass
    connection.close()
"""


@entry("GRADED", ALL)
def pickles_an_answer(right):
    bomb = pickle.dumps({"value": 1, "error": None, "changed": []})
    return with_first_cell(right, SAY + f"data = {bomb!r}\nsay(struct.pack('<Q', len(data)) + data)")


@entry("GRADED", ALL)
def sends_gigabytes(right):
    return with_first_cell(right, SAY + "say(struct.pack('<Q', 2**33) + bytes(2**20))")


@entry("GRADED", {}, "FAILED")
def memorises_the_public_cases(right):
    find(right, "prune_magnitude").source = find(right, "global_magnitude_masks").source = "pass"
    public = [case for case in EXERCISES["magnitude_mask"].cases(0) if not case.raises]
    source = (
        find(right, "magnitude_mask").source.replace("def magnitude_mask", "def known")
        + f"""
SEEN = {[(case.inputs["weight"].tolist(), case.inputs["sparsity"]) for case in public]}
def magnitude_mask(weight, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError
    if (weight.tolist(), sparsity) in SEEN:
        return known(weight, sparsity)
    return torch.ones_like(weight, dtype=torch.bool)
"""
    )
    return with_source(right, "magnitude_mask", source)


# Honest ones among them


@entry("GRADED", ALL)
def honest_ada(right):
    return file(right)


@entry("GRADED", {"prune_magnitude": 1.0, "global_magnitude_masks": 1.0}, "threshold stayed")
def honest_ben(right):
    cell = find(right, "magnitude_mask")
    good = cell.source.replace("def magnitude_mask", "def _good")
    right.cells.insert(1, nbformat.v4.new_code_cell(good))
    for name in ("prune_magnitude", "global_magnitude_masks"):
        find(right, name).source = find(right, name).source.replace("magnitude_mask(", "_good(")
    assert COMPARED in cell.source
    cell.source = cell.source.replace(COMPARED, COMPARED.replace(">", ">="))
    return file(right)
