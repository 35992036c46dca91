"""The page on a class says what an instructor must know, and nothing a student wrote acts in it."""

import random
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace

from grader import course
from grader.grade import journal
from grader.grade.journal import Earlier, Judged, Measured, Record
from grader.intake import register, stored
from grader.results import charts, exercises, report, table
from grader.results.person import Person
from grader.status import Status
from labsupport.check.judge.kit.verdict import Ending, Line, Mark
from labsupport.errors import LabError

LAB = "02_magnitude_pruning"
EXERCISES = {
    "magnitude_mask": ("2.1", 3),
    "prune_magnitude": ("2.2", 4),
    "global_magnitude_masks": ("2.3", 3),
}
CAUSES = {
    "magnitude_mask": [
        "It looks as if the weight at the threshold stayed: it is the k-th smallest, so it goes too.\n"
        "Look at your comparison: > and >= differ by just this weight.",
        "It looks as if the signed weights were ranked: -4 is far from zero, and its magnitude is 4.\n"
        "Try weight.abs() before you rank.",
    ],
    "prune_magnitude": [
        "It looks as if lm_head was pruned as well. Only Linear layers of the decoder are, see section 2.2.\n"
        "Try comparing model.lm_head.weight before and after.",
        "",
    ],
    "global_magnitude_masks": [
        "It looks as if each layer was ranked on its own. One threshold serves all layers.",
        "",
    ],
}
HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "</pre></section><iframe src='http://evil.example'></iframe><pre>",
    "javascript:alert(1)",
    "x' onmouseover='alert(1)",
    "abc\u202egnp.exe\u2066\u200b",
    "{{ 7 * 7 }}{% for x in y %}",
    "lone \ud800 surrogate \x00\x1b[31m",
    "<style>@import 'http://evil.example/x.css';</style><meta http-equiv=refresh content=0>",
    "&lt;script&gt; &#60;b&#62; --> ]]>",
]


@pytest.fixture(autouse=True)
def course_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))
    return tmp_path / "course"


def verdict(
    name,
    status=Ending.RIGHT,
    cause="",
    share=1.0,
    submission="a" * 64,
    failed="the smallest: yours drops 3",
    mistake="",
    **changes,
):
    """A verdict as the record keeps it."""
    wrong = status == Ending.WRONG
    number, points = EXERCISES[name]
    return replace(
        Judged(
            exercise=name,
            number=number,
            status=status,
            lines=[
                Line(Mark.PASSED, "the mask is torch.bool"),
                Line(Mark.FAILED if wrong else Mark.PASSED, failed),
            ],
            share=share if wrong else float(status == Ending.RIGHT),
            show={"weight": "[[1, -4, 2, 3]]", "your mask": "[[1, 0, 0, 0]]"} if wrong else {},
            cause=cause,
            mistake=mistake,
            points=points,
            submission=submission,
        ),
        **changes,
    )


def right(student, **changes):
    values = {"submission": "a" * 64, "version": "v", "status": Status.GRADED, "seconds": 40.0,
              "verdicts": {name: verdict(name) for name in EXERCISES}} | changes  # fmt: skip
    return Record(student, LAB, **values)


def klass(size, seed=0):
    """A plausible class: most are right, some make the mistakes that are made, a few end otherwise."""
    draw = random.Random(seed)
    names = ["amelie", "bruno", "chen", "dana", "emre", "farida", "goran", "hana", "ines", "jonas"]
    for index in range(size):
        verdicts = {}
        for name, skill in zip(EXERCISES, (0.75, 0.45, 0.65), strict=True):
            luck = draw.random()
            if luck < skill:
                verdicts[name] = verdict(name)
            elif luck > 0.95:
                verdicts[name] = verdict(name, Ending.UNWRITTEN)
            else:
                cause = draw.choices(CAUSES[name], (3, 2))[0]
                failed = (
                    f"{draw.choice((4, 6))} of 12 weights dropped, as sparsity = 0.333 asks: yours drops 3"
                )
                share = draw.choice((0.0, 0.5, 11 / 14))
                mistake = cause.partition(".")[0] or "dropped"
                verdicts[name] = verdict(name, Ending.WRONG, cause, share, failed=failed, mistake=mistake)
        seconds, digest = draw.lognormvariate(3.6, 0.3), f"{draw.getrandbits(256):064x}"
        verdicts = {name: replace(one, submission=digest) for name, one in verdicts.items()}
        yield right(
            f"{names[index % 10]}.{index + 1:02d}", verdicts=verdicts, seconds=seconds,
            submission=digest, submitted_at="2026-11-20 17:12:09 UTC",
            phases={"intake": 0.1, "sandbox": seconds * 0.9, "judging": seconds * 0.1 - 0.1},
        )  # fmt: skip


def mixed(size):
    """A plausible class with every status, flags and an earlier submission."""
    found = list(klass(size))
    ended = {
        2: (
            Status.TIMEOUT,
            "Cell prune_magnitude took longer than 600 s and was stopped.",
            "prune_magnitude",
        ),
        9: (Status.KERNEL_DIED, "The kernel ended while cell 02-014 ran.", "02-014"),
        13: (
            Status.OUT_OF_MEMORY,
            "Cell check_prune_magnitude needed more than 4 GiB.",
            "check_prune_magnitude",
        ),
    }
    for index, (status, reason, cell) in ended.items():
        found[index].status, found[index].reason, found[index].cell = status, reason, cell
        found[index].verdicts = {
            name: one if name == "magnitude_mask" else replace(one, status=Ending.UNASKED, share=0.0)
            for name, one in found[index].verdicts.items()
        }
    found[2].seconds = 612.0
    for index, status, reason in (
        (5, Status.UNREADABLE, "It is no notebook: the file begins with '<!DOCTYPE html>'."),
        (17, Status.NOT_SUBMITTED, "There is no 02_magnitude_pruning.ipynb: the folder is empty."),
        (21, Status.GRADER_ERROR, "The grader failed: OSError: No space left on device"),
    ):
        found[index] = Record(found[index].student, LAB, "", "v", status, reason)
    for index in (3, 7, 20):
        found[index].flags = ["Cell check_magnitude_mask had been edited and is as released again."]
    found[11].flags = [
        "The notebook was taken from '02_magnitude_pruning (1).ipynb', the only one of this lab."
    ]
    found[11].earlier = [
        Earlier("b" * 64, Status.UNREADABLE, "2026-11-18 10:00:00 UTC", "2026-11-18 09:00:00 UTC", 0.0, 0.0)
    ]
    return found


class Page(HTMLParser):
    """What a browser would make of the page: elements with their attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text, self.open = [], "", []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in ("meta", "br", "link", "img", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def made(records, path=None):
    for record in records:
        journal.write(record)
    return report.write(LAB, path or course.folder() / "report.html").read_text("utf-8")


def section(html, student):
    """The part of the page that is about one student."""
    start = r'<section [^>]*id="student-\d+"[^>]*>\s*<header><h3[^>]*>'
    return re.search(rf"{start}<bdi>{student}</bdi>.*?</section>", html, re.DOTALL)[0]


# What it says


def test_it_names_the_hardest_exercise_and_the_mistake_most_made_in_it():
    cause, other = CAUSES["prune_magnitude"][0], "It looks as if nothing was pruned."
    records = [right(f"s{i}") for i in range(3)]
    for record, sentences in zip(records, (cause, cause, other), strict=True):
        record.verdicts["prune_magnitude"] = verdict(
            "prune_magnitude", Ending.WRONG, sentences, 0.0, mistake=sentences
        )
    html = made([*records, right("s9")])
    assert 'Failed most: <a href="#exercise-prune_magnitude">2.2 prune_magnitude</a>' in html
    assert "1 of 4 have it all right" in html
    assert "The most common mistake, 2 students: <q>It looks as if lm_head was pruned as well.</q>" in html


def test_mistakes_that_differ_in_their_numbers_alone_are_one():
    """The judge names the mistake; the sentences on it may differ."""
    records = []
    for drops in (3, 5, 8):
        records.append(right(f"s{drops}"))
        records[-1].verdicts["magnitude_mask"] = verdict(
            "magnitude_mask",
            Ending.WRONG,
            failed=f"4 of 12 dropped: yours drops {drops}",
            share=0,
            mistake="part 2, magnitude_mask.py:40",
        )
    html = made(records)
    assert html.count("3&thinsp;&times;") == 1 and "(or the like)" in html


def test_mistakes_without_a_name_are_told_apart_by_their_sentences():
    records = [right(f"s{number}") for number in range(3)]
    for record, drops in zip(records, (3, 3, 5), strict=True):
        record.verdicts["magnitude_mask"] = verdict(
            "magnitude_mask", Ending.WRONG, failed=f"yours drops {drops}", share=0
        )
    html = made(records)
    assert html.count("2&thinsp;&times;") == html.count("1&thinsp;&times;") == 1
    assert "(or the like)" not in html


def mistake_of(one):
    """The sentence that the page says on the mistake of a verdict."""
    row = table.Row("ann", {}, 0.0, None, 3, Status.GRADED, "", None, None, "", "")
    person = Person("student-1", row, right("ann", verdicts={one.exercise: one}), "", [])
    return exercises.mistakes(one.exercise, [person])[0].text


@pytest.mark.parametrize("show", [{}, {"weight": "[[1, 2]]", "rows kept": "1 and 3"}])
def test_the_mistake_is_the_first_sentence_of_the_cause_however_it_was_wrapped(show):
    cause = "It looks as if the scores were ranked over the whole matrix, e.g. by flattening it. Wanda\n" \
            "ranks inside each row: see section 4.2."  # fmt: skip
    lines = [Line(Mark.FAILED, "every row keeps the same number")]
    one = verdict("magnitude_mask", Ending.WRONG, cause, lines=lines, show=show)
    assert mistake_of(one) == cause[: cause.index(" Wanda")]


@pytest.mark.parametrize("show", [{}, {"weight": "[[1, 2]]"}])
def test_without_a_cause_it_is_the_first_failed_line_and_not_the_numbers(show):
    long = "shape (out_features, in_features) = (3, 4): yours is (12,), which is the matrix, but flattened"
    lines = [
        Line(Mark.PASSED, "bool"),
        Line(Mark.FAILED, long),
        Line(Mark.FAILED, "another"),
        Line(Mark.OPEN, "last"),
    ]
    assert mistake_of(verdict("magnitude_mask", Ending.WRONG, lines=lines, show=show)) == long


def test_a_mistake_without_end_is_cut():
    assert len(mistake_of(verdict("magnitude_mask", Ending.WRONG, "x" * 1000))) == exercises.LONGEST


def test_the_number_of_an_exercise_is_there_with_and_without_a_verdict():
    """From the lab's heading where nothing was judged: no report imports a judge."""
    assert "2.1 magnitude_mask" in made([right("s1")])
    assert "2.1 magnitude_mask" in made([])


def test_the_median_and_the_bars_are_those_of_the_scores():
    records = [right(f"s{i}") for i in range(3)]
    for record in records[:2]:
        record.verdicts["prune_magnitude"] = verdict("prune_magnitude", Ending.WRONG, share=0.5)
    html = made([*records, Record("gone", LAB, "", "v", Status.UNREADABLE, "It is empty.")])
    assert "Half of those with a score have 8 of 10 points or more" in html
    assert 'aria-label="Students by points: 0 with 0,' in html and "2 with 8, 0 with 9, 1 with 10;" in html
    assert "1 student has no score, and is not in here." in html


def test_whoever_did_not_end_well_is_listed_with_the_reason_and_the_faults_of_the_grader_come_first():
    html = made(mixed(30))
    look = html.split('<h2 id="look">')[1].split("<h2")[0]
    for record in mixed(30):
        assert (f">{record.student}<" in re.sub("</?bdi>", "", look)) == (
            record.status != Status.GRADED or bool(record.flags)
        )
        assert not record.reason or record.reason.split("'")[0] in look
    order = re.findall("GRADER_ERROR|UNREADABLE|TIMEOUT|NOT_SUBMITTED|>GRADED", look)
    assert order[:3] == ["GRADER_ERROR", "UNREADABLE", "TIMEOUT"] and order[-1] == ">GRADED"


def test_no_score_is_no_zero():
    html = made([Record("gone", LAB, "", "v", Status.UNREADABLE, "It is empty.")])
    assert "points" not in section(html, "gone") and "It is empty." in section(html, "gone")
    assert "Nobody has a score yet." in html


def test_what_was_not_reached_is_not_called_wrong():
    record = right("slow", status=Status.TIMEOUT, reason="A cell took too long.")
    record.verdicts["prune_magnitude"] = verdict("prune_magnitude", Ending.UNASKED)
    html = made([record])
    assert 'aria-label="1 not reached"' in html and "not reached</p>" in section(html, "slow")


def test_a_limit_that_held_for_nobody_is_no_reason_to_look_at_each():
    sentence = "The number of processes is not limited."
    html = made([right(f"s{i}", unenforced=[sentence]) for i in range(4)])
    assert "Nobody: every submission was graded" in html and "all that ran" in html
    journal.write(right("s9"))
    look = made([]).split('<h2 id="look">')[1].split("<h2")[0]
    assert look.count(sentence) == 4  # now it held for one


def test_flags_are_listed_once_with_all_they_were_said_of():
    flags = made(mixed(30)).split('<h2 id="flags">')[1].split("<h2")[0]
    assert flags.count("Cell check_magnitude_mask had been edited") == 1
    assert flags.count('<a href="#student-') == 4


def test_the_slowest_come_first_with_what_took_the_time():
    html = made([right("quick", seconds=1.5), right("slow", seconds=99.5, phases={"sandbox": 90.0})])
    slowest = html.split('<h3 id="slowest"')[1].split("<h2")[0]
    assert slowest.index("slow</bdi>") < slowest.index("quick</bdi>") and "sandbox 90.0 s" in slowest


def test_the_phases_of_the_class_add_up_to_its_time():
    """What no phase accounts for is shown too, and nobody reads a share that is not there."""
    phases = {"intake": 1.0, "start": 9.0, "code": 60.0, "judging": 20.0, "made up": 5.0}
    time = made([right("s1", seconds=100.0, phases=phases)]).split('<h2 id="time">')[1].split("<h2")[0]
    shares = re.findall(r"([a-z' ]+): (\d+) %", Page("<h2>" + time).text)
    assert [int(share) for _, share in shares] == [1, 9, 60, 20, 10]
    assert shares[2][0] == "the student's code" and shares[-1][0] == "everything else"
    assert time.count('class="phase-') == 5 + 5 + 5  # the legend, the class, the slowest


def test_what_could_not_be_read_did_not_run():
    """Neither the number of submissions nor the one in the middle has it."""
    unread = [right(f"u{n}", seconds=0.01, status=Status.UNREADABLE, verdicts={}) for n in range(3)]
    html = made([*unread, right("s1", seconds=8.0), right("s2", seconds=8.0)])
    said = " ".join(Page(html).text.split())
    assert "2 submissions ran for" in said and "8 s for a submission in the middle" in said


def test_it_says_how_many_perplexities_were_shared():
    answers = [Measured("k", 9.0, how) for how in ("measured", "known", "known")]
    assert "2 of 3 perplexities were known" in made(
        [right("s1", shared=answers[1:]), right("s2", shared=answers[:1])]
    )
    assert "perplexities were known" not in made([right("s1"), right("s2")])


def test_who_was_late_is_told_with_what_it_cost(monkeypatch):
    """The latest first; on time is not late, and without a due date nobody is called punctual."""
    html = made([right(name) for name in ("early", "later", "latest")])
    assert "Not known: that takes a due date" in html and '<strong><a href="#late">' not in html
    late = {"early": -5.0, "later": 3600.0, "latest": 190_000.0}
    known = {name: table.ByHand(late=value, penalty=2.0 * (value > 9999)) for name, value in late.items()}
    monkeypatch.setattr(table, "gradebook", lambda lab, only: (set(), known))
    html = made([])
    part = html.split('<h2 id="late">')[1].split("<h2")[0]
    assert part.index("latest</bdi>") < part.index("later</bdi>") and "early" not in part
    assert "late by 2 d 4 h, 2 points off<" in part and "late by 1 h, nothing off<" in part
    assert "Late by 2 d 4 h, 2 points off." in section(html, "latest")
    assert "late" not in Page(section(html, "early")).text


def test_late_without_a_time_is_told_too(course_folder):
    """Canvas's download marks it late and says no more: it comes behind those of whom more is known."""
    (course_folder / "submitted" / "marked" / LAB).mkdir(parents=True)
    (course_folder / "submitted" / "marked" / LAB / stored.LATE).touch()
    part = made([right("marked"), right("other")]).split('<h2 id="late">')[1].split("<h2")[0]
    assert "late as the platform marks it, nothing off" in part and "other" not in part


def test_whoever_has_not_one_point_needs_a_look():
    """Graded to the end and nothing flagged: still somebody to talk to."""
    lost = right("lost", verdicts={name: verdict(name, Ending.WRONG, share=0.0) for name in EXERCISES})
    partly = right("partly", verdicts={name: verdict(name, Ending.WRONG, share=0.5) for name in EXERCISES})
    look = made([lost, partly, right("fine")]).split('<h2 id="look">')[1].split("<h2")[0]
    assert re.findall("<bdi>(.+?)</bdi>", look) == ["lost"] and "No exercise has a point." in look


def test_the_first_lines_name_who_needs_a_look_and_why():
    short = Page(made(mixed(30)).split('<ul class="short">')[1].split("</ul>")[0]).text
    assert "bruno.22 (GRADER_ERROR), farida.06 (UNREADABLE)" in short and "more." in short
    assert "Flagged: 4 students, most often:" in short


@pytest.mark.parametrize("seconds", [0.0, 0.01, 3e5])
def test_charts_stay_inside_the_page(seconds):
    """Whatever the sizes: no part begins left of the chart or ends right of it, and the parts touch."""
    chart = charts.bar([("right", seconds, "a"), ("wrong", 1.0, "b"), ("open", 0.0, "c")], most=seconds / 2)
    parts = [(float(each["x"][:-1]), float(each["width"][:-1])) for each in Page(str(chart)).all("rect")]
    assert len(parts) == 1 + (seconds > 0)
    ends = [x + width for x, width in parts]
    assert all(abs(x - end) < 0.01 for (x, _), end in zip(parts, [0, *ends], strict=False))
    assert ends[-1] <= 100.01
    bars = str(charts.histogram([0, 4, 9], ["0", "1", "<2"], 'a "label"', 2, "median 2"))
    assert Page(bars).all("svg")[0]["aria-label"] == 'a "label"' and "<2" in Page(bars).text
    assert "median 2 ▲" in bars and bars.count("<rect") == 2  # none for nobody


def test_it_says_which_submission_a_score_is_from_and_what_came_before():
    record = right("again", earlier=mixed(30)[11].earlier)
    record.verdicts["magnitude_mask"] = verdict("magnitude_mask", submission="b" * 64)
    text = section(made([record]), "again")
    assert text.count("from the earlier submission bbbbbbbbbbbb") == 1
    assert "Before: UNREADABLE, submission bbbbbbbbbbbb" in text


def test_the_feedback_is_linked_where_there_is_some_from_wherever_the_report_lies(tmp_path):
    page = course.folder() / "feedback" / "a b" / LAB / f"{LAB}.html"
    page.parent.mkdir(parents=True)
    page.write_text("feedback")
    elsewhere = tmp_path / "reports" / "02.html"
    for path in (course.folder() / "report.html", elsewhere):
        html = made([right("a b"), right("none")], path)
        href = re.search('href="([^"#]+)">Feedback page', html)[1]
        assert (path.parent / href.replace("%20", " ")).resolve() == page.resolve()
        assert html.count("Feedback page") == 1


# What it is


@pytest.mark.lengthy
@pytest.mark.parametrize("size", [0, 1, 30, 200])
def test_it_is_one_whole_page_whatever_the_size_of_the_class(size):
    page = Page(made(mixed(size) if size >= 30 else klass(size)))
    assert page.open == [] and len(page.all("html")) == 1
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {link["href"] for link in page.all("a") if link["href"].startswith("#")}
    assert targets <= {f"#{each}" for each in ids}
    assert sum(each.startswith("student-") and each[8:].isdigit() for each in ids) == size


def inert(html):
    """Nothing in the page runs, loads or leaves."""
    page = Page(html)
    assert page.open == []
    allowed = (
        "html head meta title style body main nav article section header h1 h2 h3 p a span small "
        "strong q bdi br pre dl dt dd div ul ol li table thead tbody tr th td figure figcaption "
        "svg defs pattern rect circle path line text"
    )
    assert {tag for tag, _ in page.elements} <= set(allowed.split())
    for tag, attributes in page.elements:
        assert not [
            name for name in attributes if name.startswith("on") or name in ("src", "srcset", "xlink:href")
        ]
        assert tag == "a" or "href" not in attributes
        if tag == "a":
            assert re.match("#|(?:[A-Za-z0-9_.%-]+/)+[A-Za-z0-9_.%-]+$", attributes["href"])
    styles = re.findall("<style>(.*?)</style>", html, re.DOTALL)
    assert len(styles) == 1 and "@import" not in styles[0]
    assert set(re.findall(r"url\(([^)]*)\)", styles[0])) <= {"#stripes", "#dots", "#grid"}
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert "default-src 'none'" in policy and "script" not in policy
    assert not [letter for letter in html if not letter.isprintable() and letter != "\n"]
    return page


def test_an_honest_page_is_inert():
    inert(made(mixed(30)))


@pytest.mark.lengthy
@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_comes_from_a_submission_does_anything(text, course_folder):
    """Every field of a record, the student's id among them, holds the text."""
    name = text.replace("/", "|").replace("\x00", "").replace("\ud800", "")
    one = verdict(
        "magnitude_mask",
        Ending.WRONG,
        text,
        0.5,
        submission=text,
        failed=text,
        mistake=text,
        exercise=text,
        number=text,
        show={text: text},
    )
    two = verdict("prune_magnitude", Ending.WRONG, f"It looks as if {text}. Try it.", 0.0, failed=text)
    hostile = right(
        name,
        verdicts={"magnitude_mask": one, "prune_magnitude": two, text: one},
        flags=[text, text * 2],
        unenforced=[text],
        phases={text: 1.0},
        earlier=[Earlier(text, Status.UNREADABLE, text, text, 0.0, 0.0)],
        shared=[Measured(text, 9.0, text)],
        status=Status.TIMEOUT,
        **dict.fromkeys(("reason", "cell", "submission", "submitted_at", "graded_at", "notebook"), text),
    )
    feedback = course_folder / "feedback" / name / LAB / f"{LAB}.html"
    feedback.parent.mkdir(parents=True)
    feedback.write_text("")
    page = inert(made([hostile, right("other")], course_folder / "feedback" / "report.html"))
    shown = "".join(letter if letter.isprintable() else "�" for letter in text)
    assert shown in page.text  # as text, all of it


def test_an_id_that_leads_out_of_the_folder_gets_no_link(course_folder):
    (course_folder / LAB).mkdir(parents=True)
    (course_folder / LAB / f"{LAB}.html").write_text("")
    (course_folder / "feedback" / "a").mkdir(parents=True)
    assert report._feedback(LAB, "a/../..", course_folder) == ""


@pytest.mark.lengthy
def test_a_message_without_end_is_cut():
    record = right("long")
    record.verdicts["magnitude_mask"] = verdict("magnitude_mask", Ending.WRONG, "x " * 500_000)
    html = made([record])
    assert len(html) < 100_000 and "characters more]" in html


def test_no_report_half_written(course_folder):
    """The old one stands when the new one cannot be written, and one sentence says why."""
    target = course_folder / "report.html"
    made([right("s1")])
    old = target.read_bytes()
    journal.write(right("s2"))
    with pytest.raises(LabError, match="The report cannot be written to .*course: Is a directory"):
        report.write(LAB, course_folder)
    with pytest.raises(LabError, match="There is no lab called"):
        report.write("99", target)
    assert target.read_bytes() == old
    assert {path.name for path in course_folder.parent.rglob("*report*")} == {"report.html"}


@pytest.mark.browser
@pytest.mark.skipif(not shutil.which("chromium"), reason="Chromium is not installed")
def test_chromium_makes_the_same_elements_of_a_hostile_page(tmp_path):
    """A browser forgives more than html.parser does: it may not find a script or a frame either."""
    records = [right(f"s{i}", reason=text, flags=[text]) for i, text in enumerate(HOSTILE)]
    path = tmp_path / "report.html"
    made(records, path)
    dom = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
         "--dump-dom", path.as_uri()],
        capture_output=True, text=True, timeout=120,
    ).stdout  # fmt: skip
    assert dom.rstrip().endswith("</html>") and table.questions(LAB)[0].name in dom
    assert not re.search(r"<(script|iframe|img|object|embed)\b|<[^>]* on\w+=", dom)


def test_names_of_the_roster_stand_beside_the_ids_and_can_be_hidden(course_folder):
    """A switch without a script; a page on which nobody has a name has none."""
    assert 'id="no-names"' not in made([right("ann")])
    (course_folder / "roster.csv").write_text("student_id,name\nann,Ann <i>Lee\nbob,\n")
    html = made([right("ann"), right("bob")])
    assert html.count('<bdi class="called">Ann &lt;i&gt;Lee</bdi>') >= 2 and html.count('id="no-names"') == 1
    assert "body:has(#no-names:checked) .called { display: none; }" in html


def test_work_of_nobody_known_is_listed(course_folder):
    """collect said it once, weeks ago; whoever seems to have handed in nothing may be among them."""
    left = register.Register(unmatched={"x_1_2_<b>.ipynb": "'x' is not in the roster."})
    register.write(course_folder / "submitted", LAB, left)
    assert "<bdi>x_1_2_&lt;b&gt;.ipynb</bdi>: &#39;x&#39; is not in the roster." in made([right("ann")])
