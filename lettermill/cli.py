"""Run the command line `lettermill`.

Each command is named here with one line of help and is imported only when it is used: `--help` stays quick,
and no command loads what it does not need (above all TensorFlow). The imports are real ones inside functions,
so that import-linter sees them. A test compares the lines of help with the commands' own.
"""

from __future__ import annotations

import shlex
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import click
from click.exceptions import NoSuchCommand

from lettermill.jobs.errors import ExitStatus, LettermillError, Unforeseen, UsageProblem
from lettermill.jobs.standard_streams import set_up_streams
from lettermill.jobs.storage.display import display_path


class Command(NamedTuple):
    """A command in the overview.

    Attributes:
        load: imports and returns the command.
        help: its line in the overview.
    """

    load: Callable[[], click.Command]
    help: str


def _run() -> click.Command:
    from lettermill.jobs.commands.run import run

    return run


def _submit() -> click.Command:
    from lettermill.jobs.commands.submit import submit

    return submit


def _watch() -> click.Command:
    from lettermill.jobs.commands.watch import watch

    return watch


def _jobs() -> click.Command:
    from lettermill.jobs.commands.list_jobs import list_jobs

    return list_jobs


def _status() -> click.Command:
    from lettermill.jobs.commands.status import status

    return status


def _wait() -> click.Command:
    from lettermill.jobs.commands.wait import wait

    return wait


def _collect() -> click.Command:
    from lettermill.jobs.commands.collect import collect

    return collect


def _resume() -> click.Command:
    from lettermill.jobs.commands.resume import resume

    return resume


def _cancel() -> click.Command:
    from lettermill.jobs.commands.cancel import cancel

    return cancel


def _review() -> click.Command:
    from lettermill.jobs.commands.review import review

    return review


def _web() -> click.Command:
    from lettermill.jobs.commands.web import web

    return web


def _score() -> click.Command:
    from lettermill.jobs.commands.score import score

    return score


def _export() -> click.Command:
    from lettermill.jobs.commands.export import export

    return export


def _template() -> click.Command:
    from lettermill.worker.commands.template import template

    return template


def _context() -> click.Command:
    from lettermill.jobs.commands.context import context

    return context


def _worker() -> click.Command:
    from lettermill.worker.commands.worker import worker

    return worker


def _workers() -> click.Command:
    from lettermill.jobs.commands.list_workers import list_workers

    return list_workers


def _doctor() -> click.Command:
    from lettermill.worker.commands.doctor import doctor

    return doctor


def _health() -> click.Command:
    from lettermill.worker.commands.health import health

    return health


def _predict() -> click.Command:
    from lettermill.worker.commands.predict import predict

    return predict


def _train() -> click.Command:
    from lettermill.training.commands.train import train

    return train


def _evaluate() -> click.Command:
    from lettermill.training.commands.evaluate import evaluate

    return evaluate


COMMANDS = {
    "web": Command(
        _web,
        "Upload or choose scans, have them read, review them and download the tables, all in a browser.",
    ),
    "run": Command(_run, "Read a folder of scans, or some files, on this machine."),
    "submit": Command(_submit, "Queue a folder of scans, or some files, for workers on other machines."),
    "watch": Command(_watch, "Read scans as they are put into a folder, until stopped."),
    "jobs": Command(_jobs, "List the jobs below a result folder, and delete old ones."),
    "status": Command(_status, "Show how far a job is, and who reads it."),
    "wait": Command(_wait, "Wait until a job is done."),
    "collect": Command(_collect, "Write a job's CSV files and report, whether or not it is finished."),
    "resume": Command(_resume, "Continue a job that was stopped."),
    "cancel": Command(_cancel, "Stop a job; `resume` continues it."),
    "review": Command(_review, "Check doubtful letters and fields of forms in a browser, and correct them."),
    "score": Command(_score, "Compare a job's results with the truth."),
    "export": Command(_export, "Write a job's results in another format."),
    "template": Command(_template, "Make templates of forms, for --template."),
    "context": Command(_context, "Make packs of words or names, for --context."),
    "worker": Command(_worker, "Read pages from the queue until stopped."),
    "workers": Command(_workers, "List the workers that are alive."),
    "doctor": Command(_doctor, "Check an installation, and print what to fix."),
    "health": Command(_health, "Print whether a worker on this machine is well."),
    "predict": Command(_predict, "Read images of single characters."),
    "train": Command(
        _train, "Train a model for `--model`, or train one further on letters and fields of your own."
    ),
    "evaluate": Command(
        _evaluate, "Measure a model on labelled letters: accuracy, loss and calibration for each source."
    ),
}


class _LazyGroup(click.Group):
    """A group that imports a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        return COMMANDS[name].load() if name in COMMANDS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except NoSuchCommand as error:  # Click suggests only commands that are loaded.
            if Path(args[0]).exists():
                raise UsageProblem(
                    f"{display_path(args[0])} is no command, but there is such a file or folder",
                    f"To read it: lettermill run {shlex.quote(args[0])}",
                ) from None
            raise NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.help) for name, command in COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lettermill")
def lettermill() -> None:
    """Read hand-printed letters: a folder of scans in, CSV out.

    \b
    Example:
      lettermill run scans
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit status.

    Args:
        arguments: the words after `lettermill`; None for those of the process.
    """
    set_up_streams()
    try:
        status = lettermill.main(args=arguments, prog_name="lettermill", standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except LettermillError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_status)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Stopped.", err=True)
        sys.exit(ExitStatus.INTERRUPTED)
    except Exception as error:
        traceback.print_exc()
        unforeseen = Unforeseen(
            f"Lettermill itself failed: {type(error).__name__}: {error}",
            "Please report it with the lines above. No file is half-written; the same command continues.",
        )
        click.echo(f"Error: {unforeseen}", err=True)
        sys.exit(unforeseen.exit_status)


if __name__ == "__main__":
    main()
