"""The last cell of a lab: a button that shuts its kernel down, so that its memory is free again."""

import json
import os
from pathlib import Path
from threading import Thread
from typing import NamedTuple
from urllib.request import Request, urlopen

from labsupport.graded import being_graded

BY_HAND = "To give this lab's memory back, choose Kernel, then Shut Down Kernel. All that you see stays."
CLOSED = (
    "This lab's memory is free again, and all that you see stays. To go on, choose Kernel, Restart Kernel."
)


class Server(NamedTuple):
    """The Jupyter server that started this kernel."""

    url: str  # ends in a slash
    token: str
    kernel: str  # the id by which it knows this kernel


def button() -> None:
    """Show a button that shuts this kernel down; where no server can be asked, say how it is done by hand.

    Under grading nothing happens.
    """
    if being_graded():
        return
    server = _server()
    if server is None:
        print(BY_HAND)
        return

    import ipywidgets
    from IPython.display import display

    shown, said = ipywidgets.Button(description="Shut this lab down"), ipywidgets.Label()
    shown.layout.width = "max-content"

    def pressed(_button: object) -> None:
        shown.disabled, said.value = True, CLOSED
        Thread(target=_end, args=(server, said), daemon=True).start()  # the server waits for this kernel

    shown.on_click(pressed)
    display(ipywidgets.HBox([shown, said]))


def _server() -> Server | None:
    """The server, by the file that it wrote beside this kernel's own; None for a run that nobody looks at."""
    if "JPY_SESSION_NAME" not in os.environ:  # only Jupyter's server tells a kernel its notebook
        return None
    from IPython import get_ipython

    try:
        connection = Path(get_ipython().config["IPKernelApp"]["connection_file"])
        said = json.loads(connection.with_name(f"jpserver-{os.getppid()}.json").read_text(encoding="utf-8"))
        token = said["token"] or os.environ.get("JUPYTERHUB_API_TOKEN", "")
        return Server(said["url"], token, connection.stem.removeprefix("kernel-"))
    except (AttributeError, OSError, TypeError, ValueError, KeyError):
        return None


def _end(server: Server, said) -> None:
    """Ask the server to end what it runs in this kernel; what cannot be asked is told."""
    try:
        sessions = json.loads(_ask(server, "GET", "api/sessions"))
        (mine,) = (each["id"] for each in sessions if each["kernel"]["id"] == server.kernel)
        _ask(server, "DELETE", f"api/sessions/{mine}")
    except (OSError, ValueError, KeyError, TypeError):  # a ValueError too where none is this kernel's
        said.value = BY_HAND


def _ask(server: Server, method: str, path: str) -> bytes:
    """What the server answers within ten seconds."""
    headers = {"Authorization": f"token {server.token}"} if server.token else {}
    with urlopen(Request(server.url + path, headers=headers, method=method), timeout=10) as reply:
        return reply.read()
