"""Pictures pasted into written answers: they are shown where they stand, and nothing but a picture is."""

import base64
import io
import random
import struct
import zlib

import nbformat
import pytest
from PIL import Image

from grader.grade import pictures
from grader.grade.pictures import JPEG, PNG, TEXT, pasted, renewed
from grader.grade.sanitize import LONGEST, Room
from grader.results import filters
from tests.pages import parsed, submission

RED = (220, 30, 30)


def drawn(form: str, size=(6, 4), picture=None, **options) -> bytes:
    """A picture as a file; red all over unless another is given."""
    stream = io.BytesIO()
    (picture or Image.new("RGB", size, RED)).save(stream, form, **options)
    return stream.getvalue()


def bundle(raw: bytes, kind: str = PNG) -> dict[str, str]:
    return {kind: base64.b64encode(raw).decode()}


def opened(shown: dict[str, str]) -> Image.Image:
    (text,) = shown.values()
    return Image.open(io.BytesIO(base64.b64decode(text)))


def answer(source: str, attachments: dict) -> str:
    """What a page shows of a written answer with these pictures."""
    cell = nbformat.v4.new_markdown_cell(source, attachments=attachments)
    return filters.formatted(submission(cell).cells[1])


@pytest.mark.parametrize(("form", "kind"), [("PNG", PNG), ("JPEG", JPEG)])
@pytest.mark.parametrize(
    "named", ["![image.png](attachment:my%20plot.png)", '![a](attachment:my%20plot.png "a title")',
              '<img src="attachment:my%20plot.png" width="300">'],
)  # fmt: skip
def test_a_picture_stands_where_the_text_names_it(form, kind, named):
    """As JupyterLab pastes it, and as students write it to change its size."""
    page = answer(f"Before: {named}\n\nAfter **it**.", {"my plot.png": bundle(drawn(form), kind)})
    before, _, after = page.partition(f'<img alt="pasted picture" src="data:{kind};base64,')
    assert "Before:" in before and "<strong>it</strong>" in after and page.count("<img") == 1
    assert "attachment:" not in page


def test_what_the_text_does_not_name_comes_last():
    two = {"a.png": bundle(drawn("PNG")), "b.png": bundle(drawn("PNG", (9, 9)))}
    page = answer("![b](attachment:b.png) ![b](attachment:b.png) the text", two)
    images = parsed(page).find_all("img")
    assert len(images) == 2 and page.index("the text") < page.index(images[1]["src"])
    assert opened({PNG: images[0]["src"].partition(",")[2]}).size == (9, 9)


def test_a_long_text_has_its_pictures_too():
    page = answer("word " * 5000, {"a.png": bundle(drawn("PNG"))})
    assert "Shown as typed" in page and page.count("<img") == 1


def test_what_a_camera_writes_beside_a_picture_is_gone():
    """Turned as its reader sees it, without place and camera."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "the camera"  # turned to the right, and its maker
    shown = renewed(bundle(drawn("JPEG", exif=exif), JPEG))
    assert opened(shown).size == (4, 6) and not dict(opened(shown).getexif())
    assert b"camera" not in base64.b64decode(shown[JPEG])


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "I;16", "CMYK"])
def test_pictures_of_every_mode_are_shown(mode):
    form = "JPEG" if mode == "CMYK" else "PNG"
    raw = drawn(form, picture=Image.new(mode, (5, 5)))
    assert {*renewed(bundle(raw))} & {PNG, JPEG}


def test_large_pictures_become_small():
    """A photo has as many pixels as a page can show; a picture that no PNG makes smaller becomes a JPEG."""
    assert opened(renewed(bundle(drawn("JPEG", (4000, 3000)), JPEG))).size == (1600, 1200)
    noise = Image.frombytes("RGB", (640, 640), random.Random(1).randbytes(640 * 640 * 3))
    shown = renewed(bundle(drawn("PNG", picture=noise)))
    assert {*shown} == {JPEG} and opened(shown).size == (640, 640)


def claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to have so many pixels."""
    raw = drawn("PNG")
    head = b"IHDR" + struct.pack(">II", width, height) + raw[24:29]
    return raw[:12] + head + struct.pack(">I", zlib.crc32(head)) + raw[33:]


UNSHOWN = {
    "pixels": (claiming(60_000, 60_000), "more than 25 million pixels"),
    "more pixels": (claiming(5001, 5000), "more than 25 million pixels"),
    "scans": (drawn("JPEG", progressive=True) + pictures.SCAN * 60, "too long to decode"),
    "size": (b"x" * (pictures.LARGEST + 3), "larger than 8 MiB"),
    "cut": (drawn("PNG", (300, 300))[:80], "damaged"),
    "GIF": (drawn("GIF"), "no PNG and no JPEG"),
    "SVG": (b"<svg onload='alert(1)'/>", "no PNG and no JPEG"),
    "nothing": (b"", "no PNG and no JPEG"),
}


@pytest.mark.parametrize(("raw", "why"), UNSHOWN.values(), ids=UNSHOWN)
def test_what_is_no_such_picture_is_a_sentence(raw, why):
    (text,) = renewed(bundle(raw)).items()
    assert text[0] == TEXT and why in text[1]
    page = answer("![x](attachment:x.png)", {"x.png": bundle(raw)})
    assert why in page and "<img" not in page and "<svg" not in page


@pytest.mark.parametrize("odd", [None, 3, [], {"a": None}, {"a": {}}, {"a": {PNG: 3}}, {"a": {PNG: "é%"}}])
def test_odd_attachments_stop_nothing(odd):
    assert all(TEXT in shown for shown in pasted(odd, 5).values())


def test_a_flood_of_pictures_is_cut():
    many = {f"{number}.png": bundle(drawn("PNG")) for number in range(15)}
    cells = [nbformat.v4.new_markdown_cell("x", attachments=many) for _ in range(3)]
    shown = [len(cell.get("attachments", {})) for cell in submission(*cells).cells]
    assert sum(shown) == Room.pictures


@pytest.mark.timeout(20)
@pytest.mark.parametrize("trap", ["![](attachment:", "![", "<img ", "<img src='attachment:", "![]("])
def test_what_looks_like_a_reference_takes_no_time(trap):
    """A text of the longest length that is formatted, of nothing but beginnings."""
    text = trap * (LONGEST // len(trap))
    assert not [match for match in filters.REFERENCE.finditer(text) if filters.named(match)]
