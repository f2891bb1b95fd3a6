"""Let only the browser in that opened the printed address, and programs that have its token."""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST = "127.0.0.1"

API = "/api/"
"""How the paths begin that programs use."""

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


class AccessGate:
    """Answers only the browser that was given the token, and only under the printed address.

    A page of another site cannot send requests through the browser: its Host or its Origin differs, and the
    cookie is sent only with requests from pages of this site. Below `API` the cookie counts for nothing: a
    program sends the token itself, as `Authorization: Bearer TOKEN`, which no page of another site can.

    Args:
        app: the application behind the gate.
        port: the port of the server.
        token: the secret in the address.
        command: the command that printed the address.
    """

    def __init__(self, app: ASGIApp, port: int, token: str, command: str = "review") -> None:
        self._app = app
        self._command = f"`lettermill {command}`"
        self._hosts = {f"{HOST}:{port}", f"localhost:{port}"}
        self._token = token
        self._cookie = f"lettermill-{port}"  # Cookies are shared by all ports of a host.

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or hand it on."""
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} here")
        refusal = self._refusal(Request(scope))
        await (refusal or self._app)(scope, receive, sending_with_headers(send))

    def _refusal(self, request: Request) -> Response | None:
        headers = Headers(scope=request.scope)
        if headers.get("host") not in self._hosts:
            return PlainTextResponse(f"This is not the address that {self._command} printed.", 421)
        if request.url.path.startswith(API):
            kind, _, sent = headers.get("authorization", "").partition(" ")
            if kind.lower() == "bearer" and self._is_token(sent.strip()):
                return None
            return PlainTextResponse(
                "Send the token of the printed address: Authorization: Bearer TOKEN.",
                401,
                {"WWW-Authenticate": "Bearer"},
            )
        given = request.query_params.get("token", "")
        if request.method == "GET" and request.url.path == "/" and self._is_token(given):
            response = RedirectResponse("/", 303)
            response.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path="/")
            return response
        if not self._is_token(request.cookies.get(self._cookie, "")):
            return PlainTextResponse(
                f"This browser has no access. Open the whole address that {self._command} printed.", 403
            )
        if request.method != "GET" and headers.get("origin") != f"http://{headers['host']}":
            return PlainTextResponse("This was not sent by the page itself.", 403)
        return None

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())


def sending_with_headers(send: Send) -> Send:
    """Return what sends answers with the headers that keep other sites away from them."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers
