"""Runs at the start of every kernel of start.py's JupyterLab, and leaves no name behind.

It explains a name that is missing because the kernel was restarted.
"""


def start() -> None:
    """Replace the NameError of a kernel that has not run the lab's first cell by one sentence."""
    import sys

    from IPython import get_ipython

    def explain(shell, kind, problem, traceback, tb_offset=None) -> None:
        if "labsupport" in sys.modules:
            shell.showtraceback((kind, problem, traceback), tb_offset=tb_offset)
        else:
            print(f"{problem.name} is not there yet: this kernel has not run the cells above this one.")
            print("Choose Run, Run All Above Selected Cell.")

    shell = get_ipython()
    if shell:
        shell.set_custom_exc((NameError,), explain)


start()
del start
