"""Options that several commands have."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.queue.address import take_password
from lettermill.jobs.settings import MAX_PAGE_SECONDS, MOST_MEGABYTES, MOST_MEGAPIXELS, Settings
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.locate import locate
from lettermill.jobs.storage.place import Place

_Command = TypeVar("_Command", bound=Callable[..., Any])


class PlaceType(click.ParamType[Place]):
    """A folder on disk or in an object store.

    Args:
        exists: whether it must be there; an object store must answer.
        writable: whether this user must be allowed to write to it.
    """

    name = "directory"

    def __init__(self, exists: bool = False, writable: bool = False) -> None:
        self._exists = exists
        self._disk = click.Path(exists=exists, file_okay=not exists, writable=writable, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        """Return the place.

        Raises:
            UsageProblem, MissingExtra: an address in an object store is none, or boto3 is not installed.
            StoreUnreachable: the store does not answer.
        """
        if isinstance(value, str) and _ADDRESS.match(value) and not value.startswith("s3://"):
            self.fail(f"{value!r} is no address that Lettermill knows: write s3://BUCKET/PREFIX", param, ctx)
        if isinstance(value, str) and value.startswith("s3://"):
            found = locate(value)
            if self._exists:
                found.is_folder()  # There are no folders; what counts is the answer.
            return found
        if isinstance(value, str | Path):
            return locate(self._disk.convert(value, param, ctx))
        return cast(Place, value)


_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.]*:/|s3//")
"""How an address or a mistyped one begins, and hardly any folder."""

FOLDER = click.Path(path_type=Path)
PLACE = PlaceType()
JOB = click.argument("path", metavar="JOB", type=PLACE)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")
OUT = click.option(
    "--out", required=True, type=PLACE, metavar="DIR", help="The folder that holds the job folders."
)
_DEFAULTS = Settings()


def on_disk(where: Place, option: str) -> Disk:
    """Return a folder that a command can use on a disk alone.

    Raises:
        UsageProblem: it lies in an object store.
    """
    if isinstance(where, Disk):
        return where
    raise UsageProblem(
        f"{option} takes a folder on disk, and {where} is none", "Give a folder of this machine."
    )


def broker_option(required: bool) -> Callable[[_Command], _Command]:
    """Add the option that says where the queue is.

    Args:
        required: whether the command needs one.
    """
    text = "Use the Redis at this address, as redis://HOST:6379/0."
    if not required:
        text += " Without it a private server is started."
    return click.option(
        "--broker",
        envvar="LETTERMILL_BROKER",
        required=required,
        metavar="URL",
        callback=take_password,
        help=f"{text}  [env: LETTERMILL_BROKER]",
    )


def workers_option(command: _Command) -> _Command:
    """Add the option that says how many pages this machine reads at once."""
    return click.option(
        "--workers",
        type=click.IntRange(1, 512),
        default=None,
        help="Pages read at once on this machine.  [default: its cores]",
    )(command)


def accept_at_option(command: _Command) -> _Command:
    """Add the option that says how right the letters that are not flagged are to be."""
    return click.option(
        "--accept-at",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        metavar="RATE",
        help="Flag letters so that the others are expected to be right at this rate, as 0.995; see "
        f"docs/flagging.md.  [default: those below a confidence of {_DEFAULTS.flag_below}]",
    )(command)


def root_options(command: _Command) -> _Command:
    """Add the options that say what workers elsewhere see."""
    for option, variable, what in (
        ("--results", "LETTERMILL_RESULTS", "The workers' result root, if DIR lies below it."),
        ("--scans", "LETTERMILL_SCANS", "The workers' scan root, if FOLDER lies below it."),
    ):
        command = click.option(
            option, envvar=variable, type=PLACE, metavar="DIR", help=f"{what}  [env: {variable}]"
        )(command)
    return command


def reading_options(command: _Command) -> _Command:
    """Add the options that say how pages are read."""
    limits = _DEFAULTS.limits
    for option in (
        click.option(
            "--alphabet",
            type=click.Choice(["letters", "digits", "alnum"]),
            default=_DEFAULTS.alphabet,
            show_default=True,
            help="What may stand on the pages: A–Z, 0–9, or both.",
        ),
        click.option(
            "--layout",
            type=click.Choice(["auto", "page", "line"]),
            default=_DEFAULTS.layout,
            show_default=True,
            help="Whether an image is one line, a page of lines, or to be judged.",
        ),
        click.option(
            "--printed",
            type=click.Choice(["drop", "keep"]),
            default=_DEFAULTS.printed,
            show_default=True,
            help="Whether printed captions are left out or read like hand-print.",
        ),
        click.option(
            "--dpi",
            type=click.IntRange(50, 1200),
            default=_DEFAULTS.dpi,
            show_default=True,
            help="Resolution at which PDF pages are rendered.",
        ),
        click.option(
            "--model",
            "model_folder",
            type=FOLDER,
            metavar="DIR",
            help="A model of your own, as `lettermill train` wrote it.",
        ),
        click.option(
            "--lexicon",
            type=FOLDER,
            metavar="FILE",
            help="Words that may stand on the pages, one a line: lines.csv reports what they make of a line.",
        ),
        click.option(
            "--template",
            type=FOLDER,
            metavar="FILE.toml",
            help="The form that every page is: its fields are read into fields.csv.",
        ),
        click.option(
            "--max-megapixels",
            type=click.FloatRange(min=0, min_open=True, max=MOST_MEGAPIXELS),
            default=limits.max_megapixels,
            show_default=True,
            help="Larger pages are refused.",
        ),
        click.option(
            "--max-megabytes",
            type=click.FloatRange(min=0, min_open=True, max=MOST_MEGABYTES),
            default=limits.max_megabytes,
            show_default=True,
            help="Larger files are refused.",
        ),
        click.option(
            "--max-pages",
            type=click.IntRange(min=1),
            default=limits.max_pages,
            show_default=True,
            help="Files of more pages are refused.",
        ),
        click.option(
            "--page-seconds",
            type=click.IntRange(1, MAX_PAGE_SECONDS),
            default=int(limits.page_seconds),
            show_default=True,
            help="A page that takes longer is given up.",
        ),
    )[::-1]:
        command = option(command)
    return command


def failure_options(default: str) -> Callable[[_Command], _Command]:
    """Add the options that say when failures stop a job; `allowed_failures` takes their values.

    Args:
        default: what holds where neither is given, for the help.
    """

    def add(command: _Command) -> _Command:
        for option in (
            click.option(
                "--on-error",
                type=click.Choice(["continue", "stop"]),
                help=f"Whether the job goes on when a page fails.  [default: {default}]",
            ),
            click.option(
                "--max-failures",
                type=click.IntRange(min=0),
                metavar="N",
                help="Stop the job when more than N pages have failed.",
            ),
        )[::-1]:
            command = option(command)
        return command

    return add


def allowed_failures(on_error: str | None, max_failures: int | None, otherwise: int | None) -> int | None:
    """Return how many pages may fail before a job is stopped; None for any number.

    Args:
        on_error: the value of --on-error.
        max_failures: the value of --max-failures.
        otherwise: what holds where neither is given.

    Raises:
        UsageProblem: the two contradict each other.
    """
    if on_error is None:
        return otherwise if max_failures is None else max_failures
    allowed = 0 if on_error == "stop" else None
    if max_failures is not None and max_failures != allowed:
        raise UsageProblem(
            f"--on-error {on_error} and --max-failures {max_failures} contradict each other",
            "Give one of them: --max-failures N goes on until more than N pages have failed.",
        )
    return allowed


def _take_command(
    context: click.Context, parameter: click.Parameter, command: str | None
) -> tuple[str, ...] | None:
    if command is None:
        return None
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise UsageProblem(
            f"cannot understand --then {command!r}: {error}", "Quote it as a shell would."
        ) from error
    # A program that is not there would be noticed when the job is done, after hours.
    if not words or shutil.which(words[0]) is None:
        raise UsageProblem(
            f"--then names no program that can be run: {command!r}",
            "Give a program's path or name first. No shell is between: for pipes and $NAMES write a script.",
        )
    return words


def then_option(when: str) -> Callable[[_Command], _Command]:
    """Add the option for a command at the end; its value is the command's words, for `run_then`.

    Args:
        when: when the command is run, for the help.
    """
    return click.option(
        "--then",
        metavar="COMMAND",
        callback=_take_command,
        help=f"Run this {when}, with the job folder as its last word.",
    )
