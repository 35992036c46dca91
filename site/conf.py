"""Sphinx's settings for the site. Nothing on a page comes from a network: formulas are MathML."""

from docutils import nodes
from docutils.utils.math import MathError
from sphinx.util import logging

from grader.results.mathml import mathml

logger = logging.getLogger(__name__)

project = "LLM pruning labs"
copyright = "the authors of the LLM pruning labs, MIT licence"
language = "en"
extensions = ["myst_nb"]
exclude_patterns = []
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # build.py has executed them
nb_merge_streams = True
nb_render_markdown_format = "myst"

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_use_index = False
html_math_renderer = "mathml"
html_theme_options = {"navigation_with_keys": False}


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


def setup(app) -> dict:
    """Formulas by _inline and _block."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
