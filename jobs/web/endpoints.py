"""Answer each address of the review: pages, pictures, and forms."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from lettermill.jobs.errors import LettermillError, NotAJob, ScanError
from lettermill.jobs.job.corrections import Decision
from lettermill.jobs.results.html import environment
from lettermill.jobs.web.crops import NO_PICTURE
from lettermill.jobs.web.field_table import FieldTable
from lettermill.jobs.web.session import FEWEST_LETTERS, Answer, FieldAnswer, Session, Tab

Form = dict[str, list[str]]
"""The fields of a form that was sent, each with its values."""

MOST_CHARACTERS = 300
"""The longest text of a field."""

_ALL, _SKIP = "*all", "*skip"
"""What is accepted when it is no field: all of the form, or nothing."""

_CACHED = {"Cache-Control": "private, max-age=3600"}
"""For pictures: the picture of a letter stays the same as long as the server runs."""


class Endpoints:
    """The answers of a review session, one method per address.

    Args:
        session: the review of a job.
        root: the path below which the pages are mounted, without a slash at its end.
    """

    def __init__(self, session: Session, root: str = "") -> None:
        self._session = session
        self._templates = environment("lettermill.jobs.web")
        self._templates.globals["root"] = root
        self._templates.filters.update(count=_count, share=_share, confidence=_confidence)
        self._templates.globals.update(most_characters=MOST_CHARACTERS)

    # --- pages and pictures ---------------------------------------------------------------------

    def start(self, request: Request) -> Response:
        """Open a new tab: the next form with a field to look at, or the overview."""
        tab, fields = self._session.new_tab(), self._session.fields
        where = "form" if fields and fields.progress().to_look_at else ""
        return RedirectResponse(f"/{tab.number}/{where}", 303)

    def overview(self, request: Request) -> Response:
        """Show how far the review is, and the letters by what they were read as."""
        tab, groups = self._tab(request), self._session.groups()
        sheets = any(group.doubtful >= FEWEST_LETTERS and not group.is_mark for group in groups)
        return self._page("overview", tab, groups=groups, sheets=sheets)

    def next_sheet(self, request: Request) -> Response:
        """Go to the sheet of the character with the most letters on which the readers disagree."""
        tab = self._tab(request)
        self._session.refresh()
        return self._go_to_sheet(tab, self._session.next_sheet(tab))

    def _go_to_sheet(self, tab: Tab, char: str) -> Response:
        """Go to a character's sheet; without a character, to the single letters."""
        where = f"sheet/{char}" if char else "letter" if self._session.singles() else ""
        if not where and self._session.progress().doubtful:
            tab.notes.append(
                "The remaining doubtful letters had no picture, were skipped, or are being reviewed "
                "elsewhere."
            )
        return RedirectResponse(f"/{tab.number}/{where}", 303)

    def sheet(self, request: Request) -> Response:
        """Show a sheet of letters that were read as one character."""
        tab, char = self._tab(request), request.path_params["char"]
        if char not in self._session.job.settings.characters:
            raise HTTPException(404)
        self._session.refresh()
        letters = self._session.sheet(tab, char)
        group = next((group for group in self._session.groups() if group.char == char), None)
        if not letters or group is None:
            if group and group.undecided:
                tab.notes.append(
                    f"The remaining letters read as {char} were skipped, or are being reviewed elsewhere."
                )
            else:
                tab.notes.append(f"All letters read as {char} are decided.")
            return RedirectResponse(f"/{tab.number}/", 303)
        return self._page("sheet", tab, letters=letters, group=group)

    def single(self, request: Request) -> Response:
        """Show one letter with its line and its page."""
        tab = self._tab(request)
        self._session.refresh()
        number = request.path_params.get("number")
        if number is None:
            letter = self._session.single(tab)
        elif number < len(self._session.letters):
            letter = self._session.one(tab, number)
        else:
            raise HTTPException(404)
        if letter is None:
            if self._session.singles():
                tab.notes.append(
                    "The remaining single letters were skipped here or are being reviewed elsewhere."
                )
            else:
                tab.notes.append("No single letters are left.")
            return RedirectResponse(f"/{tab.number}/", 303)
        return self._page("single", tab, shown_letter=letter, missing=self._why_no_picture(letter.number))

    def form(self, request: Request) -> Response:
        """Show the fields of a page beside the page."""
        tab, fields = self._tab(request), self._fields()
        self._session.refresh()
        number = request.path_params.get("number")
        if number is not None and not fields.is_form(number):
            raise HTTPException(404)
        form = self._session.form(tab, number)
        if form is None:
            if fields.progress().to_look_at:
                tab.notes.append("The remaining forms were skipped here or are being reviewed elsewhere.")
            else:
                tab.notes.append("No fields are left to look at.")
            return RedirectResponse(f"/{tab.number}/", 303)
        due = [one for one in form.fields if one.read.doubt and not one.said]
        return self._page("form", tab, form=form, due=due, current=(due or form.fields)[0])

    def field_picture(self, request: Request) -> Response:
        """Send the picture of a field, or of its page."""
        fields, number, name = self._fields(), request.path_params["number"], request.path_params["name"]
        if not fields.is_form(number) or name not in fields.names:
            raise HTTPException(404)
        try:
            if request.path_params["kind"] == "field":
                picture = self._session.field_picture(fields, number, name)
            else:
                picture = self._session.crops.form(fields.pages[number], fields.place(number, name))
            return Response(picture, media_type="image/png", headers=_CACHED)
        except (ScanError, NotAJob):
            return Response(NO_PICTURE, media_type="image/svg+xml")

    def _fields(self) -> FieldTable:
        if self._session.fields is None:
            raise HTTPException(404)
        return self._session.fields

    def _why_no_picture(self, number: int) -> str:
        """Return why there is no picture of a letter; empty if there is one."""
        try:
            self._session.crops.letter(number)
        except ScanError as error:
            return error.message
        return ""

    def picture(self, request: Request) -> Response:
        """Send the picture of a letter, its line or its page."""
        number, kind = request.path_params["number"], request.path_params["kind"]
        cut = {
            "letter": self._session.picture,
            "line": self._session.crops.line,
            "page": self._session.crops.page,
        }
        if kind not in cut or number >= len(self._session.letters):
            raise HTTPException(404)
        try:
            return Response(cut[kind](number), media_type="image/png", headers=_CACHED)
        except (ScanError, NotAJob):
            return Response(NO_PICTURE, media_type="image/svg+xml")

    def _page(self, template: str, tab: Tab, **values: Any) -> Response:
        session = self._session
        session.refresh()
        notes, tab.notes = tab.notes, []
        return HTMLResponse(
            self._templates.get_template(f"{template}.html.j2").render(
                job=session.job,
                who=session.who,
                tab=tab,
                notes=notes,
                problems=session.problems(),
                progress=session.progress(),
                singles=session.singles(),
                field_progress=session.fields.progress() if session.fields else None,
                pages=len(session.letters.pages),
                pages_read=session.letters.read,
                **values,
            )
        )

    # --- forms ----------------------------------------------------------------------------------

    def decide_sheet(self, request: Request, form: Form) -> Response:
        """Save the decisions of a sheet, and go to the next."""
        tab, char = self._tab(request), request.path_params["char"]
        marked = [word.partition("-") for word in form.get("wrong", [])]
        wrong = {_number(number) for number, _, _ in marked}
        no_letters = {_number(number) for number, _, what in marked if what == "none"}
        stated = self._stated(form)
        if form.get("choice", [""])[0] == "skip-pages":
            of_marked = [number for number, _ in stated if number in wrong]
            if of_marked:
                self._session.skip_pages(tab, of_marked)
            else:
                tab.notes.append("Mark a letter of each page that is to be skipped.")
            return RedirectResponse(f"/{tab.number}/sheet/{char}", 303)
        answers = []
        for number, seen in stated:
            if number in no_letters:
                answers.append(Answer(number, seen, Decision.NO_LETTER))
            elif number in wrong:
                answers.append(Answer(number, seen, Decision.WRONG))
            else:
                answers.append(Answer(number, seen, Decision.RIGHT, self._session.letters.char(number)))
        self._session.decide(tab, answers, char)
        return self._go_to_sheet(tab, self._session.sheet_after(tab, char, answers))

    def decide_single(self, request: Request, form: Form) -> Response:
        """Save the decision about a single letter, and go to the next."""
        tab = self._tab(request)
        ((number, seen),) = self._stated(form)
        if form.get("choice", [""])[0] == "skip-page":
            self._session.skip_pages(tab, [number])
            return RedirectResponse(f"/{tab.number}/letter", 303)
        answer = self._answer(number, seen, form)
        if answer is None:
            tab.skipped.add(number)
            tab.held = []
        elif answer.decision == Decision.OPEN:
            tab.notes.append(
                f"Type one of the characters that the job reads: {self._session.letters.characters}"
            )
            return RedirectResponse(f"/{tab.number}/letter/{number}", 303)
        else:
            self._session.decide(tab, [answer])
        return RedirectResponse(f"/{tab.number}/letter", 303)

    def _answer(self, number: int, seen: int, form: Form) -> Answer | None:
        """Return the answer about a single letter: None to skip it, OPEN if the form makes no sense."""
        kind, _, char = form.get("choice", [""])[0].partition(":")
        if kind == "skip":
            return None
        if kind == "none":
            return Answer(number, seen, Decision.NO_LETTER)
        if kind == "typed":
            char = form.get("typed", [""])[0].strip().upper()
        if len(char) != 1 or char not in self._session.letters.characters:
            return Answer(number, seen, Decision.OPEN)
        right = char == self._session.letters.char(number)
        return Answer(number, seen, Decision.RIGHT if right else Decision.CORRECTED, char)

    def decide_fields(self, request: Request, form: Form) -> Response:
        """Save the field that was accepted and those that were changed; show what is left of the form."""
        tab, fields, number = self._tab(request), self._fields(), request.path_params["number"]
        if not fields.is_form(number):
            raise HTTPException(404)
        accepted = form.get("accept", [""])[0]
        if accepted == _SKIP:
            tab.skipped_forms.add(number)
            return RedirectResponse(f"/{tab.number}/form", 303)
        answers = []
        for name in fields.names:
            text, shown, seen = (form.get(f"{part}:{name}", [""])[0] for part in ("text", "shown", "seen"))
            if seen and (name == accepted or accepted == _ALL or text != shown):
                if len(text) > MOST_CHARACTERS:
                    raise HTTPException(400)
                answers.append(FieldAnswer(name, _number(seen), text))
        if not answers:
            raise HTTPException(400)
        self._session.decide_fields(tab, number, answers)
        left = any(one == number for one in fields.forms_to_look_at())
        return RedirectResponse(f"/{tab.number}/form{f'/{number}' if left else ''}", 303)

    def undo(self, request: Request, form: Form) -> Response:
        """Undo the last decisions of a tab, and show their letters or form again."""
        tab = self._tab(request)
        place = f"/{tab.number}/"
        if not self._session.undo(tab):
            tab.notes.append("There is nothing to undo in this tab.")
        elif tab.form is not None:
            place += f"form/{tab.form}"
        elif tab.held:
            place += f"sheet/{tab.sheet}" if tab.sheet else f"letter/{tab.held[0]}"
        return RedirectResponse(place, 303)

    def _stated(self, form: Form) -> list[tuple[int, int]]:
        """Return the letters of a form, each with the version that the person saw."""
        stated = [tuple(_number(part) for part in word.split("-")) for word in form.get("letter", [])]
        if not stated or any(len(one) != 2 or one[0] >= len(self._session.letters) for one in stated):
            raise HTTPException(400)
        return [(one[0], one[1]) for one in stated]

    def _tab(self, request: Request) -> Tab:
        tab = self._session.tab(request.path_params["tab"])
        if tab is None:
            raise HTTPException(404)
        return tab

    # --- errors ---------------------------------------------------------------------------------

    def problem(self, request: Request, error: Exception) -> Response:
        """Show a page that says what went wrong and what to do."""
        if isinstance(error, HTTPException):
            what, next_step, status = "There is no such page.", "Go back to the overview.", error.status_code
        elif isinstance(error, LettermillError):
            what, next_step, status = error.what, error.next_step, 500
        else:
            raise error
        content = self._templates.get_template("problem.html.j2").render(what=what, next_step=next_step)
        return HTMLResponse(content, status)


def _number(word: str) -> int:
    if not word.isascii() or not word.isdigit() or len(word) > 15:
        raise HTTPException(400)
    return int(word)


def _confidence(confidence: float) -> str:
    """Return a confidence in percent, rounded down."""
    return f"{int(confidence * 100)} %"


def _count(number: float) -> str:
    """Return a number of letters, with a decimal below ten if it has one."""
    return f"{number:.1f}" if number < 10 and number != int(number) else f"{number:,.0f}"


def _share(share: float | None) -> str:
    """Return a share in percent, rounded down, so that only a whole is shown as 100 %."""
    if share is None:
        return "–"
    digits = 1 if share < 0.99 else 2
    scale = 10 ** (digits + 2)
    return f"{int(share * scale) / scale:.{digits}%}".replace("%", " %")
