"""Cleans HTML with an allow list, so that it runs nothing and loads nothing.

nh3 (ammonia, in Rust) parses HTML like a browser and serializes only the allowed elements. nbconvert's
SanitizeHTML and `clean_html` use bleach, which is no longer maintained, and clean Markdown before its
conversion to HTML, when `[x](javascript:...)` is not a link yet.
"""

from urllib.parse import quote

import nh3
from pygments.token import STANDARD_TYPES

from grader.grade.sanitize import GUARD

# The elements of Markdown, the labs' hints and Pygments, and of formulas by docutils.
TAGS = (
    "a blockquote br code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr li ol p pre span strong summary "
    "table tbody td th thead tr ul"
)
MATH = (
    "math menclose mfrac mi mn mo mover mpadded mphantom mroot mrow mspace msqrt mstyle msub msubsup msup "
    "mtable mtd mtext mtr munder munderover"
)
MATH_ATTRIBUTES = (
    "accent columnalign columnspacing depth display displaystyle form height linethickness lspace "
    "mathvariant maxsize minsize movablelimits notation rowspacing rspace scriptlevel stretchy "
    "symmetric width"
)
CLEANER = nh3.Cleaner(
    tags={*TAGS.split(), *MATH.split()},
    attributes={"a": {"href", "title"}, "ol": {"start"}, "td": {"style"}, "th": {"style"}}
    | {tag: set(MATH_ATTRIBUTES.split()) for tag in MATH.split()},
    allowed_classes={"div": {"highlight"}, "span": {name for name in STANDARD_TYPES.values() if name}},
    filter_style_properties={"text-align"},
    url_schemes={"http", "https"},
    url_relative="deny",
)


def clean(html: str) -> str:
    """The allowed part of the HTML, without the guard characters of sanitize.tame."""
    return CLEANER.clean(html.replace(GUARD, "").replace(quote(GUARD), ""))
