"""Python in colours, in a time that goes with its length: nbconvert's highlighting, with a guard."""

import re
from html import escape

from nbconvert.filters import Highlight2HTML

GAP = re.compile(r"\s{300}")  # Pygments' time goes with the square of a gap in the code: 20 KB take 10 s
LANGUAGES = ("python", "py", "python3")  # Pygments' lexers of other languages have more such traps


def highlighted(source: str) -> str:
    """Python source as HTML; without colours where it has a very long gap."""
    if GAP.search(source):
        return f'<div class="highlight"><pre>{escape(source)}</pre></div>'
    return Highlight2HTML(pygments_lexer="python")(source)
