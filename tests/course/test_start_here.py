"""Lab 00: does a beginner read in it what really happens next?"""

import re
import textwrap

import pytest

from grader import course
from grader.author import source
from labsupport import doctor
from labsupport.check.ask.client import answer_here
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.judging import judge
from tests.wrong_answers import sparsity

LAB = "00_start_here"


def prose() -> str:
    return "\n\n".join(cell.text for cell in source.read(LAB) if cell.kind == "prose")


def unwritten(mask):
    raise NotImplementedError


unwritten.__code__ = unwritten.__code__.replace(co_name="sparsity")


@pytest.mark.parametrize("function", [unwritten, sparsity.kept, sparsity.right_mean])
def test_the_three_faces_of_a_check(function):
    """What the lab prints as the message of a check is what the check says, line by line."""
    exercise = EXERCISES["sparsity"]
    verdict = judge(
        exercise, exercise.cases(0), lambda case: answer_here(exercise.name, function, case.inputs)
    )
    assert textwrap.indent(verdict.message(), "    ").strip() in prose()


def test_the_links_lead_to_the_labs_in_order():
    """A click on a link opens the next lab, in JupyterLab and wherever the folder is served."""
    folder = course.notebook(LAB).parent
    links = [(folder / link).resolve() for link in re.findall(r"\]\((.+?\.ipynb)\)", prose())]
    labs = course.labs()[1:]
    assert links == [course.notebook(lab) for lab in [*labs, labs[0]]]  # at the end, on to lab 01


def test_the_doctor_knows_every_lab():
    """Who asks how long the labs take hears of each of them."""
    assert [name.replace(" ", "_") for name in doctor.LABS] == course.labs()
