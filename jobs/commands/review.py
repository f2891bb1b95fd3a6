"""The command `lettermill review`."""

from __future__ import annotations

import contextlib
import getpass
import secrets
import webbrowser

import click

from lettermill.jobs.commands.options import JOB, accept_at_option, on_disk
from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.job.folder import Job
from lettermill.jobs.running.signals import interruptible
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.place import Place


@click.command()
@JOB
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="The page's port.  [default: a free one]"
)
@click.option(
    "--name", "who", metavar="WHO", help="Who decides, for the results.  [default: the user's name]"
)
@accept_at_option
@click.option("--no-browser", is_flag=True, help="Open no browser; open the printed address yourself.")
def review(path: Place, port: int, who: str | None, accept_at: float | None, no_browser: bool) -> None:
    """Look at doubtful letters in a browser, and correct them.

    Opens a page that only this machine reaches, with a secret in its address. What you decide is kept beside
    the results, which stay as they are; `lettermill collect` merges both. Ctrl-C ends it; nothing is lost.
    """
    from lettermill.jobs.web.server import HOST, application, listening, serve
    from lettermill.jobs.web.session import Desk

    job = Job.open(on_disk(path, "JOB of review"))
    job.check_writable()
    with listening(port) as opened:
        number, token = opened.getsockname()[1], secrets.token_urlsafe(24)
        desk = Desk(job, display_path(who or _user()), accept_at)
        address = f"http://{HOST}:{number}/?token={token}"

        def started() -> None:
            for problem in desk.problems():
                click.echo(problem, err=True)
            click.echo(f"review: {address}")
            click.echo("Ctrl-C ends it. The address lets whoever has it decide: do not pass it on.", err=True)
            if not no_browser and not webbrowser.open(address):
                click.echo("No browser could be started here: open the address yourself.", err=True)

        with contextlib.closing(desk.others), contextlib.suppress(KeyboardInterrupt), interruptible():
            serve(application(desk, number, token), opened, started)
    decided = desk.progress().looked_at
    click.echo(f"{decided} letters decided. Now: lettermill collect '{display_path(job.path)}'", err=True)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:  # In a container the user may have no name.
        raise UsageProblem("this user has no name", "Say with --name who decides.") from error
