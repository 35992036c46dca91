"""What the notebook around a check says about the function that is checked."""

import ast
import re
import sys


def not_run(name: str) -> str:
    """A sentence where the newest cell that defines this function is no Python and did not run; else ""."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None:
        return ""
    defines = re.compile(rf"^[ \t]*def[ \t]+{re.escape(name)}\b", re.MULTILINE)
    newest = next((cell for cell in reversed(shell.user_ns.get("In", [])) if defines.search(cell)), "")
    try:
        compile(newest, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as problem:
        return (
            f"Your cell with {name} did not run; in its line {problem.lineno}: {problem.msg}. "
            "This check judged the function from before."
        )
    return ""
