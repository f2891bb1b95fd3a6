"""Let only requests in that come from the office's reverse proxy, each as the person whom the proxy knows."""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lettermill.jobs.web.access import API, sending_with_headers

USER_HEADER = "x-forwarded-user"
"""The header in which the proxy names the person; it must drop one that the browser sends."""

SECRET_HEADER = "x-lettermill-proxy"
"""The header with the secret that only the proxy and this server know."""

_MOST_NAME_CHARACTERS = 100


class ProxyGate:
    """Answers only the proxy, and only for its own address; the proxy has checked who the person is.

    A page of another site is kept out by its Origin. A program may send none, but only below `API` and not
    from a browser, which says so (Sec-Fetch-Site).

    Args:
        app: the application behind the gate; it finds the person in the state of the request, as `who`.
        public: the address of the proxy as people write it, for example https://ocr.office.example.
        secret: what the proxy sends with each request.
    """

    def __init__(self, app: ASGIApp, public: str, secret: str) -> None:
        self._app, self._origin, self._secret = app, public, secret
        self._host = urlsplit(public).netloc

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or hand it on."""
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} here")
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is None:
            scope.setdefault("state", {})["who"] = headers[USER_HEADER]
        await (refusal or self._app)(scope, receive, sending_with_headers(send))

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if not hmac.compare_digest(headers.get(SECRET_HEADER, "").encode(), self._secret.encode()):
            return PlainTextResponse("This server answers its reverse proxy alone.", 403)
        if headers.get("host") != self._host:
            return PlainTextResponse("This is not the address of this server.", 421)
        names = headers.getlist(USER_HEADER)
        name = names[0] if len(names) == 1 else ""
        if not name.strip() or not name.isprintable() or len(name) > _MOST_NAME_CHARACTERS:
            return PlainTextResponse("The reverse proxy does not say who asks.", 403)
        if scope["method"] in ("GET", "HEAD"):
            return None
        program = (
            scope["path"].startswith(API) and "origin" not in headers and "sec-fetch-site" not in headers
        )
        if not program and headers.get("origin") != self._origin:
            return PlainTextResponse("This form was not sent by a page of this address.", 403)
        return None
