"""Sphinx's settings for the site. Nothing on a page comes from a network: formulas are MathML."""

import re
from pathlib import Path

from docutils import nodes
from docutils.utils.math import MathError
from search import Words
from sphinx.util import logging

from grader.results.mathml import mathml

logger = logging.getLogger(__name__)

project = "LLM pruning labs"
copyright = "the LLM pruning labs authors; texts CC BY 4.0, code MIT"
language = "en"
extensions = ["myst_nb", "sphinx.ext.autodoc"]
exclude_patterns = []
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # build.py has executed them
nb_merge_streams = True
nb_render_markdown_format = "myst"

html_theme = "furo"
html_title = project
html_static_path = ["_static", "../grader/results/fonts"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
templates_path = ["_templates"]
html_copy_source = False
html_show_sourcelink = False
html_use_index = False
html_domain_indices = False
html_show_search_summary = False  # it would be read by a script, which no page opened as a file may do
html_search_scorer = str(Path(__file__).with_name("scorer.js"))
html_math_renderer = "mathml"
html_theme_options = {"navigation_with_keys": False}

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_preserve_defaults = True
default_role = "code"  # of docstrings
highlight_language = "text"  # of blocks that name no language
nitpick_ignore_regex = [("py:.*", ".*")]  # types of other packages have no page here
EMPTY = re.compile(r'<th class="head[^"]*"><p></p></th>')
HEADLESS = re.compile(r"<thead>\s*<tr[^>]*>(?:<td></td>\s*)+</tr>\s*</thead>")
MARKUP = re.compile(r"[*|_\\]")


def _mathml(node, as_block: bool = False) -> str:
    try:
        return mathml(node.astext(), as_block)
    except MathError as problem:
        logger.warning("%s in %s", problem, node.astext(), location=node)
        return ""


def _inline(translator, node: nodes.math) -> None:
    translator.body.append(_mathml(node))
    raise nodes.SkipNode


def _block(translator, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="math" tabindex="0">{_mathml(node, as_block=True)}</div>')
    raise nodes.SkipNode


def _plain(_app, _what, _name, _found, _options, lines: list[str]) -> None:
    """Docstrings are plain English: nothing in them is markup, but `code` and blocks that are moved in."""
    blocks = re.split(r"\n\s*\n", "\n".join(lines).strip("\n"))
    lines.clear()
    for block in blocks:
        if block.startswith("    "):
            lines += ["::", "", *block.splitlines(), ""]
        else:
            pieces = re.split("(`[^`]+`)", re.sub("::$", ":", block))
            escaped = [
                piece if number % 2 else MARKUP.sub(r"\\\g<0>", piece) for number, piece in enumerate(pieces)
            ]
            lines += [*(line.strip() for line in "".join(escaped).splitlines()), ""]


def _named(_app, _page, _template, context: dict, _doctree) -> None:
    """What screen readers want: the level of a heading in the sidebar, no empty head above a column."""
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace('role="heading"', 'role="heading" aria-level="2"')
    body = EMPTY.sub("<td></td>", context.get("body", ""))
    context["body"] = HEADLESS.sub("", body)


def setup(app) -> dict:
    """Formulas by _inline and _block, docstrings by _plain."""
    app.add_search_language(Words)
    app.connect("autodoc-process-docstring", _plain)
    app.connect("html-page-context", _named, priority=900)  # after the theme
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
