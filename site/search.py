"""The words of the site's search: those of English, and patterns such as 2:4, each one word."""

import re

from sphinx.search.en import SearchEnglish

PATTERN = re.compile(r"\b(\w+):(\w+)\b")


class Words(SearchEnglish):
    """Sphinx drops a word of digits alone, so 2:4 is kept as 2of4, in the index and in what is looked for."""

    js_splitter_code = r"""
var splitQuery = (query) => query.replace(/(\w+):(\w+)/g, "$1of$2")
  .split(/[^\p{Letter}\p{Number}_\p{Emoji_Presentation}]+/gu).filter((term) => term);
"""

    def split(self, input: str) -> list[str]:
        """The words of a text. A pattern's own parts stay words, too."""
        return [*super().split(input), *(f"{one}of{other}" for one, other in PATTERN.findall(input))]
