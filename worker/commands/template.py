"""`lettermill template`: make a template from a blank form by finding its boxes and combs; edit templates."""

from __future__ import annotations

import contextlib
import secrets
import shlex
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData, ScanError, UsageProblem
from lettermill.jobs.inputs.form_template import PAGE_COLUMNS
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.template_text import template_text
from lettermill.jobs.scans.reader import read_page
from lettermill.jobs.settings import MAX_DPI, MIN_DPI, Limits
from lettermill.jobs.storage.atomic import atomic_write
from lettermill.jobs.storage.display import display_path
from lettermill.segmentation.fields import FoundField, find_fields
from lettermill.segmentation.registration import prepare
from lettermill.worker.reading import captions
from lettermill.worker.reading.classifier import Classifier

# Blue, green, red: two colours that colour-blind people can tell apart.
_BOX_COLOUR, _COMB_COLOUR = (178, 114, 0), (0, 94, 213)


@click.group()
def template() -> None:
    """Make templates of forms, for --template.

    \b
    Example:
      lettermill template new blank.png
      lettermill template edit blank.toml
      lettermill run scans --template blank.toml
    """


@template.command()
@click.argument("blank", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="Write the template to this file, in the folder of BLANK.  [default: BLANK with .toml]",
)
@click.option(
    "--dpi",
    type=click.IntRange(MIN_DPI, MAX_DPI),
    default=300,
    show_default=True,
    help="Resolution at which a PDF is rendered.",
)
def new(blank: Path, out: Path | None, dpi: int) -> None:
    """Make a template from a blank form: find its boxes and combs.

    Writes a template with one field for each, named after its caption if that is in plain capitals, else
    field_1, field_2 and so on, and draws the fields into a PNG file beside it. Then edit the template:
    `lettermill template edit`.

    \b
    Example:
      lettermill template new blank.pdf --dpi 300 --out form.toml
    """
    out = out or blank.with_suffix(".toml")
    drawing = out.with_name(f"{out.stem}-fields.png")
    _check_targets(blank, out, drawing)
    page = _read_blank(blank, dpi)
    fields = find_fields(page)
    if not fields:
        raise BadData(
            f"no boxes and no combs were found on {display_path(blank)}",
            "Give a blank form that lies straight, or write the template by hand: see docs/forms.md.",
        )
    names = _named(page, fields)
    with atomic_write(out) as file:
        file.write(template_text(_values(blank.name, dpi, fields, names)))
    _, picture = cv2.imencode(".png", _draw_fields(page, fields, names))
    with drawing.open("wb") as image:
        image.write(picture.tobytes())
    combs = sum(field.comb is not None for field in fields)
    click.echo(
        f"{len(fields)} fields, {combs} of them combs: {display_path(out)}, drawn in {display_path(drawing)}"
    )


@template.command()
@click.argument("file", metavar="FILE.toml", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--scans",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Scans on which the template can be tried; the page takes others, too.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="The port of the page.  [default: a free port]"
)
@click.option("--no-browser", is_flag=True, help="Do not open a browser; open the printed address yourself.")
def edit(file: Path, scans: Path | None, port: int, no_browser: bool) -> None:
    """Edit a template in a browser, and try it on scans.

    Opens a page that only this machine can reach, with a secret in its address: the blank form with its
    fields, to draw, move, name and order them. A save writes FILE.toml anew, without comments, and keeps the
    former file in a folder beside it. Ctrl-C ends the editor.

    \b
    Example:
      lettermill template edit form.toml --scans scans
    """
    from lettermill.jobs.running.signals import interruptible
    from lettermill.jobs.web.access import HOST
    from lettermill.jobs.web.server import listening, serve
    from lettermill.worker.editor.endpoints import Endpoints
    from lettermill.worker.editor.server import application
    from lettermill.worker.editor.sheets import Sheets
    from lettermill.worker.editor.template_file import TemplateFile

    edited = TemplateFile(file)
    with listening(port) as opened, contextlib.closing(Sheets(scans)) as sheets:
        number, token = opened.getsockname()[1], secrets.token_urlsafe(24)
        address = f"http://{HOST}:{number}/?token={token}"

        def started() -> None:
            click.echo(f"editor: {address}")
            click.echo(
                "Ctrl-C ends it. Anyone with the address can change the template: keep it to yourself.",
                err=True,
            )
            if not no_browser and not webbrowser.open(address):
                click.echo("No browser could be started: open the address yourself.", err=True)

        with contextlib.suppress(KeyboardInterrupt), interruptible():
            serve(application(Endpoints(edited, sheets), number, token), opened, started)
    click.echo(f"Next: lettermill run SCANS --template {shlex.quote(display_path(file))}", err=True)


def _check_targets(blank: Path, out: Path, drawing: Path) -> None:
    """Refuse a template that is not beside its blank form, and files that exist already.

    Raises:
        UsageProblem: either of these.
    """
    if out.resolve().parent != blank.resolve().parent:
        raise UsageProblem(
            f"{display_path(out)} is not in the folder of {display_path(blank)}",
            "A template must be in the same folder as its blank form.",
        )
    for path in (out, drawing):
        if path.exists():
            raise UsageProblem(
                f"{display_path(path)} already exists", "Give another name with --out, or delete the file."
            )


def _read_blank(blank: Path, dpi: int) -> NDArray[np.uint8]:
    """Read a blank form, and check that scans can be registered to it.

    Raises:
        BadData: the file cannot be read, or too little is printed on it.
    """
    try:
        page = read_page(blank, 1, dpi, Limits())
    except ScanError as error:
        raise BadData(f"cannot read the blank form {display_path(blank)}: {error.message}") from error
    try:
        prepare(page)
    except ValueError as error:
        raise BadData(
            f"{error} to align scans with it: {display_path(blank)}",
            "Give the whole form with its captions and boxes.",
        ) from error
    return page


def _named(page: NDArray[np.uint8], found: Sequence[FoundField]) -> list[str]:
    """Return a name for each field: its caption where that is read surely, else its number: field_1."""
    classifier = Classifier(load_model(installed_model_folder()), captions.SETTINGS.characters)
    names = captions.caption_names(page, [field.box for field in found], classifier)
    return [
        f"field_{number}" if name is None or name in PAGE_COLUMNS else name
        for number, name in enumerate(names, 1)
    ]


def _values(blank: str, dpi: int, found: Sequence[FoundField], names: Sequence[str]) -> dict[str, Any]:
    """Return the values of a template with a field for each that was found."""
    fields = [
        {"name": name, "box": [box.x, box.y, box.width, box.height], "alphabet": "alnum"}
        | ({"comb": field.comb} if field.comb else {})
        for field, name in zip(found, names, strict=True)
        for box in [field.box]
    ]
    return {"blank": blank} | ({"dpi": dpi} if blank.lower().endswith(".pdf") else {}) | {"fields": fields}


def _draw_fields(
    page: NDArray[np.uint8], fields: Sequence[FoundField], names: Sequence[str]
) -> NDArray[np.uint8]:
    """Draw the form, pale, with the frames, cells and names of its fields: uint8, h×w×3."""
    picture = cv2.cvtColor((255 - 0.4 * (255.0 - page)).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    thick = max(1, round(max(page.shape) / 800))
    for field, name in zip(fields, names, strict=True):
        box, colour = field.box, _COMB_COLOUR if field.comb else _BOX_COLOUR
        right, low = box.x + box.width, box.y + box.height
        cv2.rectangle(picture, (box.x, box.y), (right, low), colour, 2 * thick)
        for wall in range(1, field.comb or 1):
            x = round(box.x + wall * box.width / (field.comb or 1))
            cv2.line(picture, (x, box.y), (x, low), colour, thick)
        text = name + (f" ({field.comb})" if field.comb else "")
        size = 0.35 * thick + 0.15
        place = box.x + 4 * thick, low - 4 * thick
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thick, cv2.LINE_AA)
    return np.asarray(picture, np.uint8)
