"""Options that several commands share, and their groups in `--help`."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.queue.address import take_password
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.settings import Settings
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.locate import locate
from lettermill.jobs.storage.place import Place

CommandFunction = TypeVar("CommandFunction", bound=Callable[..., Any])

OPTION_GROUPS = {
    "What is on the pages": ("alphabet", "layout", "printed", "template", "lexicon", "context"),
    "Results": ("out", "name", "token", "accept_at", "accept_fields_at", "then", "as_json"),
    "The watched folder": ("settle", "done", "failed"),
    "Failures": ("failed_too", "on_error", "max_failures"),
    "Limits": ("max_megapixels", "max_megabytes", "max_pages", "page_seconds"),
    "This machine and other machines": ("workers", "here", "broker", "scans", "results"),
    "Advanced": ("model_folder", "dpi", "debug"),
}
"""The headings of `--help` in the commands with many options, each with its options by parameter name."""


class GroupedCommand(click.Command):
    """A command whose help lists its options below the headings of `OPTION_GROUPS`."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section per heading; options without a heading come last."""
        options = (one for one in self.get_params(ctx) if isinstance(one, click.Option))
        records = {option.name: option.get_help_record(ctx) for option in options}
        for heading, names in OPTION_GROUPS.items():
            rows = [row for name in names if (row := records.pop(name, None))]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)
        rows = [row for row in records.values() if row]
        with formatter.section("Help"):
            formatter.write_dl(rows)


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
            UsageProblem: the address of an object store is malformed.
            MissingExtra: boto3 is not installed.
            StoreUnreachable: the store does not answer.
        """
        if isinstance(value, str) and _ADDRESS.match(value) and not value.startswith("s3://"):
            self.fail(f"{value!r} is not an address of an object store: write s3://BUCKET/PREFIX", param, ctx)
        if isinstance(value, str) and value.startswith("s3://"):
            found = locate(value)
            if self._exists:
                found.is_folder()  # There are no folders; what counts is the answer.
            return found
        if isinstance(value, str | Path):
            return locate(self._disk.convert(value, param, ctx))
        return cast(Place, value)


_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.]*:/|s3//")
"""How an address begins, right or mistyped; hardly any folder begins so."""

_RESULTS_VARIABLE = "LETTERMILL_RESULTS"
_USUAL_OUT = "results"


class JobType(PlaceType):
    """A job folder, as `find_job` finds it; in an object store, of names `latest` alone is looked up."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        """Return the job folder; print it where it is not the path that was given.

        Raises:
            NotAJob: there is no such job, or more than one.
            UsageProblem, MissingExtra, StoreUnreachable: as `PlaceType.convert`.
        """
        from lettermill.jobs.job.latest import LATEST
        from lettermill.jobs.job.search import find_job

        meant = super().convert(value, param, ctx)
        if not isinstance(meant, Disk) and meant.name != LATEST:
            return meant
        found = find_job(meant, locate(os.environ.get(_RESULTS_VARIABLE) or _USUAL_OUT))
        if found != meant:
            click.echo(f"job: {display_path(found)}", err=True)
        return found


FOLDER = click.Path(path_type=Path)
PLACE = PlaceType()
JOB = click.argument("path", metavar="JOB", type=JobType())
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")
OUT = click.option(
    "--out",
    type=PLACE,
    envvar=_RESULTS_VARIABLE,
    default=_USUAL_OUT,
    metavar="DIR",
    help=f"The folder that holds the job folders.  [env: {_RESULTS_VARIABLE}; default: {_USUAL_OUT}]",
)
SOURCES = click.argument("sources", nargs=-1, required=True, type=PLACE, metavar="FOLDER|FILE…")
NAME = click.option(
    "--name",
    default="",
    metavar="NAME",
    help="Call the job folder this.  [default: after scans and settings]",
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
        f"{option} takes a folder on disk, and {where} is not on a disk", "Give a folder of this machine."
    )


def broker_option(
    required: bool, without: str = "a private server is started."
) -> Callable[[CommandFunction], CommandFunction]:
    """Add the option that says where the queue is.

    Args:
        required: whether the command needs one.
        without: what holds where none is given.
    """
    text = "Use the Redis server at this address, for example redis://HOST:6379/0."
    if not required:
        text += f" Without it, {without}"
    return click.option(
        "--broker",
        envvar="LETTERMILL_BROKER",
        required=required,
        metavar="URL",
        callback=take_password,
        help=f"{text}  [env: LETTERMILL_BROKER]",
    )


def workers_option(command: CommandFunction) -> CommandFunction:
    """Add the option that says how many pages this machine reads at once."""
    return click.option(
        "--workers",
        type=click.IntRange(1, 512),
        default=None,
        help="How many pages this machine reads at once.  [default: its cores]",
    )(command)


class _Rate(click.FloatRange):
    """A rate between 0 and 1; a value in percent is refused with what to write instead."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        with contextlib.suppress(ValueError):
            if 1 < float(value) < 100:
                self.fail(
                    f"{value} is not between 0 and 1. For {value} %, write {float(value) / 100:g}.",
                    param,
                    ctx,
                )
        return super().convert(value, param, ctx)


def _take_rate(context: click.Context, parameter: click.Parameter, rate: float | None) -> Acceptance | None:
    """Put the value of both options into one parameter, whichever is given."""
    given: Acceptance | None = context.params.get("accept_at")
    if rate is None:
        return given
    if given is not None:
        raise UsageProblem(
            "--accept-at and --accept-fields-at contradict each other",
            "Give --accept-fields-at where whole fields are to be right, else --accept-at.",
        )
    context.params["accept_at"] = given = Acceptance(rate, by_field=parameter.name == "accept_fields_at")
    return given


def accept_at_options(command: CommandFunction) -> CommandFunction:
    """Add the options for what nobody is to look at; `accept_at` becomes an `Acceptance`, or None."""
    for option, shown, what in (
        (
            "--accept-fields-at",
            False,
            "Accept as many fields (--template, --layout line) as possible with all letters right at this "
            "rate, and flag a letter at least of each other field.",
        ),
        (
            "--accept-at",
            True,
            "Flag as many letters as needed for the others to be right at this rate, for example 0.995; see "
            f"docs/flagging.md.  [default: flag letters with a confidence below {_DEFAULTS.flag_below}]",
        ),
    ):
        command = click.option(
            option,
            type=_Rate(0, 1, min_open=True, max_open=True),
            metavar="RATE",
            callback=_take_rate,
            expose_value=shown,
            help=what,
        )(command)
    return command


def root_options(command: CommandFunction) -> CommandFunction:
    """Add the options for the roots below which workers find scans and results."""
    for option, variable, what in (
        ("--results", _RESULTS_VARIABLE, "The result root of the workers, if DIR is a folder below it."),
        ("--scans", "LETTERMILL_SCANS", "The scan root of the workers, if FOLDER is a folder below it."),
    ):
        command = click.option(
            option, envvar=variable, type=PLACE, metavar="DIR", help=f"{what}  [env: {variable}]"
        )(command)
    return command


def failure_options(default: str) -> Callable[[CommandFunction], CommandFunction]:
    """Add the options for when failures stop a job; `allowed_failures` takes their values.

    Args:
        default: what holds where neither is given, for the help.
    """

    def add(command: CommandFunction) -> CommandFunction:
        for option in (
            click.option(
                "--on-error",
                type=click.Choice(["continue", "stop"]),
                help=f"Continue or stop the job when a page fails.  [default: {default}]",
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
            "Give one of them: --max-failures N continues until more than N pages have failed.",
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
    # A missing program would otherwise be noticed only when the job is done, after hours.
    if not words or shutil.which(words[0]) is None:
        raise UsageProblem(
            f"--then must begin with a program that can be run, and this does not: {command!r}",
            "Give a program's path or name first. No shell runs it: for pipes and $NAMES write a script.",
        )
    return words


def then_option(when: str) -> Callable[[CommandFunction], CommandFunction]:
    """Add the option for a command to run at the end; its value is the command's words, for `run_then`.

    Args:
        when: when the command is run, for the help.
    """
    return click.option(
        "--then",
        metavar="COMMAND",
        callback=_take_command,
        help=f"Run this command {when}, with the job folder as its last argument.",
    )
