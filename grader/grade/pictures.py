"""Pasted pictures: decoded, made small and written anew, so that a page shows a picture and nothing else.

A few kilobytes may unpack to gigabytes, or keep a browser busy for minutes. So size and kind are read from
a picture's head, and only a PNG or JPEG within bounds is decoded. What is written anew has no metadata: no
place, no camera.
"""

import base64
import io
import warnings

from PIL import Image, ImageOps

PNG, JPEG, TEXT = "image/png", "image/jpeg", "text/plain"
NAMES = {"PNG": PNG, "JPEG": JPEG}
LARGEST = 8 * 2**20  # bytes of one picture
MOST_PIXELS = 25_000_000
MOST_SCANS = 50  # of a JPEG, each of which is decoded over the whole picture
SCAN = b"\xff\xda"
SIDE = 1600  # pixels of the longer side on a page
HEAVY = 2**20  # bytes; a PNG that is larger becomes a JPEG
NOT_SHOWN = "[a pasted picture is not shown: {}]"


class Unshown(Exception):
    """Why a picture is not shown, to be read after a colon."""


def pasted(attachments, most: int) -> dict[str, dict[str, str]]:
    """The attachments of a cell, by name, with pictures written anew; a sentence for what is none.

    attachments: as the notebook has them, {name: {type: base64}}, or anything else. most: their number.
    """
    found = attachments if isinstance(attachments, dict) else {}
    return {str(name): renewed(found[name]) for name in list(found)[:most]}


def renewed(bundle) -> dict[str, str]:
    """One attachment with its picture written anew, or with the sentence on why it is not shown."""
    try:
        kind, raw = written(decoded(bundle))
    except Unshown as why:
        return {TEXT: NOT_SHOWN.format(why)}
    return {kind: base64.b64encode(raw).decode()}


def decoded(bundle) -> bytes:
    """The bytes of an attachment's picture. Raises Unshown."""
    texts = bundle.values() if isinstance(bundle, dict) else ()
    text = next((text for text in texts if isinstance(text, str)), "")
    if len(text) > LARGEST * 4 / 3:
        raise Unshown(f"it is larger than {LARGEST / 2**20:.0f} MiB")
    try:
        return base64.b64decode(text)
    except ValueError:
        raise Unshown("it is damaged") from None


def written(raw: bytes) -> tuple[str, bytes]:
    """The type and the bytes of a picture, decoded and written anew. Raises Unshown."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the bound below is stricter
            opened = Image.open(io.BytesIO(raw), formats=tuple(NAMES))
        with opened as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise Image.DecompressionBombError
            if picture.format == "JPEG" and raw.count(SCAN) > MOST_SCANS:
                raise Unshown("it takes too long to decode")
            return encoded(picture, str(picture.format))
    except (Unshown, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise Unshown(f"it has more than {MOST_PIXELS // 10**6} million pixels") from None
    except Image.UnidentifiedImageError:
        raise Unshown("it is no PNG and no JPEG") from None
    except Exception:  # decoders raise whatever they like on broken pictures
        raise Unshown("it is damaged") from None


def encoded(picture: Image.Image, form: str) -> tuple[str, bytes]:
    """A picture turned upright and made small, as a PNG, or as a JPEG where that is much smaller."""
    picture.draft("RGB", (SIDE, SIDE))  # of a JPEG, decodes a part of the pixels
    colours = ImageOps.exif_transpose(picture).convert("RGBA")
    colours.thumbnail((SIDE, SIDE))
    raw = saved(colours, "PNG") if form == "PNG" else b""
    if raw and len(raw) <= HEAVY:
        return PNG, raw
    white = Image.new("RGBA", colours.size, "white")
    return JPEG, saved(Image.alpha_composite(white, colours).convert("RGB"), "JPEG")


def saved(picture: Image.Image, form: str) -> bytes:
    """The bytes of a picture without its metadata."""
    picture.info = {}
    stream = io.BytesIO()
    picture.save(stream, form)
    return stream.getvalue()
