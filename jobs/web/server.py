"""The local web page of `lettermill review`: who may ask, which address shows what, what a form says."""

from __future__ import annotations

import functools
import hmac
import importlib.resources
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lettermill.jobs.errors import LettermillError, NotAJob, ScanError, UsageProblem
from lettermill.jobs.job.corrections import Decision
from lettermill.jobs.results.report import pages, visible
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.web.crops import NO_PICTURE
from lettermill.jobs.web.session import FEWEST, Answer, Desk, Tab

HOST = "127.0.0.1"

_MOST_BYTES = 65_536
"""Of a form: a sheet of 40 letters has 2 kB."""

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # Without a referrer browsers send forms with an origin of null.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_KEEP = {"Cache-Control": "private, max-age=3600"}
"""For pictures: a letter's picture stays the same as long as the server runs."""


class Guard:
    """Lets nobody in but the browser that was given the token, under the address that was given.

    A page of another site cannot ask in the browser's name: its Host or its Origin is another one, and the
    cookie goes to this site's own pages alone.

    Args:
        app: what is guarded.
        port: the server's port.
        token: the secret in the address.
    """

    def __init__(self, app: ASGIApp, port: int, token: str) -> None:
        self._app = app
        self._hosts = {f"{HOST}:{port}", f"localhost:{port}"}
        self._token = token
        self._cookie = f"lettermill-{port}"  # Cookies do not tell ports apart.

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} here")
        request = Request(scope)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await (self._refusal(request) or self._app)(scope, receive, send_guarded)

    def _refusal(self, request: Request) -> Response | None:
        headers = Headers(scope=request.scope)
        if headers.get("host") not in self._hosts:
            return PlainTextResponse("This address is not the one that `lettermill review` printed.", 421)
        given = request.query_params.get("token", "")
        if request.method == "GET" and request.url.path == "/" and self._fits(given):
            response = RedirectResponse("/", 303)
            response.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path="/")
            return response
        if not self._fits(request.cookies.get(self._cookie, "")):
            return PlainTextResponse(
                "This browser was not let in. Open the whole address that `lettermill review` printed.",
                403,
            )
        if request.method != "GET" and headers.get("origin") != f"http://{headers['host']}":
            return PlainTextResponse("This form was not sent by the review page.", 403)
        return None

    def _fits(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())


class _Pages:
    """What each address shows."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._templates = pages("lettermill.jobs.web")
        self._templates.filters.update(
            shown=display_path, visible=visible, count=_count, share=_share, sure=_sure
        )

    # --- what is shown --------------------------------------------------------------------------

    def start(self, request: Request) -> Response:
        return RedirectResponse(f"/{self._desk.new_tab().number}/", 303)

    def overview(self, request: Request) -> Response:
        tab, groups = self._tab(request), self._desk.groups()
        sheets = any(group.doubtful >= FEWEST for group in groups)
        return self._page("overview", tab, groups=groups, sheets=sheets)

    def next_sheet(self, request: Request) -> Response:
        tab = self._tab(request)
        self._desk.refresh()
        return self._go_on(tab, self._desk.next_sheet(tab))

    def _go_on(self, tab: Tab, char: str) -> Response:
        """Go to a character's sheet; to the single letters where there is none."""
        where = f"sheet/{char}" if char else "letter" if self._desk.singles() else ""
        if not where and self._desk.progress().doubtful:
            tab.notes.append("The doubtful letters that are left had no picture, or are before others now.")
        return RedirectResponse(f"/{tab.number}/{where}", 303)

    def sheet(self, request: Request) -> Response:
        tab, char = self._tab(request), request.path_params["char"]
        if char not in self._desk.job.settings.characters:
            raise HTTPException(404)
        self._desk.refresh()
        letters = self._desk.sheet(tab, char)
        group = next((group for group in self._desk.groups() if group.char == char), None)
        if not letters or group is None:
            if group and group.undecided:
                tab.notes.append(f"What is left of the letters read as {char} is before others now.")
            else:
                tab.notes.append(f"Nothing is left to decide of the letters read as {char}.")
            return RedirectResponse(f"/{tab.number}/", 303)
        return self._page("sheet", tab, letters=letters, group=group)

    def single(self, request: Request) -> Response:
        tab = self._tab(request)
        self._desk.refresh()
        number = request.path_params.get("number")
        if number is None:
            letter = self._desk.single(tab)
        elif number < len(self._desk.letters):
            letter = self._desk.one(tab, number)
        else:
            raise HTTPException(404)
        if letter is None:
            if self._desk.singles():
                tab.notes.append("The single letters that are left were skipped here or are before others.")
            else:
                tab.notes.append("No single letters are left.")
            return RedirectResponse(f"/{tab.number}/", 303)
        return self._page("single", tab, shown_letter=letter, missing=self._missing(letter.number))

    def _missing(self, number: int) -> str:
        """Say why there is no picture of a letter, if so."""
        try:
            self._desk.crops.letter(number)
        except ScanError as error:
            return error.message
        return ""

    def picture(self, request: Request) -> Response:
        number, kind = request.path_params["number"], request.path_params["kind"]
        cut = {"letter": self._desk.picture, "line": self._desk.crops.line, "page": self._desk.crops.page}
        if kind not in cut or number >= len(self._desk.letters):
            raise HTTPException(404)
        try:
            return Response(cut[kind](number), media_type="image/png", headers=_KEEP)
        except (ScanError, NotAJob):
            return Response(NO_PICTURE, media_type="image/svg+xml")

    def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        kind = {"review.css": "text/css", "review.js": "text/javascript"}.get(name)
        if kind is None:
            raise HTTPException(404)
        content = importlib.resources.files("lettermill.jobs.web").joinpath("static", name).read_bytes()
        return Response(content, media_type=kind)

    def _page(self, template: str, tab: Tab, **values: Any) -> Response:
        desk = self._desk
        desk.refresh()
        notes, tab.notes = tab.notes, []
        return HTMLResponse(
            self._templates.get_template(f"{template}.html.j2").render(
                job=desk.job,
                who=desk.who,
                tab=tab,
                notes=notes,
                problems=desk.problems(),
                progress=desk.progress(),
                singles=desk.singles(),
                pages=len(desk.letters.pages),
                pages_read=desk.letters.read,
                **values,
            )
        )

    # --- what a form says -----------------------------------------------------------------------

    def decide_sheet(self, request: Request, form: dict[str, list[str]]) -> Response:
        tab, char = self._tab(request), request.path_params["char"]
        wrong = {_number(word) for word in form.get("wrong", [])}
        answers = []
        for number, seen in self._stated(form):
            if number in wrong:
                answers.append(Answer(number, seen, Decision.WRONG))
            else:
                answers.append(Answer(number, seen, Decision.RIGHT, self._desk.letters.char(number)))
        self._desk.decide(tab, answers, char)
        return self._go_on(tab, self._desk.sheet_after(tab, char, answers))

    def decide_single(self, request: Request, form: dict[str, list[str]]) -> Response:
        tab = self._tab(request)
        ((number, seen),) = self._stated(form)
        answer = self._answer(number, seen, form)
        if answer is None:
            tab.skipped.add(number)
            tab.held = []
        elif answer.decision == Decision.OPEN:
            tab.notes.append(
                f"Type one of the characters that the job reads: {self._desk.job.settings.characters}"
            )
            return RedirectResponse(f"/{tab.number}/letter/{number}", 303)
        else:
            self._desk.decide(tab, [answer])
        return RedirectResponse(f"/{tab.number}/letter", 303)

    def _answer(self, number: int, seen: int, form: dict[str, list[str]]) -> Answer | None:
        """Return what a form says of a single letter: None to skip it, `open` where it makes no sense."""
        kind, _, char = form.get("choice", [""])[0].partition(":")
        if kind == "skip":
            return None
        if kind == "none":
            return Answer(number, seen, Decision.NO_LETTER)
        if kind == "typed":
            char = form.get("typed", [""])[0].strip().upper()
        if len(char) != 1 or char not in self._desk.job.settings.characters:
            return Answer(number, seen, Decision.OPEN)
        right = char == self._desk.letters.char(number)
        return Answer(number, seen, Decision.RIGHT if right else Decision.CORRECTED, char)

    def undo(self, request: Request, form: dict[str, list[str]]) -> Response:
        tab = self._tab(request)
        place = f"/{tab.number}/"
        if not self._desk.undo(tab):
            tab.notes.append("There is nothing to undo in this tab.")
        elif tab.held:
            place += f"sheet/{tab.sheet}" if tab.sheet else f"letter/{tab.held[0]}"
        return RedirectResponse(place, 303)

    def _stated(self, form: dict[str, list[str]]) -> list[tuple[int, int]]:
        """Return the letters of a form, each with the version that was shown."""
        stated = [tuple(_number(part) for part in word.split("-")) for word in form.get("letter", [])]
        if not stated or any(len(one) != 2 or one[0] >= len(self._desk.letters) for one in stated):
            raise HTTPException(400)
        return [(one[0], one[1]) for one in stated]

    def _tab(self, request: Request) -> Tab:
        tab = self._desk.tab(request.path_params["tab"])
        if tab is None:
            raise HTTPException(404)
        return tab

    # --- what went wrong ------------------------------------------------------------------------

    def problem(self, request: Request, error: Exception) -> Response:
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


def _sure(confidence: float) -> str:
    """Return a confidence in percent, rounded down."""
    return f"{int(confidence * 100)} %"


def _count(number: float) -> str:
    """Return a number of letters: whole from ten on."""
    return f"{number:.1f}" if number < 10 and number != int(number) else f"{number:,.0f}"


def _share(share: float | None) -> str:
    """Return a share in percent with as many nines as it has, rounded down: never 100 % of what is not."""
    if share is None:
        return "–"
    digits = 1 if share < 0.99 else 2
    scale = 10 ** (digits + 2)
    return f"{int(share * scale) / scale:.{digits}%}".replace("%", " %")


_Form = dict[str, list[str]]


def _posted(act: Callable[[Request, _Form], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that reads a form and acts on it in a thread."""

    @functools.wraps(act)
    async def endpoint(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _MOST_BYTES:
                raise HTTPException(413)
        form = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
        return await run_in_threadpool(act, request, form)

    return endpoint


def application(desk: Desk, port: int, token: str) -> ASGIApp:
    """Return the review of a job as an application, guarded."""
    pages_ = _Pages(desk)
    app = Starlette(
        routes=[
            Route("/", pages_.start),
            Route("/static/{name}", pages_.static),
            Route("/picture/{kind}/{number:int}", pages_.picture),
            Route("/{tab:int}/", pages_.overview),
            Route("/{tab:int}/sheet", pages_.next_sheet),
            Route("/{tab:int}/sheet/{char}", pages_.sheet),
            Route("/{tab:int}/sheet/{char}", _posted(pages_.decide_sheet), methods=["POST"]),
            Route("/{tab:int}/letter", pages_.single),
            Route("/{tab:int}/letter", _posted(pages_.decide_single), methods=["POST"]),
            Route("/{tab:int}/letter/{number:int}", pages_.single),
            Route("/{tab:int}/undo", _posted(pages_.undo), methods=["POST"]),
        ],
        exception_handlers={HTTPException: pages_.problem, LettermillError: pages_.problem},
    )
    return Guard(app, port, token)


def listening(port: int) -> socket.socket:
    """Return a socket that listens on this machine alone.

    Args:
        port: 0 for a free one.

    Raises:
        UsageProblem: the port is taken or may not be used.
    """
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((HOST, port))
    except OSError as error:
        opened.close()
        raise UsageProblem(
            f"port {port} cannot be used: {error.strerror}", "Give another --port, or none for a free one."
        ) from error
    return opened


def serve(app: ASGIApp, opened: socket.socket, started: Callable[[], None]) -> None:
    """Answer until Ctrl-C or SIGTERM, which raise KeyboardInterrupt once all is answered, or SIGHUP.

    Args:
        app: the application.
        opened: from `listening`.
        started: called once the page can be opened.
    """
    config = uvicorn.Config(
        app, lifespan="off", log_level="warning", access_log=False, server_header=False,
        timeout_graceful_shutdown=2,
    )  # fmt: skip
    opened.listen()  # A browser that comes now waits for the answer.
    started()
    server = uvicorn.Server(config)
    # An exception raised wherever the loop happens to be can get lost: uvicorn takes its signals so, too.
    hangup = signal.getsignal(signal.SIGHUP)
    if hangup is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, server.handle_exit)
    try:
        server.run(sockets=[opened])
    finally:
        signal.signal(signal.SIGHUP, hangup)
