"""`lettermill template`: make a template from a blank form or filled ones, and edit it in a browser."""

from __future__ import annotations

import contextlib
import secrets
import shlex
from collections.abc import Sequence
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData, ScanError, UsageProblem
from lettermill.jobs.inputs.form_template import PAGE_COLUMNS
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.template_text import template_text
from lettermill.jobs.scans.pdf_fields import PdfField
from lettermill.jobs.scans.reader import read_form_fields, read_page
from lettermill.jobs.settings import MAX_DPI, MIN_DPI, Limits
from lettermill.jobs.storage.atomic import atomic_write
from lettermill.jobs.storage.display import display_path
from lettermill.segmentation.fields import FoundField, find_fields
from lettermill.segmentation.registration import prepare
from lettermill.segmentation.shared_print import AnotherForm, shared_print
from lettermill.worker.commands.template_draft import Draft, DraftField, draft_of_boxes, draft_of_pdf
from lettermill.worker.reading import captions
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.filled_fields import filled_fields
from lettermill.worker.reading.region_network import RegionNetwork

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
@click.argument(
    "sheets",
    nargs=-1,
    required=True,
    metavar="BLANK | FILLED FILLED ...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="Write the template to this file, beside the first.  [default: its name with .toml]",
)
@click.option(
    "--dpi",
    type=click.IntRange(MIN_DPI, MAX_DPI),
    default=300,
    show_default=True,
    help="Resolution at which a PDF is rendered.",
)
def new(sheets: tuple[Path, ...], out: Path | None, dpi: int) -> None:
    """Make a template from a blank form: find its boxes and combs.

    Without a blank form, give several filled ones, best four or more, with other words in their fields, the
    straightest first. What is printed on all of them is the blank form and is written beside the template.

    Of a PDF that can be filled in on a screen, the fields are taken as they are, with their names.

    Writes a template with one field for each, named after its caption if that is in plain capitals, else
    field_1, field_2 and so on, and draws the fields into a PNG file beside it. Then edit the template:
    `lettermill template edit`.

    \b
    Example:
      lettermill template new blank.pdf --dpi 300 --out form.toml
      lettermill template new ann.png bob.png eve.png kim.png --out form.toml
    """
    first = sheets[0]
    out = out or first.with_suffix(".toml")
    drawing = out.with_name(f"{out.stem}-fields.png")
    blank = out.with_name(f"{out.stem}-blank.png") if len(sheets) > 1 else first
    _check_targets(first, [out, drawing, *([blank] if len(sheets) > 1 else [])])
    page = _read_blank(first, dpi)
    if len(sheets) > 1:
        page = _shared(sheets, [page, *(_read_sheet(sheet, dpi) for sheet in sheets[1:])])
    pdf = _form_fields(first, dpi) if len(sheets) == 1 else ()
    draft, left_out = draft_of_pdf(pdf) if pdf else (_draft_of_print(page), [])
    if not draft.fields:
        raise BadData(
            f"no boxes and no combs were found on {display_path(first)}",
            "Give a blank form that lies straight, or several filled ones, of which a blank is made; "
            "or write the template by hand: see docs/forms.md.",
        )
    if len(sheets) > 1:
        _write_picture(blank, page)
    with atomic_write(out) as file:
        file.write(template_text(draft.values(blank.name, dpi)))
    _write_picture(drawing, _draw_fields(page, draft.fields))
    combs = sum(field.comb is not None for field in draft.fields)
    click.echo(
        f"{len(draft.fields)} fields, {combs} of them combs: {display_path(out)}, "
        f"drawn in {display_path(drawing)}"
    )
    if left_out:
        click.echo(f"Left out, too small or on another field: {', '.join(left_out)}", err=True)
    if not pdf:  # Such a PDF was drawn by a program: nobody wrote on it.
        _warn_of_writing(blank, page, draft.fields)


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
    from lettermill.jobs.web.server import listening, serve, show_address
    from lettermill.worker.editor.endpoints import Endpoints
    from lettermill.worker.editor.server import application
    from lettermill.worker.editor.sheets import Sheets
    from lettermill.worker.editor.template_file import TemplateFile

    edited = TemplateFile(file)
    with listening(port) as opened, contextlib.closing(Sheets(scans)) as sheets:
        number, token = opened.getsockname()[1], secrets.token_urlsafe(24)
        address = f"http://{HOST}:{number}/?token={token}"

        def started() -> None:
            show_address("editor", address, "Anyone with the address can change the template", no_browser)

        with contextlib.suppress(KeyboardInterrupt), interruptible():
            serve(application(Endpoints(edited, sheets), number, token), opened, started)
    click.echo(f"Next: lettermill run SCANS --template {shlex.quote(display_path(file))}", err=True)


def _draft_of_print(page: NDArray[np.uint8]) -> Draft:
    """Return a draft with the boxes and combs of a blank form, named after their captions."""
    found = find_fields(page)
    return draft_of_boxes(found, _named(page, found)) if found else Draft(())


def _form_fields(path: Path, dpi: int) -> tuple[PdfField, ...]:
    """Return the fields of a PDF that can be filled in on a screen; none of another file.

    Raises:
        BadData: the file cannot be read.
    """
    try:
        return read_form_fields(path, dpi, Limits())
    except ScanError as error:
        raise BadData(f"cannot read the form fields of {display_path(path)}: {error.message}") from error


def _check_targets(first: Path, targets: Sequence[Path]) -> None:
    """Refuse a template that is not beside its first sheet, and files that exist already.

    Raises:
        UsageProblem: either of these.
    """
    if targets[0].resolve().parent != first.resolve().parent:
        raise UsageProblem(
            f"{display_path(targets[0])} is not in the folder of {display_path(first)}",
            "A template must be in the same folder as its blank form.",
        )
    for path in targets:
        if path.exists():
            raise UsageProblem(
                f"{display_path(path)} already exists", "Give another name with --out, or delete the file."
            )


def _shared(paths: Sequence[Path], sheets: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return what filled sheets have in common.

    Raises:
        BadData: one of them is another form.
    """
    try:
        return shared_print(sheets)
    except AnotherForm as error:
        raise BadData(
            f"{display_path(paths[error.number])} is not the form of {display_path(paths[0])}",
            "Give sheets of one form and edition only, the straightest first.",
        ) from error


def _warn_of_writing(blank: Path, page: NDArray[np.uint8], fields: Sequence[DraftField]) -> None:
    """Say which fields of the blank are filled in: what is written there would count as print."""
    model = load_model(installed_model_folder())
    if model.region_network is None:
        return
    network = RegionNetwork(model.region_network, model.region_card or {})
    if filled := filled_fields(page, [field.box for field in fields], network):
        names = ", ".join(fields[number].name for number in filled)
        click.echo(
            f"{display_path(blank)} seems to be filled in: {names}. What is written there counts as print "
            "and is not read. Give a blank form, or more filled sheets: "
            "lettermill template new FIRST SECOND THIRD.",
            err=True,
        )


def _write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    _, png = cv2.imencode(".png", picture)
    with atomic_write(path) as file:
        file.buffer.write(png.tobytes())


def _read_blank(blank: Path, dpi: int) -> NDArray[np.uint8]:
    """Read a blank form, and check that scans can be registered to it.

    Raises:
        BadData: the file cannot be read, or too little is printed on it.
    """
    page = _read_sheet(blank, dpi)
    try:
        prepare(page)
    except ValueError as error:
        raise BadData(
            f"{error} to align scans with it: {display_path(blank)}",
            "Give the whole form with its captions and boxes.",
        ) from error
    return page


def _read_sheet(path: Path, dpi: int) -> NDArray[np.uint8]:
    """Read the first page of a form.

    Raises:
        BadData: the file cannot be read.
    """
    try:
        return read_page(path, 1, dpi, Limits())
    except ScanError as error:
        raise BadData(f"cannot read the blank form {display_path(path)}: {error.message}") from error


def _named(page: NDArray[np.uint8], found: Sequence[FoundField]) -> list[str]:
    """Return a name for each field: its caption where that is read surely, else its number: field_1."""
    classifier = Classifier(load_model(installed_model_folder()), captions.SETTINGS.characters)
    names = captions.caption_names(page, [field.box for field in found], classifier)
    return [
        f"field_{number}" if name is None or name in PAGE_COLUMNS else name
        for number, name in enumerate(names, 1)
    ]


def _draw_fields(page: NDArray[np.uint8], fields: Sequence[DraftField]) -> NDArray[np.uint8]:
    """Draw the form, pale, with the frames, cells and names of its fields: uint8, h×w×3."""
    picture = cv2.cvtColor((255 - 0.4 * (255.0 - page)).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    thick = max(1, round(max(page.shape) / 800))
    for field in fields:
        box, colour = field.box, _COMB_COLOUR if field.comb else _BOX_COLOUR
        right, low = box.x + box.width, box.y + box.height
        cv2.rectangle(picture, (box.x, box.y), (right, low), colour, 2 * thick)
        for wall in range(1, field.comb or 1):
            x = round(box.x + wall * box.width / (field.comb or 1))
            cv2.line(picture, (x, box.y), (x, low), colour, thick)
        name = field.name + (f" ({field.comb})" if field.comb else "")
        size = 0.35 * thick + 0.15
        place = box.x + 4 * thick, low - 4 * thick
        cv2.putText(picture, name, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thick, cv2.LINE_AA)
    return np.asarray(picture, np.uint8)
