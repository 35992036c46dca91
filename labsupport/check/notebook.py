"""What the notebook around a check says about the function that is checked."""

import ast
import re
import sys
from typing import Any


def not_run(name: str) -> str:
    """What was judged where the newest cell that defines this function is no Python; else ""."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None:
        return ""
    defines = re.compile(rf"^[ \t]*def[ \t]+{re.escape(name)}\b", re.MULTILINE)
    newest = next((cell for cell in reversed(shell.user_ns.get("In", [])) if defines.search(cell)), "")
    try:
        _compiled(newest)
    except SyntaxError as problem:
        if _ran(newest, name):
            return (
                f"Your cell with {name} ended in its line {problem.lineno}: {problem.msg}. "
                "This check judged what stands above that line."
            )
        return (
            f"Your cell with {name} did not run; in its line {problem.lineno}: {problem.msg}. "
            "This check judged the function from before."
        )
    return ""


def _ran(cell: str, name: str) -> bool:
    """Whether the function of a cell was made all the same: IPython compiles and runs statement by statement.

    A `return` that lost its indentation is a mistake of its own statement, and no other's.
    """
    try:
        for statement in _compiled(cell, ast.PyCF_ONLY_AST).body:
            _compiled(ast.Module([statement], []))
            if isinstance(statement, ast.FunctionDef) and statement.name == name:
                return True
    except SyntaxError:
        pass
    return False


def _compiled(code: str | ast.Module, flags: int = 0) -> Any:
    """Code as IPython compiles it. Raises SyntaxError."""
    return compile(code, "cell", "exec", flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
