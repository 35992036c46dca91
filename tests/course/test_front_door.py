"""What a stranger meets before the first line of code: the forms for issues, and the two licences."""

import re

import pytest
import yaml

from grader.course import ROOT

FOLDER = ROOT / ".github" / "ISSUE_TEMPLATE"
FORMS = sorted(path for path in FOLDER.glob("*.yml") if path.stem != "config")


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_has_what_its_reader_needs(path):
    """One that lacks a name, or has an id twice, is shown to nobody."""
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert form["name"] and form["description"]
    kinds = {"markdown", "input", "textarea", "dropdown", "checkboxes"}
    assert {field["type"] for field in form["body"]} <= kinds
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids)) and all(field["attributes"]["label"] for field in form["body"])
    assert any(field.get("validations", {}).get("required") for field in form["body"])


def test_texts_and_code_have_their_licences():
    """Whoever takes a text finds its licence whole, and reads that code has another one."""
    texts = (ROOT / "LICENSE-TEXTS").read_text(encoding="utf-8")
    assert re.search(r"Attribution 4\.0 International", texts) and "MIT" in texts
    assert "Section 8" in texts, "the legal code is cut off"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
