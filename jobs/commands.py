"""The commands of the front door: run, submit, jobs, status, wait, collect, resume, score."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from jobs.errors import LettermillError, UsageProblem
from jobs.files import shown
from jobs.job import Job, Roots, Submission, find_job_folders
from jobs.job import submit as make_job
from jobs.machine import usable_cores
from jobs.models import installed_model_folder, load_model
from jobs.settings import MAX_PAGE_SECONDS, Alphabet, Layout, Limits, Printed, Settings
from jobs.word_list import read_word_list

_Command = TypeVar("_Command", bound=Callable[..., Any])

_FOLDER = click.Path(path_type=Path)
_JOB = click.argument("path", metavar="JOB", type=click.Path(path_type=Path))
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")
_OUT = click.option(
    "--out", required=True, type=_FOLDER, metavar="DIR", help="The folder that holds the job folders."
)
_DEFAULTS = Settings()


def _broker_option(required: bool) -> Callable[[_Command], _Command]:
    text = "Use the Redis at this address, as redis://HOST:6379/0."
    if not required:
        text += " Without it a private server is started."
    return click.option(
        "--broker",
        envvar="LETTERMILL_BROKER",
        required=required,
        metavar="URL",
        help=f"{text}  [env: LETTERMILL_BROKER]",
    )


def _workers_option(command: _Command) -> _Command:
    return click.option(
        "--workers",
        type=click.IntRange(1, 512),
        default=None,
        help="Pages read at once on this machine.  [default: its cores]",
    )(command)


def _root_options(command: _Command) -> _Command:
    for option, variable, what in (
        ("--results", "LETTERMILL_RESULTS", "The workers' result root, if DIR lies below it."),
        ("--scans", "LETTERMILL_SCANS", "The workers' scan root, if FOLDER lies below it."),
    ):
        command = click.option(
            option, envvar=variable, type=_FOLDER, metavar="DIR", help=f"{what}  [env: {variable}]"
        )(command)
    return command


def _reading_options(command: _Command) -> _Command:
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
            type=_FOLDER,
            metavar="DIR",
            help="A model of your own, as `lettermill train` wrote it.",
        ),
        click.option(
            "--lexicon",
            type=_FOLDER,
            metavar="FILE",
            help="Words that may stand on the pages, one a line: lines.csv reports what they make of a line.",
        ),
        click.option(
            "--max-megapixels",
            type=click.FloatRange(min=0, min_open=True),
            default=limits.max_megapixels,
            show_default=True,
            help="Larger pages are refused.",
        ),
        click.option(
            "--max-megabytes",
            type=click.FloatRange(min=0, min_open=True),
            default=limits.max_megabytes,
            show_default=True,
            help="Larger files are refused.",
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


@click.command()
@click.argument("folder", type=_FOLDER)
@_OUT
@_workers_option
@_broker_option(required=False)
@_root_options
@_reading_options
@click.option(
    "--debug",
    type=_FOLDER,
    metavar="DIR",
    help="Draw what each stage saw of a page, a PNG a page. Pages without a drawing are read again.",
)
@_JSON
def run(
    folder: Path,
    out: Path,
    workers: int | None,
    broker: str | None,
    scans: Path | None,
    results: Path | None,
    debug: Path | None,
    as_json: bool,
    **reading: Any,
) -> int:
    """Read a folder of scans on this machine, with one command.

    Everything below FOLDER that is a PNG, JPEG, WebP, BMP, TIFF or PDF file is read. The results are in a
    job folder below DIR: letters.csv, lines.csv, pages.csv, text/, and summary.html to begin with. The same
    command again reads only what is missing or changed.
    """
    from jobs.dispatch import follow, queue_pages, read_here

    if debug:
        _check_can_draw(debug, folder, broker)
    submission, roots = _submit(folder, out, scans, results, reading, shared=broker is not None)
    if debug:
        with submission.job.lock():
            again = submission.job.forget_undrawn(debug)
        submission = dataclasses.replace(submission, to_read=submission.to_read + again)
    _announce(submission)
    if submission.to_read and broker:
        queue_pages(submission.job, roots, broker)
        follow(submission.job)
    elif submission.to_read:
        if debug:
            click.echo(f"drawings: {shown(debug)}", err=True)
        read_here(submission.job, roots, workers or usable_cores(), debug and debug.resolve())
    return _collect(submission.job, as_json)


@click.command()
@click.argument("folder", type=_FOLDER)
@_OUT
@_broker_option(required=True)
@_root_options
@click.option("--token", default="", help="A name of your own: the same token is the same job.")
@_reading_options
@_JSON
def submit(
    folder: Path,
    out: Path,
    broker: str,
    scans: Path | None,
    results: Path | None,
    token: str,
    as_json: bool,
    **reading: Any,
) -> None:
    """Queue a folder of scans for workers elsewhere.

    Prints the job folder, which the other commands take as JOB. Workers see FOLDER and DIR below roots of
    their own (`lettermill worker --scans --results`); where those are other folders than FOLDER and DIR, say
    which with --scans and --results.
    """
    from jobs.dispatch import queue_pages
    from jobs.queue import check_broker

    check_broker(broker)
    submission, roots = _submit(folder, out, scans, results, reading, token, shared=True)
    _announce(submission)
    if submission.to_read:
        queue_pages(submission.job, roots, broker)
    if as_json:
        _print_json(
            {
                "job": str(submission.job.path),
                "pages": submission.pages,
                "to_read": submission.to_read,
                "other_files": submission.other_files,
            }
        )
    else:
        click.echo(shown(submission.job.path))


@click.command("jobs")
@_OUT
@_JSON
def list_jobs(out: Path, as_json: bool) -> None:
    """List the jobs below a result folder."""
    rows: list[dict[str, Any]] = []
    for path in find_job_folders(out):
        try:
            job = Job.open(path)
            tally = job.tally()
        except LettermillError as error:
            rows.append(
                {"job": shown(path), "created": "", "pages": None, "finished": None, "error": error.what}
            )
            continue
        rows.append(
            {
                "job": shown(path),
                "created": job.created,
                "pages": tally.pages,
                "finished": tally.finished,
                "error": "",
            }
        )
    rows.sort(key=lambda row: (row["created"], row["job"]))
    if as_json:
        _print_json(rows)
        return
    if not rows:
        click.echo(f"no jobs below {shown(out)}")
    for row in rows:
        count = row["error"] or f"{row['finished']} of {row['pages']} pages"
        click.echo(f"{row['created']:<25}  {count:<22}  {row['job']}")


@click.command()
@_JOB
@_JSON
def status(path: Path, as_json: bool) -> None:
    """Say how far a job is."""
    from jobs.follow import Watched

    job = Job.open(path)
    watched = Watched(job)
    tally = watched.look()
    if as_json:
        _print_json(
            {
                "job": str(job.path),
                "created": job.created,
                "pages": tally.pages,
                "finished": tally.finished,
                "failed": watched.failed,
                "complete": tally.complete,
            }
        )
        return
    click.echo(f"{tally.finished} of {tally.pages} pages done, {watched.failed} failed")
    if not tally.complete:
        click.echo(f"If no worker is at it, go on with: lettermill resume '{shown(job.path)}'", err=True)


@click.command()
@_JOB
@click.option("--timeout", type=click.FloatRange(min=0), help="Give up waiting after so many seconds.")
def wait(path: Path, timeout: float | None) -> int:
    """Wait until a job is done."""
    from jobs.dispatch import follow

    return 1 if follow(Job.open(path), timeout) else 0


@click.command()
@_JOB
@_JSON
def collect(path: Path, as_json: bool) -> int:
    """Write a job's CSV files and report, done or not."""
    return _collect(Job.open(path), as_json)


@click.command()
@_JOB
@click.option("--failed", is_flag=True, help="Read pages that failed again, too.")
@_workers_option
@_broker_option(required=False)
@_root_options
@_JSON
def resume(
    path: Path,
    failed: bool,
    workers: int | None,
    broker: str | None,
    scans: Path | None,
    results: Path | None,
    as_json: bool,
) -> int | None:
    """Go on with a job that was stopped.

    Its pages are read on this machine, or, with --broker, queued for workers elsewhere.
    """
    from jobs.dispatch import local_roots, queue_pages, read_here

    job = Job.open(path)
    own = local_roots(job)
    roots = Roots(scans or own.scans, results or own.results)
    with job.lock():
        job = job.placed(roots, shared=broker is not None)
        forgotten = job.forget_results(failures=failed)
    if forgotten:
        click.echo(f"{forgotten} pages will be read again", err=True)
    if broker:
        queue_pages(job, roots, broker)
        return None
    if not job.tally().complete:
        if not Path(job.scan_root).is_dir():
            raise UsageProblem(
                f"the scans of this job were in {shown(job.scan_root)}, which is not there",
                "Put the folder back, or go on with --broker where the workers see it.",
            )
        read_here(job, roots, workers or usable_cores())
    return _collect(job, as_json)


@click.command()
@_JOB
@click.option(
    "--truth",
    required=True,
    type=_FOLDER,
    metavar="FILE.csv",
    help="What stands on the scans: columns file (path below the scan folder) and label.",
)
@_JSON
def score(path: Path, truth: Path, as_json: bool) -> None:
    """Compare a job's results with the truth.

    Prints the character error rate (CER), the share of files read exactly, what went wrong (errors of
    segmentation apart from those of classification), the commonest mistakes and the worst files.
    """
    from jobs.printed import score_text
    from jobs.score import score as compare

    result = compare(Job.open(path), truth)
    if as_json:
        _print_json(result.to_json())
    else:
        click.echo(score_text(result))


def _check_can_draw(debug: Path, folder: Path, broker: str | None) -> None:
    if broker:
        raise UsageProblem(
            "--debug draws what this machine reads, and with --broker others may read it",
            "Start those with `lettermill worker --debug DIR`, or leave --broker out.",
        )
    if debug.resolve().is_relative_to(folder.resolve()):
        raise UsageProblem(
            f"the folder for drawings {shown(debug)} lies in the scan folder {shown(folder)}",
            "Give --debug a folder beside it: drawings would be taken for scans.",
        )


def _submit(
    folder: Path,
    out: Path,
    scans: Path | None,
    results: Path | None,
    reading: dict[str, Any],
    token: str = "",
    *,
    shared: bool,
) -> tuple[Submission, Roots]:
    settings = Settings(
        alphabet=cast(Alphabet, reading["alphabet"]),
        layout=cast(Layout, reading["layout"]),
        printed=cast(Printed, reading["printed"]),
        dpi=reading["dpi"],
        limits=Limits(reading["max_megapixels"], reading["max_megabytes"], reading["page_seconds"]),
    )
    model = load_model(reading["model_folder"] or installed_model_folder())
    lexicon = read_word_list(reading["lexicon"], settings.characters) if reading["lexicon"] else None
    roots = Roots(scans or folder, results or out)
    return make_job(folder, out, settings, model, roots, token, shared, lexicon), roots


def _announce(submission: Submission) -> None:
    done = submission.pages - submission.to_read
    words = f"{submission.pages} pages"
    if submission.other_files:
        words += f" ({submission.other_files} files that are no scans are left out)"
    if done:
        words += f", {done} of them read before"
    click.echo(f"{words}: {shown(submission.job.path)}", err=True)


def _collect(job: Job, as_json: bool) -> int:
    """Collect a job, print what came out, and return the exit status."""
    from jobs.collect import collect as write_results
    from jobs.printed import summary_text

    summary = write_results(job)
    if as_json:
        _print_json(summary.to_json())
    else:
        click.echo(summary_text(summary))
    return 1 if summary.failed else 0


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=1))
