"""`lettermill template`: templates of forms."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData, ScanError, UsageProblem
from lettermill.jobs.scans.reader import read_page
from lettermill.jobs.settings import MAX_DPI, MIN_DPI, Limits
from lettermill.jobs.storage.atomic import atomic_write
from lettermill.jobs.storage.display import display_path
from lettermill.segmentation.fields import Found, find_fields
from lettermill.segmentation.registration import prepare

_BOX, _COMB = (178, 114, 0), (0, 94, 213)  # Blue, green, red: two that colour-blind people can tell apart.


@click.group()
def template() -> None:
    """Make templates of forms, for --template."""


@template.command()
@click.argument("blank", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="The template, in the folder of BLANK.  [default: BLANK with .toml]",
)
@click.option(
    "--dpi",
    type=click.IntRange(MIN_DPI, MAX_DPI),
    default=300,
    show_default=True,
    help="Resolution at which a PDF is rendered.",
)
def new(blank: Path, out: Path | None, dpi: int) -> None:
    """Begin a template from a blank form: find its boxes and combs.

    Writes the template with a field for each, named field_1 and so on, and draws them into a PNG beside it.
    Name the fields, state what may stand in them, and delete those that are none.
    """
    out = out or blank.with_suffix(".toml")
    drawing = out.with_name(f"{out.stem}-fields.png")
    if out.resolve().parent != blank.resolve().parent:
        raise UsageProblem(
            f"{display_path(out)} is not in the folder of {display_path(blank)}",
            "A template lies beside its blank form.",
        )
    for path in (out, drawing):
        if path.exists():
            raise UsageProblem(
                f"{display_path(path)} is there already", "Give --out another name, or delete it."
            )
    page = _read(blank, dpi)
    fields = find_fields(page)
    if not fields:
        raise BadData(
            f"no boxes and no combs were found on {display_path(blank)}",
            "Give a blank form that lies straight; or write the template by hand, see docs/forms.md.",
        )
    with atomic_write(out) as file:
        file.write(_to_toml(blank.name, dpi, fields))
    _, picture = cv2.imencode(".png", _drawn(page, fields))
    with drawing.open("wb") as image:
        image.write(picture.tobytes())
    combs = sum(field.comb is not None for field in fields)
    click.echo(
        f"{len(fields)} fields, {combs} of them combs: {display_path(out)}, drawn in {display_path(drawing)}"
    )


def _read(blank: Path, dpi: int) -> NDArray[np.uint8]:
    try:
        page = read_page(blank, 1, dpi, Limits())
    except ScanError as error:
        raise BadData(f"cannot read the blank form {display_path(blank)}: {error.message}") from error
    try:
        prepare(page)
    except ValueError as error:
        raise BadData(
            f"{error} for scans to be laid on it: {display_path(blank)}",
            "Give the whole form with its captions and boxes.",
        ) from error
    return page


def _to_toml(blank: str, dpi: int, fields: Sequence[Found]) -> str:
    text = io.StringIO()
    text.write("# A template of Lettermill: docs/forms.md says what may stand here.\n\n")
    text.write(f"blank = {_quoted(blank)}\n")
    if blank.lower().endswith(".pdf"):
        text.write(f"dpi = {dpi}\n")
    for number, field in enumerate(fields, 1):
        box = field.box
        text.write(f'\n[[fields]]\nname = "field_{number}"\n')
        text.write(f'box = [{box.x}, {box.y}, {box.width}, {box.height}]\nalphabet = "alnum"\n')
        if field.comb:
            text.write(f"comb = {field.comb}\n")
    return text.getvalue()


def _quoted(text: str) -> str:
    """A text as TOML writes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _drawn(page: NDArray[np.uint8], fields: Sequence[Found]) -> NDArray[np.uint8]:
    """The form, pale, with the fields' frames, cells and names."""
    picture = cv2.cvtColor((255 - 0.4 * (255.0 - page)).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    thick = max(1, round(max(page.shape) / 800))
    for number, field in enumerate(fields, 1):
        box, colour = field.box, _COMB if field.comb else _BOX
        right, low = box.x + box.width, box.y + box.height
        cv2.rectangle(picture, (box.x, box.y), (right, low), colour, 2 * thick)
        for wall in range(1, field.comb or 1):
            x = round(box.x + wall * box.width / (field.comb or 1))
            cv2.line(picture, (x, box.y), (x, low), colour, thick)
        name = f"field_{number}" + (f" ({field.comb})" if field.comb else "")
        size = 0.35 * thick + 0.15
        place = box.x + 4 * thick, low - 4 * thick
        cv2.putText(picture, name, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thick, cv2.LINE_AA)
    return np.asarray(picture, np.uint8)
