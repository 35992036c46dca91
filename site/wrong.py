"""The page of what students get wrong."""

import html

from walkthrough import fold, heading, python, text

from grader.author import source


def page(labs: list[str], wrong: dict[str, list]) -> str:
    """The page, in Markdown. wrong: what mistakes.py says of each exercise."""
    lines = [
        "# What students get wrong",
        "Three wrong answers to every exercise, and what its check says of each. The words are the check's "
        "own, computed when this page was built; the answers come from the tests of the checks. A function "
        "whose name begins with `right_` is a right answer: the mistake is around it.",
    ]
    for lab in labs:
        names = [cell.name for cell in source.read(lab) if cell.kind == "check"]
        lines += [f"## {heading(lab)}"] * bool(names)
        for name in names:
            lines += [f"(wrong-{name})=\n### {name}"]
            for each in wrong[name]:
                code, said = python(each["source"]), text(each["message"])
                lines.append(fold(html.escape(each["headline"]), f"{code}\n\n{said}"))
    return "\n\n".join(lines) + "\n"
