"""Measures how many fields `lettermill template new` names after their captions, and how many wrongly.

    python -m bench.captions [FONT.ttf ...]

Draws forms of ten fields with captions above or beside them, in capitals or not, in three fonts that
matplotlib brings and those that are given, and counts the names that are the caption, and those that are not.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.segmentation.fields import find_fields
from lettermill.worker.reading.captions import SETTINGS, caption_names
from lettermill.worker.reading.classifier import Classifier

CAPTIONS = (
    "Surname", "First name", "Date of birth", "Postcode", "Telephone",
    "Amount", "Signature", "Town", "Street and number", "Member No.",
)  # fmt: skip

FONTS = ("DejaVuSans.ttf", "DejaVuSerif.ttf", "cmr10.ttf")


def form(captions: tuple[str, ...], font: Path, beside: bool) -> NDArray[np.uint8]:
    """Draw a form with a field for each caption, from top to bottom: uint8, 2000×1654."""
    page = Image.new("L", (1654, 2000), 255)
    pen = ImageDraw.Draw(page)
    for row, text in enumerate(captions):
        y = 60 + 190 * row
        pen.text((80, y + 30 if beside else y - 44), text, font=ImageFont.truetype(font, 28), fill=0)
        left = 500 if beside else 80
        pen.rectangle((left, y, left + 980, y + 90), outline=0, width=3)
    return np.asarray(page)


def main(fonts: list[Path]) -> None:
    classifier = Classifier(load_model(installed_model_folder()), SETTINGS.characters)
    for font in fonts:
        for capitals in (True, False):
            texts = tuple(text.upper() if capitals else text for text in CAPTIONS)
            wanted = [text.lower().rstrip(".").replace(" ", "_") for text in CAPTIONS]
            for beside in (False, True):
                page = form(texts, font, beside)
                boxes = [field.box for field in find_fields(page)]
                assert len(boxes) == len(wanted)
                pairs = list(zip(caption_names(page, boxes, classifier), wanted, strict=True))
                right = sum(name == want for name, want in pairs)
                wrong = [name for name, want in pairs if name not in (None, want)]
                click.echo(
                    f"{font.stem}, {'capitals' if capitals else 'mixed case'}, "
                    f"{'beside' if beside else 'above'}: {right} of {len(pairs)} named right, wrong: {wrong}"
                )


if __name__ == "__main__":
    main(
        [Path(mpl.get_data_path()) / "fonts" / "ttf" / name for name in FONTS]
        + [Path(one) for one in sys.argv[1:]]
    )
