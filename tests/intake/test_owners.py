"""On an exchange everybody may write under any name: what another student wrote is not taken."""

import os
import pwd

import pytest

from grader.__main__ import main
from grader.intake import owners
from grader.intake.collect import COLLECTED, REFUSED, collect, needs_attention

LAB = "02_magnitude_pruning"
NOTEBOOK = f"{LAB}.ipynb"


@pytest.fixture
def inbound(tmp_path, monkeypatch):
    """A function that hands in folders, by student, owner and minute."""
    owned = {}
    monkeypatch.setattr(owners, "owner", lambda folder: owned[folder.name])
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))

    def hand_in(*folders):
        for student, writer, minute in folders:
            folder = tmp_path / "inbound" / f"{student}+{LAB}+2026-11-20 10:{minute:02d}:00 UTC"
            folder.mkdir(parents=True)
            (folder / NOTEBOOK).write_text(f"{student} by {writer}")
            owned[folder.name] = writer
        return tmp_path / "inbound"

    return hand_in


def taken(submitted):
    return {path.parts[-3]: path.read_text() for path in submitted.glob("*/*/*.ipynb")}


def test_a_folder_in_anothers_name_is_not_taken(inbound, tmp_path):
    """Ben's own work stays, though what eve wrote in his name is later."""
    source = inbound(("ben", "ben", 1), ("eve", "eve", 2), ("ben", "eve", 3))
    arrivals = collect(LAB, source, tmp_path / "course" / "submitted")
    assert taken(tmp_path / "course" / "submitted") == {"ben": "ben by ben", "eve": "eve by eve"}
    (refused,) = [arrival for arrival in arrivals if arrival.outcome == REFUSED]
    assert "belongs to the user eve, and not to ben" in refused.notes[0] and needs_attention(arrivals)


@pytest.mark.parametrize("known", ["submitted/eve", "roster"])
def test_one_folder_alone_is_seen_by_who_is_in_the_course(inbound, tmp_path, known):
    submitted = tmp_path / "course" / "submitted"
    people = None
    if known == "roster":
        people = tmp_path / "roster.csv"
        people.write_text("student_id,name\nben,Ben\neve,Eve\n")
    else:
        (submitted / "eve" / LAB).mkdir(parents=True)
    arrivals = collect(LAB, inbound(("ben", "eve", 1)), submitted, people)
    assert [arrival.outcome for arrival in arrivals] == [REFUSED]


@pytest.mark.parametrize("owner", ["", "jovyan"])
def test_where_all_run_as_one_user_owners_tell_nothing(inbound, tmp_path, owner):
    """Containers, and a copy of the inbound folder."""
    arrivals = collect(LAB, inbound(("ben", owner, 1), ("eve", owner, 2)), tmp_path / "course" / "submitted")
    assert {arrival.outcome for arrival in arrivals} == {COLLECTED}


def test_nbgraders_own_setting_switches_it_off(inbound, tmp_path):
    source = inbound(("ben", "ben", 1), ("ben", "eve", 3))
    assert main(["collect", "02", str(source)]) == 1
    settings = tmp_path / "course" / "own_config.py"
    settings.write_text("c = get_config()\nc.ExchangeCollect.check_owner = False\n")
    assert main(["collect", "02", str(source)]) == 0


def test_ours_and_roots_tell_nothing(tmp_path):
    assert owners.owner(tmp_path) == "" and owners.owner(tmp_path / "absent") == ""
    if os.geteuid() == 0:
        os.chown(tmp_path, pwd.getpwnam("daemon").pw_uid, -1)
        assert owners.owner(tmp_path) == "daemon"
