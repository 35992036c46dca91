"""Makes grader/results/fonts/math.woff of Latin Modern Math: `python site/font.py latinmodern-math.otf`.

The part that formulas of labs need: letters, digits, Greek, mathematical letters, operators and arrows, with
the MATH table and the tall variants of roots and brackets. Its licence asks that a changed font has another
name.
"""

import argparse
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

from grader.course import ROOT
from labsupport import __version__

NAME = "Labs Math"
KEPT = (
    (0x20, 0x7E),
    (0xB0, 0xB7),
    (0xD7, 0xD7),  # times
    (0x391, 0x3D6),  # Greek
    (0x2010, 0x2044),  # dashes, dots, primes
    (0x2061, 0x2064),  # invisible operators
    (0x2102, 0x2115),  # letters of the ranges below that have a place of their own
    (0x211B, 0x211D),
    (0x2124, 0x2131),
    (0x2190, 0x2199),  # arrows
    (0x21D0, 0x21D5),
    (0x2308, 0x230B),  # floor and ceiling
    (0x23DE, 0x23DF),  # braces above and below
    (0x27E6, 0x27EB),
    (0x1D400, 0x1D467),  # bold, italic
    (0x1D49C, 0x1D4B5),  # script
    (0x1D538, 0x1D551),  # two strokes
    (0x1D670, 0x1D6A3),  # typewriter
    (0x1D6FC, 0x1D71B),  # italic Greek
)
OPERATORS = "∀∂∃∅∆∇∈∉∋∏∑−∓∗∘√∝∞∠∣∥∧∨∩∪∫∶∼≃≈≠≡≤≥≪≫⊂⊃⊆⊇⊕⊗⊙⊤⊥⋅⋮⋯⋱"


def main(arguments: list[str] | None = None) -> None:
    """Write the part that is kept."""
    reader = argparse.ArgumentParser(prog="python site/font.py", description=__doc__)
    reader.add_argument("--version", action="version", version=f"pruning-labs {__version__}")
    reader.add_argument("font", type=Path, help="latinmodern-math.otf")
    font = TTFont(reader.parse_args(arguments).font)
    subsetter = Subsetter(Options(layout_features=[], hinting=False, drop_tables=["FFTM"]))
    kept = {code for first, last in KEPT for code in range(first, last + 1)}
    subsetter.populate(unicodes=kept | set(map(ord, OPERATORS)))
    subsetter.subset(font)
    for record in font["name"].names:
        if record.nameID in (1, 3, 4, 6, 16):
            record.string = NAME.replace(" ", "") if record.nameID == 6 else NAME
    cff = font["CFF "].cff
    cff.fontNames = [NAME.replace(" ", "")]
    cff.topDictIndex[0].FullName = cff.topDictIndex[0].FamilyName = NAME
    font.flavor = "woff"
    font.save(ROOT / "grader" / "results" / "fonts" / "math.woff")


if __name__ == "__main__":
    main()
