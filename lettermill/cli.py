"""`lettermill`: the command line.

Commands are named here with one line each and loaded only when they are used, so that `--help` is quick
and no command loads what it does not need (TensorFlow, above all). A test compares the lines with the
commands' own.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Sequence
from typing import NamedTuple

import click

from lettermill.jobs.errors import LettermillError, Unforeseen

INTERRUPTED = 130


class _Place(NamedTuple):
    module: str
    attribute: str
    help: str


COMMANDS = {
    "run": _Place(
        "lettermill.jobs.commands.front_door",
        "run",
        "Read a folder of scans on this machine, with one command.",
    ),
    "submit": _Place(
        "lettermill.jobs.commands.front_door", "submit", "Queue a folder of scans for workers elsewhere."
    ),
    "watch": _Place(
        "lettermill.jobs.commands.front_door", "watch", "Read what is put into a folder, until stopped."
    ),
    "jobs": _Place(
        "lettermill.jobs.commands.front_door",
        "list_jobs",
        "List the jobs below a result folder, and delete old ones.",
    ),
    "status": _Place("lettermill.jobs.commands.front_door", "status", "Say how far a job is."),
    "wait": _Place("lettermill.jobs.commands.front_door", "wait", "Wait until a job is done."),
    "collect": _Place(
        "lettermill.jobs.commands.front_door", "collect", "Write a job's CSV files and report, done or not."
    ),
    "resume": _Place("lettermill.jobs.commands.front_door", "resume", "Go on with a job that was stopped."),
    "cancel": _Place(
        "lettermill.jobs.commands.front_door", "cancel", "Stop a job; `resume` takes it up again."
    ),
    "review": _Place(
        "lettermill.jobs.commands.review",
        "review",
        "Look at doubtful letters in a browser, and correct them.",
    ),
    "score": _Place(
        "lettermill.jobs.commands.front_door", "score", "Compare a job's results with the truth."
    ),
    "export": _Place("lettermill.jobs.commands.export", "export", "Write a job's results in another format."),
    "template": _Place(
        "lettermill.worker.commands.template", "template", "Make templates of forms, for --template."
    ),
    "worker": _Place(
        "lettermill.worker.commands.worker", "worker", "Read pages from the queue until stopped."
    ),
    "doctor": _Place(
        "lettermill.worker.commands.doctor", "doctor", "Check an installation, and print what to fix."
    ),
    "health": _Place(
        "lettermill.worker.commands.health", "health", "Print whether a worker on this machine is well."
    ),
    "predict": _Place("lettermill.worker.commands.predict", "predict", "Read images of single characters."),
    "train": _Place(
        "lettermill.training.commands.train",
        "train",
        "Train the CNN on labelled letters and write it as a model for `--model`.",
    ),
    "evaluate": _Place(
        "lettermill.training.commands.evaluate",
        "evaluate",
        "Measure a model on labelled letters: accuracy, loss and calibration for each source.",
    ),
}


class _LazyGroup(click.Group):
    """A group that loads a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        place = COMMANDS[name]
        command: click.Command = getattr(importlib.import_module(place.module), place.attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.help) for name, place in COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lettermill")
def lettermill() -> None:
    """Read hand-printed letters: a folder of scans in, CSV out.

    Begin with: lettermill run FOLDER --out DIR
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit status.

    Args:
        arguments: the words after `lettermill`; None for those of the process.
    """
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
        sys.exit(INTERRUPTED)
    except Exception as error:
        traceback.print_exc()
        unforeseen = Unforeseen(
            f"Lettermill itself failed: {type(error).__name__}: {error}",
            "Please report it with the lines above. Results on disk are whole; the same command goes on.",
        )
        click.echo(f"Error: {unforeseen}", err=True)
        sys.exit(unforeseen.exit_status)


if __name__ == "__main__":
    main()
