"""Points follow the work: does anybody earn more a minute by the easy exercises than by the real ones?"""

import re

import pytest

from grader import course
from grader.author import source
from labsupport.check.judge import EXERCISES

STARRED = "none, for the fun of it"
HEADER = re.compile(
    r"^# ## \d+\.\d+ (\w+)( ★)?\n#\n"
    rf"# \*\*Goal\*\* .* \| \*\*Points\*\* (\d+|{STARRED}) \| \*\*Minutes\*\* (\d+)$",
    re.M,
)


def headers() -> dict[str, tuple[int, int]]:
    """Points and minutes of every exercise, by its heading; a star says that there are no points."""
    texts = [course.source(lab).read_text(encoding="utf-8") for lab in course.labs()]
    found = [match for text in texts for match in HEADER.findall(text)]
    assert all(bool(star) == (points == STARRED) for _, star, points, _ in found)
    return {
        name: (0 if points == STARRED else int(points), int(minutes)) for name, _, points, minutes in found
    }


@pytest.mark.parametrize("name", EXERCISES)
def test_a_heading_says_the_points_of_its_check(name):
    """Nobody is promised another number than the gradebook has."""
    lab = course.lab(f"{EXERCISES.lab(name):02d}")
    (points,) = (cell.points for cell in source.read(lab) if cell.kind == "check" and cell.name == name)
    assert headers()[name][0] == points


def test_the_real_exercises_pay_more_a_minute():
    """After the first one, a line of code never pays more a minute than a function that takes an evening."""
    rates = {name: (points, points / minutes) for name, (points, minutes) in headers().items()}
    del rates["sparsity"]  # three minutes, to meet the checks
    easy = {name: rate for name, (points, rate) in rates.items() if points == 1}
    real = {name: rate for name, (points, rate) in rates.items() if points >= 4}
    repeats = {"global_magnitude_masks"}  # 2.1 with a longer list
    assert repeats | {"wanda_score", "shrink_mlp", "lora_forward", "merge_lora", "standard_error"} <= set(
        easy
    )
    assert {"perplexity", "input_norms", "prune_blocks", "recover", "paired_p_value"} <= set(real)
    assert max(easy.values()) <= min(real.values())
