"""The command `lettermill web`: upload or choose scans, read, review and download them in a browser."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from lettermill.jobs.commands.options import OUT, PlaceType, broker_option, on_disk, workers_option
from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.running.signals import interruptible
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.place import Place

if TYPE_CHECKING:
    from starlette.types import ASGIApp

HOST = "127.0.0.1"

_SECRET_FILE = "LETTERMILL_PROXY_SECRET_FILE"
_LEAST_SECRET_CHARACTERS = 24
_MOST_SECRET_CHARACTERS = 1_000


@click.command()
@OUT
@click.option(
    "--scans",
    type=PlaceType(),
    envvar="LETTERMILL_SCANS",
    metavar="DIR",
    help="Offer the folders below this one. Without it, scans are uploaded.  [env: LETTERMILL_SCANS]",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="The port of the page.  [default: a free port]"
)
@workers_option
@broker_option(required=False, without="this machine reads.")
@click.option(
    "--webhook",
    "webhooks",
    multiple=True,
    metavar="URL",
    help="Let programs ask for a message to this address, or one below it, when a job ends. May be repeated.",
)
@click.option("--name", "who", metavar="WHO", help="Your name, for the results.  [default: the user's name]")
@click.option(
    "--behind",
    metavar="URL",
    help="Answer only a reverse proxy, which has this address and says who asks; for an office. The file of "
    "LETTERMILL_PROXY_SECRET_FILE has what it sends with each request.",
)
@click.option(
    "--listen",
    default=HOST,
    show_default=True,
    metavar="ADDRESS",
    help="The address of this machine that the reverse proxy reaches; with --behind.",
)
@click.option("--no-browser", is_flag=True, help="Do not open a browser; open the printed address yourself.")
def web(
    out: Place,
    scans: Place | None,
    port: int,
    workers: int | None,
    broker: str | None,
    webhooks: tuple[str, ...],
    who: str | None,
    behind: str | None,
    listen: str,
    no_browser: bool,
) -> None:
    """Upload or choose scans, have them read, review them and download the tables, all in a browser.

    Opens a page that only this machine can reach, with a secret in its address. Jobs are read one after the
    other, also while no browser is open. Ctrl-C ends it; the same command continues what was not finished.

    \b
    Example:
      lettermill web --scans scans
    """
    from lettermill.jobs.front.proxy_gate import ProxyGate
    from lettermill.jobs.front.server import application, opened_office, user
    from lettermill.jobs.front.submit import Places
    from lettermill.jobs.web.access import AccessGate
    from lettermill.jobs.web.server import listening, serve, show_address

    folder = on_disk(scans, "--scans") if scans else None
    if folder and not folder.is_dir():
        raise UsageProblem(
            f"the folder {display_path(folder)} does not exist", "Give --scans a folder, or leave it out."
        )
    if broker and folder is None:
        raise UsageProblem(
            "with --broker other machines read, and they see only what is below their --scans",
            "Give --scans the folder that they have.",
        )
    for one in webhooks:
        _check_address(one, "--webhook")
    if behind:
        behind = behind.rstrip("/")
        _check_address(behind, "--behind")
        secret = _proxy_secret()
    elif listen != HOST:
        raise UsageProblem(
            "--listen without --behind would send letters and the token through the network unprotected",
            "Put a reverse proxy in front and give --behind its address, or forward the port with ssh.",
        )
    places = Places(Disk(on_disk(out, "--out").absolute()), folder and folder.resolve(), broker, webhooks)
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(listening(port, listen))
        office = stack.enter_context(opened_office(places, workers, display_path(who or user())))
        number, token = opened.getsockname()[1], secrets.token_urlsafe(24)
        pages = application(office)
        app: ASGIApp = ProxyGate(pages, behind, secret) if behind else AccessGate(pages, number, token, "web")

        def started() -> None:
            if behind:
                click.echo(f"web: {behind}, which forwards to {listen}:{number}")
                return
            address = f"http://{HOST}:{number}/?token={token}"
            show_address("web", address, "Whoever has the address can read and change all jobs", no_browser)

        with contextlib.suppress(KeyboardInterrupt), interruptible():
            serve(app, opened, started)


def _proxy_secret() -> str:
    """Return the secret that the reverse proxy sends.

    Raises:
        UsageProblem: no file holds one, or it is too short to be one.
    """
    path = os.environ.get(_SECRET_FILE, "")
    try:
        with Path(path).open(encoding="ascii") as file:
            secret = file.readline(_MOST_SECRET_CHARACTERS).strip()
    except (OSError, UnicodeDecodeError):
        secret = ""
    if len(secret) < _LEAST_SECRET_CHARACTERS:
        raise UsageProblem(
            f"{_SECRET_FILE} names no file with a secret of {_LEAST_SECRET_CHARACTERS} characters or more",
            "Make one, for example with `openssl rand -hex 24`; the proxy sends it as X-Lettermill-Proxy.",
        )
    return secret


def _check_address(address: str, option: str) -> None:
    """Check an address of the web.

    Raises:
        UsageProblem: it is none.
    """
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment or not address.isprintable():
        raise UsageProblem(
            f"{address!r} is no address for {option}", "Write https://HOST/PATH, without a password or query."
        )
    if option == "--behind" and parts.path:
        raise UsageProblem(
            f"--behind {address} has a path, and the pages are at the top of their host",
            "Give them a host of their own.",
        )
