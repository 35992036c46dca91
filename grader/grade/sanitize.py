"""Makes an executed notebook inert: whatever a browser shows of it later, nothing of it runs or loads there.

Of the outputs, text and PNG pictures stay; HTML, script, SVG, widgets and LaTeX are dropped. Prose is cleaned
twice. In the notebook, an invisible character breaks what Markdown would read as HTML, as a script link or as a
picture: that holds in every viewer, JupyterLab included. On nbgrader's pages (see results/filters.py) `clean`
then lets only the tags, attributes and addresses of a list through. A picture from elsewhere counts as harm:
it would tell its server who looks at the page, and when.

A page must also be made in seconds. A submission may hold 10 MB of text and 20 MB of outputs, and nbconvert takes
a minute for one of them; so there is room for so much on a page, and the rest is cut or is shown as typed.
"""

import re
from dataclasses import dataclass

import nbformat
import nh3
from nbformat import NotebookNode
from pygments.token import STANDARD_TYPES

PICTURE, TEXT = "image/png", "text/plain"
DROPPED = "[an output that is neither text nor a PNG picture is not shown]"
CUT = "\n[output cut: a page shows {:,} characters of a notebook's output]"
MORE = "[more outputs are not shown: a page has {:,}]"
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
NO_COLOUR = re.compile(r"\x1b(?!\[[\d;]{0,40}m)(?:\[[^@-~\n]*[@-~])?")
COLOUR = re.compile(r"\x1b\[[\d;]*m")

GUARD = "\u2060"  # WORD JOINER: invisible, and no tag, entity, scheme or picture of Markdown's has one inside
BEFORE = re.compile(  # the places where a guard goes: <tag </tag <!x <?x, &name; &#, script:, ![
    r"(?<=<)(?=[A-Za-z/!?])|(?<=&)(?=#|\w+;)|(?<=javascript|..vbscript|......data)(?=[\s\\]*:)|(?<=!)(?=\[)"
)

LONGEST = 20_000  # characters of a cell that are formatted
PLAIN = "plain"  # key of a cell's metadata: it is shown as typed, whatever its length


@dataclass
class Room:
    """What a page still has room for. The numbers are ten times what an honest submission needs."""

    source: int = 50_000  # characters of the student's cells that are formatted
    text: int = 500_000  # characters of output
    outputs: int = 1_000
    colours: int = 5_000  # changes of colour
