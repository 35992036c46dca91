"""Decides whether a student's code may reach values that it does not name, or keep any between calls.

The answer is yes wherever the syntax does not show the opposite: the cost of a wrong yes is time, that of
a wrong no is a score. Imports and builtins are allowed by name; attributes are refused by name.
"""

import ast
import builtins
import sys
from collections.abc import Iterator

from grader.grade import names

MODULES = {"collections", "contextlib", "copy", "dataclasses", "fractions", "functools", "itertools",
           "labsupport", "math", "numpy", "peft", "re", "statistics", "torch", "tqdm", "transformers",
           "typing"}  # fmt: skip
REFLECTIVE = {"__import__", "breakpoint", "compile", "copyright", "credits", "delattr", "dir", "eval", "exec",
              "exit", "getattr", "globals", "help", "input", "license", "locals", "open", "quit", "setattr",
              "vars"}  # fmt: skip
SAFE = {name for name in set(dir(builtins)) - REFLECTIVE if not name.startswith("_")} | {"display"}
FRAMES = {"ForwardRef", "ag_frame", "cr_frame", "default_generator", "f_back", "f_builtins", "f_globals",
          "f_locals", "func_globals", "get_type_hints", "gi_frame", "jit", "tb_frame", "tb_next"}  # fmt: skip
READERS = {"ask", "earlier", "exercises", "jupyter", "notebook", "yours"}  # of labsupport: read the notebook
FILES = {"DataSource", "ctypeslib", "from_file", "from_pretrained", "fromfile", "genfromtxt", "load",
         "load_file", "loadtxt", "memmap", "open_memmap", "plt", "pyplot", "read_bytes", "read_text", "save",
         "save_file", "save_pretrained", "savetxt", "savez", "tofile", "write_bytes", "write_text",
         "write_whole"}  # fmt: skip
KEEPERS = {"cache", "cached_property", "lru_cache", "singledispatch", "singledispatchmethod",
           "total_ordering"}  # fmt: skip
CHANGERS = {"add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "remove",
            "setdefault", "sort", "update"}  # fmt: skip
DRAWS = {"Dropout", "bernoulli", "bernoulli_", "dropout", "exponential_", "multinomial", "normal", "normal_",
         "rand", "rand_like", "randint", "randint_like", "randn", "randn_like", "random", "random_",
         "randperm", "uniform_"}  # fmt: skip
OTHERS = {"abc", "copy", "math", "select", "signal", "trace"}  # modules that share their name
LIBRARY = set(sys.stdlib_module_names) - OTHERS
DUNDERS = {"__call__", "__getitem__", "__init__", "__iter__", "__len__", "__name__", "__post_init__",
           "__repr__"}  # fmt: skip


def opaque(text: str) -> bool:
    """Whether a cell may reach what it does not name, or keep state between calls. Raises NotPython."""
    top = names.tree(text)
    outside = names.read(text)
    return any(_reaches(node) or _keeps(node, outside) for node in ast.walk(top))


def _reaches(node: ast.AST) -> bool:
    """Whether a node may look up a name that is not written there."""
    match node:
        case ast.Import():
            return any(_is_foreign(alias.name) for alias in node.names)
        case ast.ImportFrom():
            every = [alias.name for alias in node.names]
            return node.level > 0 or _is_foreign(str(node.module)) or any(map(_is_odd, every)) or "*" in every
        case ast.Attribute():
            own = isinstance(node.value, ast.Name) and node.value.id == "self"
            return _is_odd(node.attr.lstrip("_") if own and not node.attr.startswith("__") else node.attr)
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return node.name.startswith("__") and node.name not in DUNDERS
        case ast.Constant(value=str(text)):
            return "__" in text or any(word in text for word in FRAMES)
    return False


def _is_foreign(module: str) -> bool:
    """Whether a module is not among those that show nothing of the notebook."""
    root, *rest = module.split(".")
    return root not in MODULES or any(map(_is_odd, rest))


def _is_odd(name: str) -> bool:
    """Whether an attribute may lead to frames, files, other modules or private parts."""
    if name in DUNDERS:
        return False
    refused = FRAMES | FILES | LIBRARY | KEEPERS | READERS | (REFLECTIVE - {"eval"})
    return name in refused or name.startswith(("_", "register_module_")) or name == "format"


def _keeps(node: ast.AST, outside: set[str]) -> bool:
    """Whether a node may change what outlives a call; outside: the global names of its cell."""
    match node:
        case ast.Global() | ast.Nonlocal():
            return True
        case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
            return names.root(node) in outside
        case ast.arguments():
            given = [each for each in [*node.defaults, *node.kw_defaults] if each]
            return not all(map(names.is_constant, given))
        case ast.ClassDef():
            values = [each.value for each in node.body if isinstance(each, ast.Assign | ast.AnnAssign)]
            return bool(node.keywords) or not all(names.is_constant(each) for each in values if each)
        case ast.Call():
            return _changes(node, outside)
    return any(names.root(each) not in MODULES | SAFE | {"dataclass"} for each in _decorators(node))


def _changes(call: ast.Call, outside: set[str]) -> bool:
    """Whether a call changes a global object, the global generator or a setting of torch."""
    of, method = (call.func.value, call.func.attr) if isinstance(call.func, ast.Attribute) else (None, "")
    name = method or names.root(call.func)
    if name in DRAWS and not any(word.arg == "generator" for word in call.keywords):
        return True
    if name == "eval" and (call.args or call.keywords):
        return True
    settings = method.startswith(("get_", "set_", "is_grad", "initial_seed", "seed", "manual_seed"))
    changes = method in CHANGERS or (settings and isinstance(of, ast.Name))
    return changes and names.root(call.func) in outside


def _decorators(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield from node.decorator_list
