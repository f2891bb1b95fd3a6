"""Answer each address of the template editor: the page, the blank, the template, a save, a try."""

from __future__ import annotations

from typing import Any, Required, TypedDict, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from lettermill.jobs.errors import LettermillError, ScanError, TemplateProblem
from lettermill.jobs.results.html import environment
from lettermill.jobs.scans.find import SCAN_SUFFIXES, is_scan
from lettermill.worker.editor.kind_keys import keys_of_kinds
from lettermill.worker.editor.sheets import Sheets
from lettermill.worker.editor.template_file import TemplateFile
from lettermill.worker.editor.trial import try_template

Sent = TypeVar("Sent")


class Values(TypedDict, total=False):
    """The values of a template, as a page sends them; the checks of templates look at the rest."""

    blank: Required[str]
    dpi: int
    rules: list[str]
    fields: Required[list[dict[str, str | int | bool | list[str | int]]]]


class Saved(msgspec.Struct, frozen=True):
    """What a page sends to save a template.

    Attributes:
        values: its values.
        digest: of the file on which they are based.
    """

    values: Values
    digest: str


class OnSheet(msgspec.Struct, frozen=True):
    """What a page sends to try a template.

    Attributes:
        values: its values, saved or not.
        sheet: the name of a scan.
        page: its page, from 1.
    """

    values: Values
    sheet: str
    page: int


class Endpoints:
    """The answers of an editor, one method per address.

    Args:
        file: the template.
        sheets: what it can be tried on.
    """

    def __init__(self, file: TemplateFile, sheets: Sheets) -> None:
        self._file = file
        self._sheets = sheets
        self._templates = environment("lettermill.worker.editor")

    def page(self, request: Request) -> Response:
        """Show the editor."""
        page = self._templates.get_template("editor.html.j2")
        suffixes = ",".join(sorted(SCAN_SUFFIXES))
        return HTMLResponse(page.render(path=self._file.path, suffixes=suffixes))

    def blank(self, request: Request) -> Response:
        """Send the blank form as a picture."""
        return Response(self._file.blank_png, media_type="image/png")

    def template(self, request: Request) -> Response:
        """Send the template, and what a page needs to edit it."""
        values, digest = self._file.values()
        return _json(
            {
                "values": values,
                "digest": digest,
                "width": self._file.width,
                "height": self._file.height,
                "kinds": keys_of_kinds(),
                "sheets": self._sheets.names,
            }
        )

    def save(self, request: Request, body: bytes) -> Response:
        """Save the template, if all of it can be used."""
        sent = _decoded(body, Saved)
        return _json({"digest": self._file.save(sent.values, sent.digest)})

    def add_sheet(self, request: Request, body: bytes) -> Response:
        """Take a scan to try templates on."""
        name = request.path_params["name"]
        if not is_scan(name):
            known = " ".join(sorted(suffix[1:] for suffix in SCAN_SUFFIXES))
            raise HTTPException(422, f"{name} is not a scan: scans are files that end with one of {known}")
        self._sheets.add(name, body)
        return _json({"sheets": self._sheets.names})

    def try_sheet(self, request: Request, body: bytes) -> Response:
        """Read a sheet with the template as it is on the page."""
        sent = _decoded(body, OnSheet)
        template = self._file.checked(sent.values)
        try:
            page = self._sheets.page(sent.sheet, sent.page)
        except KeyError as error:
            raise HTTPException(404, f"there is no sheet {sent.sheet}") from error
        return _json(try_template(template, page))

    def problem(self, request: Request, error: Exception) -> Response:
        """Say what went wrong and, if it is a key of the template, at which field."""
        if isinstance(error, HTTPException):
            return _json({"what": error.detail}, error.status_code)
        if isinstance(error, ScanError):
            return _json({"what": error.message}, 422)
        if isinstance(error, TemplateProblem):
            said = {"what": error.said, "next_step": "", "field": error.field, "key": error.key}
            return _json(said, 422)
        if isinstance(error, LettermillError):
            return _json({"what": error.what, "next_step": error.next_step}, 422)
        raise error


def _decoded(body: bytes, kind: type[Sent]) -> Sent:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise HTTPException(400, str(error)) from error


def _json(values: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(values), status, media_type="application/json")
