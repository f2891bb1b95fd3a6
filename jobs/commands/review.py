"""The command `lettermill review`: correct doubtful letters and fields in a browser."""

from __future__ import annotations

import contextlib
import getpass
import secrets

import click

from lettermill.jobs.commands.options import JOB, accept_at_options, on_disk
from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.job.folder import Job
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.running.signals import interruptible
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.place import Place


@click.command()
@JOB
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="The port of the page.  [default: a free port]"
)
@click.option("--name", "who", metavar="WHO", help="Your name, for the results.  [default: the user's name]")
@accept_at_options
@click.option("--no-browser", is_flag=True, help="Do not open a browser; open the printed address yourself.")
def review(path: Place, port: int, who: str | None, accept_at: Acceptance | None, no_browser: bool) -> None:
    """Check doubtful letters and fields of forms in a browser, and correct them.

    Opens a page that only this machine can reach, with a secret in its address. Your decisions are kept
    beside the results, which do not change; `lettermill collect` merges both. Ctrl-C ends the review; nothing
    is lost.

    \b
    Example:
      lettermill review results/JOB
    """
    from lettermill.jobs.web.access import HOST
    from lettermill.jobs.web.server import application, listening, serve, show_address
    from lettermill.jobs.web.session import Session

    job = Job.open(on_disk(path, "JOB of review"))
    job.check_writable()
    with listening(port) as opened:
        number, token = opened.getsockname()[1], secrets.token_urlsafe(24)
        session = Session(job, display_path(who or _user()), accept_at)
        address = f"http://{HOST}:{number}/?token={token}"

        def started() -> None:
            for problem in session.problems():
                click.echo(problem, err=True)
            show_address("review", address, "Anyone with the address can decide letters", no_browser)

        with contextlib.closing(session.presence), contextlib.suppress(KeyboardInterrupt), interruptible():
            serve(application(session, number, token), opened, started)
    decided = f"{session.progress().looked_at} letters decided"
    if session.fields:
        decided = f"{session.fields.progress().decided} fields and {decided}"
    click.echo(f"{decided}. Next: lettermill collect '{display_path(job.path)}'", err=True)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:  # In a container the user may have no name.
        raise UsageProblem("this user has no name", "Give your name with --name.") from error
