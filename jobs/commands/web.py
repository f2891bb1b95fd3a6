"""The command `lettermill web`: upload or choose scans, read, review and download them in a browser."""

from __future__ import annotations

import contextlib
import secrets
import webbrowser

import click

from lettermill.jobs.commands.options import OUT, PlaceType, broker_option, on_disk, workers_option
from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.running.signals import interruptible
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.place import Place


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
@click.option("--no-browser", is_flag=True, help="Do not open a browser; open the printed address yourself.")
def web(
    out: Place,
    scans: Place | None,
    port: int,
    workers: int | None,
    broker: str | None,
    webhooks: tuple[str, ...],
    who: str | None,
    no_browser: bool,
) -> None:
    """Upload or choose scans, have them read, review them and download the tables, all in a browser.

    Opens a page that only this machine can reach, with a secret in its address. Jobs are read one after the
    other, also while no browser is open. Ctrl-C ends it; the same command continues what was not finished.

    \b
    Example:
      lettermill web --scans scans
    """
    from lettermill.jobs.front.server import application, opened_office, user
    from lettermill.jobs.front.submit import Places
    from lettermill.jobs.web.access import HOST
    from lettermill.jobs.web.server import listening, serve

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
    for address in webhooks:
        _check_address(address)
    places = Places(Disk(on_disk(out, "--out").absolute()), folder and folder.resolve(), broker, webhooks)
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(listening(port))
        office = stack.enter_context(opened_office(places, workers, display_path(who or user())))
        number, token = opened.getsockname()[1], secrets.token_urlsafe(24)
        address = f"http://{HOST}:{number}/?token={token}"

        def started() -> None:
            click.echo(f"web: {address}")
            click.echo(
                "Ctrl-C ends it. Whoever has the address can read and change all jobs: keep it to yourself.",
                err=True,
            )
            if not no_browser and not webbrowser.open(address):
                click.echo("No browser could be started: open the address yourself.", err=True)

        with contextlib.suppress(KeyboardInterrupt), interruptible():
            serve(application(office, number, token), opened, started)


def _check_address(address: str) -> None:
    """Check the address of a webhook.

    Raises:
        UsageProblem: it is none.
    """
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment or not address.isprintable():
        raise UsageProblem(
            f"{address!r} is no address of a webhook", "Write https://HOST/PATH, without a password or query."
        )
