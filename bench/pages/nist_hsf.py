"""Makes a template case of the NIST sample form: its blank comes from the filled one of LETTERMILL_DATA.

    LETTERMILL_DATA=DATA python -m bench.pages.nist_hsf OUT

writes the template with its blank and a folder of scans into OUT, for `lettermill run OUT/scans --template
OUT/nist_hsf.toml`: the filled form as it is, and turned, scaled and seen from aside. Nothing of it is
committed, because the form is data.
"""

from __future__ import annotations

import os
import shutil
import tomllib
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from bench.pages.forms import distorted

TEMPLATE = Path(__file__).with_suffix(".toml")

NUMBERS = (
    "0123456789",
    "0123456789",
    "0123456789",
    "16",
    "899",
    "0124",
    "43744",
    "403875",
    "821",
    "7358",
    "55925",
    "116213",
    "86",
    "4949",
    "20044",
    "625502",
    "80",
    "681",
    "79192",
    "676687",
    "49",
    "213",
    "3055",
    "803797",
    "02",
    "791",
    "3678",
    "03536",
)
CAPITALS = "FTUJSPNOIYMQELHDXGWAKVBRZC"
WRITTEN = {f"number_{at}": digits for at, digits in enumerate(NUMBERS, 1)} | {"capitals": CAPITALS}
"""What is printed over each field, and written in it."""

FRAME = 2
"""Pixels between a field and its frame."""

STRAYS = ((148, 1773, 2085, 94), (1384, 1860, 36, 44), (2238, 1944, 90, 90), (1092, 2034, 50, 46))
"""What is written in no field: the small letters, the tail of one, and a C and a tail beside their box."""


def read_page(data: Path) -> NDArray[np.uint8]:
    """Return the filled form of LETTERMILL_DATA, uint8 h×w."""
    page = cv2.imread(str(data / "pages" / "nist_hsf_form.png"), cv2.IMREAD_GRAYSCALE)
    assert page is not None
    return page.astype(np.uint8, copy=False)


def write_template(page: NDArray[np.uint8], folder: Path) -> Path:
    """Write the template and the form without what was filled in; return the template."""
    blank = page.copy()
    fields = tomllib.loads(TEMPLATE.read_text(encoding="utf-8"))["fields"]
    for x, y, width, height in [*(field["box"] for field in fields), *STRAYS]:
        blank[y + FRAME : y + height - FRAME, x + FRAME : x + width - FRAME] = 255
    cv2.imwrite(str(folder / "nist_hsf_blank.png"), blank)
    return Path(shutil.copy(TEMPLATE, folder))


def scans(page: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Return the form as it is, and three times as a scanner or a camera may see it."""
    return [page, *(distorted(page, np.random.default_rng(seed), aside=0.015)[0] for seed in range(3))]


@click.command(help=__doc__)
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
def main(out: Path) -> None:
    (out / "scans").mkdir(parents=True)
    page = read_page(Path(os.environ["LETTERMILL_DATA"]))
    write_template(page, out)
    for number, scan in enumerate(scans(page)):
        cv2.imwrite(str(out / "scans" / f"{number}.png"), scan)


if __name__ == "__main__":
    main()
