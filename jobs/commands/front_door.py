"""The commands of the front door: run, submit, watch, jobs, status, wait, collect, resume, cancel, score."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, cast

import click
from click.core import ParameterSource

from lettermill.jobs.commands.options import (
    FOLDER,
    JOB,
    JSON,
    OUT,
    PLACE,
    accept_at_option,
    allowed_failures,
    broker_option,
    failure_options,
    on_disk,
    reading_options,
    root_options,
    then_option,
    workers_option,
)
from lettermill.jobs.errors import LettermillError, UsageProblem
from lettermill.jobs.inputs.form_template import read_template
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.recipe import ReadingRecipe
from lettermill.jobs.inputs.word_list import read_word_list
from lettermill.jobs.job.folder import Job, find_job_folders
from lettermill.jobs.job.make import Submission, make_job
from lettermill.jobs.job.roots import Roots
from lettermill.jobs.machine import usable_cores
from lettermill.jobs.running.hook import run_then
from lettermill.jobs.settings import Alphabet, Layout, Limits, Printed, Settings
from lettermill.jobs.storage.atomic import display_path
from lettermill.jobs.storage.disk import Disk, Place, place


@click.command()
@click.argument("folder", type=PLACE)
@OUT
@workers_option
@broker_option(required=False)
@root_options
@reading_options
@accept_at_option
@failure_options("continue")
@then_option("when the results are written")
@click.option(
    "--debug",
    type=FOLDER,
    metavar="DIR",
    help="Draw what each stage saw of a page, a PNG a page. Pages without a drawing are read again.",
)
@JSON
def run(
    folder: Place,
    out: Place,
    workers: int | None,
    broker: str | None,
    scans: Place | None,
    results: Place | None,
    accept_at: float | None,
    on_error: str | None,
    max_failures: int | None,
    then: tuple[str, ...] | None,
    debug: Path | None,
    as_json: bool,
    **reading: Any,
) -> int:
    """Read a folder of scans on this machine, with one command.

    Everything below FOLDER that is a PNG, JPEG, WebP, BMP, TIFF or PDF file is read. The results are in a
    job folder below DIR: letters.csv, lines.csv, pages.csv, text/, and summary.html to begin with. The same
    command again reads only what is missing or changed.
    """
    from lettermill.jobs.running.dispatch import follow, queue_pages, read_here
    from lettermill.jobs.running.signals import stoppable

    if debug:
        _check_can_draw(debug, folder, broker)
    allowed = allowed_failures(on_error, max_failures, None)
    submission, roots = _submit(
        folder, out, scans, results, reading, shared=broker is not None, max_failures=allowed
    )
    if debug:
        with submission.job.lock():
            again = submission.job.forget_undrawn(debug)
        submission = dataclasses.replace(submission, to_read=submission.to_read + again)
    _announce(submission)
    with stoppable():
        if submission.to_read and broker:
            queue_pages(submission.job, roots, broker)
            follow(submission.job)
        elif submission.to_read:
            if debug:
                click.echo(f"drawings: {display_path(debug)}", err=True)
            read_here(submission.job, roots, workers or usable_cores(), debug and debug.resolve())
    return _collect(submission.job, as_json, accept_at, then)


@click.command()
@click.argument("folder", type=PLACE)
@OUT
@broker_option(required=True)
@root_options
@click.option("--token", default="", help="A name of your own: the same token is the same job.")
@reading_options
@failure_options("continue")
@JSON
def submit(
    folder: Place,
    out: Place,
    broker: str,
    scans: Place | None,
    results: Place | None,
    token: str,
    on_error: str | None,
    max_failures: int | None,
    as_json: bool,
    **reading: Any,
) -> None:
    """Queue a folder of scans for workers elsewhere.

    Prints the job folder, which the other commands take as JOB. Workers see FOLDER and DIR below roots of
    their own (`lettermill worker --scans --results`); where those are other folders than FOLDER and DIR, say
    which with --scans and --results.
    """
    from lettermill.jobs.queue.celery_app import check_broker
    from lettermill.jobs.running.dispatch import queue_pages

    allowed = allowed_failures(on_error, max_failures, None)
    check_broker(broker)
    submission, roots = _submit(
        folder, out, scans, results, reading, token, shared=True, max_failures=allowed
    )
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
        click.echo(display_path(submission.job.path))


@click.command()
@click.argument("folder", type=PLACE)
@OUT
@click.option(
    "--settle",
    type=click.FloatRange(min=0),
    default=5,
    show_default=True,
    metavar="SECONDS",
    help="Take a scan when it has not changed for so long.",
)
@click.option(
    "--done", type=FOLDER, metavar="DIR", help="Move scans that were read there.  [default: leave them]"
)
@click.option(
    "--failed",
    type=FOLDER,
    metavar="DIR",
    help="Move scans that were not read there.  [default: failed/ below --out]",
)
@workers_option
@broker_option(required=False)
@root_options
@reading_options
@accept_at_option
@then_option("after each batch")
def watch(
    folder: Place,
    out: Place,
    settle: float,
    done: Path | None,
    failed: Path | None,
    workers: int | None,
    broker: str | None,
    scans: Place | None,
    results: Place | None,
    accept_at: float | None,
    then: tuple[str, ...] | None,
    **reading: Any,
) -> None:
    """Read what is put into a folder, until stopped.

    A scan is taken when it has settled, and never twice; a changed one is a new scan. What settles together
    is a job below --out. A scan that cannot be read is moved, and NAME.txt beside it says why and what to do.
    """
    from lettermill.jobs.queue.celery_app import check_broker
    from lettermill.jobs.running.dispatch import follow, queue_pages, read_here
    from lettermill.jobs.running.signals import stoppable
    from lettermill.jobs.watching.loop import Plan, keep_watching

    folder, out = on_disk(folder, "FOLDER").resolve(), on_disk(out, "--out").resolve()
    roots = Roots(scans or folder, results or out)
    if broker:
        check_broker(broker)

    def read(job: Job) -> None:
        if broker:
            queue_pages(job, roots, broker)
            follow(job)
        else:
            read_here(job, roots, workers or usable_cores())

    plan = Plan(
        folder=folder,
        out=out,
        done=done and done.resolve(),
        failed=failed.resolve() if failed else out / "failed",
        settle_seconds=settle,
        recipe=_recipe(reading),
        roots=roots,
        shared=broker is not None,
        read=read,
        accept_at=accept_at,
        then=then,
    )
    with stoppable():
        keep_watching(plan)


@click.command("jobs")
@OUT
@click.option(
    "--prune",
    "days",
    type=click.IntRange(min=0),
    metavar="DAYS",
    help="Delete jobs that are complete or stopped and in which nothing was written for so many days.",
)
@click.option("--yes", is_flag=True, help="Delete without asking.")
@JSON
def list_jobs(out: Place, days: int | None, yes: bool, as_json: bool) -> None:
    """List the jobs below a result folder, and delete old ones.

    With --prune only the jobs that are to be deleted are listed, and deleted after a question. A job that
    another command works on is left alone, and so is everything that is no job.
    """
    from lettermill.jobs.job.prune import finish_pruning, old_jobs, prune

    if yes and days is None:
        raise UsageProblem("--yes deletes nothing by itself", "Give --prune DAYS with it.")
    old = [] if days is None else list(old_jobs(on_disk(out, "--prune"), days))
    paths = find_job_folders(out) if days is None else old
    rows = sorted((_row(path) for path in paths), key=lambda row: (row["created"], row["job"]))
    if as_json:
        _print_json(rows)
    else:
        for row in rows:
            failed = f", {row['failed']} failed" if row["failed"] else ""
            count = row["error"] or f"{row['finished']} of {row['pages']} pages{failed}"
            click.echo(f"{row['created']:<25}  {row['state']:<10}  {count:<28}  {row['job']}")
    if days is None:
        if not rows and not as_json:
            click.echo(f"no jobs below {display_path(out)}")
        return
    finish_pruning(on_disk(out, "--prune"))
    if not old:
        click.echo(f"no job below {display_path(out)} is complete or stopped and that old", err=True)
        return
    what = "1 job folder" if len(old) == 1 else f"{len(old)} job folders"
    if not yes and not click.confirm(f"Delete {what} with all results?", err=True):
        click.echo("Nothing is deleted.", err=True)
        return
    click.echo(f"deleted {prune(old, days)} of {what}", err=True)


def _row(path: Place) -> dict[str, Any]:
    """Return what the list says of a job folder."""
    row: dict[str, Any] = {"job": display_path(path), "created": "", "pages": None, "finished": None}
    try:
        job = Job.open(path)
        tally = job.tally()
    except LettermillError as error:
        return {**row, "failed": None, "state": "damaged", "error": error.what}
    row |= {"created": job.created, "pages": tally.pages, "finished": tally.finished}
    return {**row, "failed": tally.failed, "state": tally.state, "error": ""}


@click.command()
@JOB
@JSON
def status(path: Place, as_json: bool) -> None:
    """Say how far a job is."""
    job = Job.open(path)
    tally = job.tally()
    if as_json:
        _print_json(
            {
                "job": str(job.path),
                "created": job.created,
                "pages": tally.pages,
                "finished": tally.finished,
                "failed": tally.failed,
                "state": tally.state,
                "stopped": job.cancelled,
            }
        )
        return
    click.echo(f"{tally.finished} of {tally.pages} pages done, {tally.failed} failed")
    if tally.state == "stopped":
        _say_stopped(job)
    elif tally.state == "unfinished":
        click.echo(f"If no worker is at it, go on with: {_resume_command(job)}", err=True)


@click.command()
@JOB
@click.option("--timeout", type=click.FloatRange(min=0), help="Give up waiting after so many seconds.")
@then_option("when the job is done")
def wait(path: Place, timeout: float | None, then: tuple[str, ...] | None) -> int:
    """Wait until a job is done."""
    from lettermill.jobs.running.dispatch import follow

    job = Job.open(path)
    tally = follow(job, timeout)
    if tally.state == "stopped":
        _say_stopped(job)
    if then:
        run_then(then, job)
    return 1 if tally.failed or tally.state == "stopped" else 0


@click.command()
@JOB
@accept_at_option
@JSON
def collect(path: Place, accept_at: float | None, as_json: bool) -> int:
    """Write a job's CSV files and report, done or not."""
    return _collect(Job.open(path), as_json, accept_at)


@click.command()
@JOB
@click.option("--failed", is_flag=True, help="Read pages that failed again, too.")
@workers_option
@broker_option(required=False)
@root_options
@accept_at_option
@failure_options("as the job was made")
@then_option("when the results are written")
@JSON
def resume(
    path: Place,
    failed: bool,
    workers: int | None,
    broker: str | None,
    scans: Place | None,
    results: Place | None,
    accept_at: float | None,
    on_error: str | None,
    max_failures: int | None,
    then: tuple[str, ...] | None,
    as_json: bool,
) -> int | None:
    """Go on with a job that was stopped.

    Its pages are read on this machine, or, with --broker, queued for workers elsewhere.
    """
    from lettermill.jobs.running.dispatch import queue_pages, read_here
    from lettermill.jobs.running.signals import stoppable

    if broker and accept_at is not None:
        raise UsageProblem(
            "--broker queues the pages and returns: there are no results yet for --accept-at to flag",
            "Give --accept-at to `lettermill collect` afterwards.",
        )
    if broker and then:
        raise UsageProblem(
            "--broker queues the pages and returns: there is no end for --then to wait for",
            "Give --then to `lettermill wait` afterwards.",
        )
    job = Job.open(path)
    if failed or job.tally().state != "complete":
        job.model.check()  # Before pages are queued.
    own = job.local_roots
    roots = Roots(scans or own.scans, results or own.results)
    allowed = allowed_failures(on_error, max_failures, job.max_failures)
    with job.lock():
        job = dataclasses.replace(job, max_failures=allowed).placed(roots, shared=broker is not None)
        job.uncancel()
        forgotten = job.forget_results(failures=failed)
    if forgotten:
        click.echo(f"{forgotten} page{'s' * (forgotten != 1)} will be read again", err=True)
    if broker:
        queue_pages(job, roots, broker)
        return None
    if not job.tally().complete:
        if not place(job.scan_root).is_folder():
            raise UsageProblem(
                f"the scans of this job were in {display_path(job.scan_root)}, which is not there",
                "Put the folder back, or go on with --broker where the workers see it.",
            )
        with stoppable():
            read_here(job, roots, workers or usable_cores())
    return _collect(job, as_json, accept_at, then)


@click.command()
@JOB
def cancel(path: Place) -> None:
    """Stop a job; `resume` takes it up again.

    Pages that are read at this moment are finished and kept, no other is begun, wherever the workers are.
    """
    job = Job.open(path)
    tally = job.tally()
    click.echo(f"{tally.finished} of {tally.pages} pages done, {tally.failed} failed")
    if tally.state == "complete":
        click.echo("The job is complete: there is nothing to stop.", err=True)
        return
    job.cancel("cancelled with `lettermill cancel`")
    _say_stopped(job)


@click.command()
@JOB
@click.option(
    "--truth",
    required=True,
    type=FOLDER,
    metavar="FILE.csv",
    help="What stands on the scans: columns file (path below the scan folder) and label.",
)
@JSON
def score(path: Place, truth: Path, as_json: bool) -> None:
    """Compare a job's results with the truth.

    Prints the character error rate (CER), the share of files read exactly, what went wrong (errors of
    segmentation apart from those of classification), the commonest mistakes and the worst files.
    """
    from lettermill.jobs.commands.text import score_text
    from lettermill.jobs.results.compare import compare

    result = compare(Job.open(path), truth)
    if as_json:
        _print_json(result.to_json())
    else:
        click.echo(score_text(result))


def _check_can_draw(debug: Path, folder: Place, broker: str | None) -> None:
    if broker:
        raise UsageProblem(
            "--debug draws what this machine reads, and with --broker others may read it",
            "Start those with `lettermill worker --debug DIR`, or leave --broker out.",
        )
    if isinstance(folder, Disk) and debug.resolve().is_relative_to(folder.resolve()):
        raise UsageProblem(
            f"the folder for drawings {display_path(debug)} lies in the scan folder {display_path(folder)}",
            "Give --debug a folder beside it: drawings would be taken for scans.",
        )


def _submit(
    folder: Place,
    out: Place,
    scans: Place | None,
    results: Place | None,
    reading: dict[str, Any],
    token: str = "",
    *,
    shared: bool,
    max_failures: int | None,
) -> tuple[Submission, Roots]:
    recipe = _recipe(reading)
    roots = Roots(scans or folder, results or out)
    submission = make_job(
        folder, out, recipe, roots, client_token=token, shared=shared, max_failures=max_failures
    )
    return submission, roots


def _recipe(reading: dict[str, Any]) -> ReadingRecipe:
    """Return what the reading options ask for.

    Raises:
        UsageProblem: --template comes with an option for pages without one.
        BadData, ModelProblem: a file cannot be used.
    """
    template = read_template(reading["template"]) if reading["template"] else None
    if template:
        context = click.get_current_context()
        for option in ("alphabet", "layout", "printed", "lexicon"):
            if context.get_parameter_source(option) is not ParameterSource.DEFAULT:
                raise UsageProblem(
                    f"--{option} does not go with --template, whose fields say it each for itself",
                    f"Leave --{option} out.",
                )
        reading["alphabet"] = "alnum"  # Of which each field has its own part.
    settings = Settings(
        alphabet=cast(Alphabet, reading["alphabet"]),
        layout=cast(Layout, reading["layout"]),
        printed=cast(Printed, reading["printed"]),
        dpi=reading["dpi"],
        limits=Limits(
            reading["max_megapixels"], reading["max_megabytes"], reading["max_pages"], reading["page_seconds"]
        ),
    )
    model = load_model(reading["model_folder"] or installed_model_folder())
    lexicon = read_word_list(reading["lexicon"], settings.characters) if reading["lexicon"] else None
    return ReadingRecipe(settings, model, lexicon, template)


def _announce(submission: Submission) -> None:
    done = submission.pages - submission.to_read
    words = f"{submission.pages} page{'s' * (submission.pages != 1)}"
    if submission.other_files:
        words += f" ({submission.other_files} files that are no scans are left out)"
    if done:
        words += f", {done} of them read before"
    click.echo(f"{words}: {display_path(submission.job.path)}", err=True)


def _resume_command(job: Job) -> str:
    return f"lettermill resume '{display_path(job.path)}'"


def _say_stopped(job: Job) -> None:
    click.echo(f"Stopped: {job.cancelled}. Go on with: {_resume_command(job)}", err=True)


def _collect(job: Job, as_json: bool, accept_at: float | None, then: tuple[str, ...] | None = None) -> int:
    """Collect a job, print what came out, run what is to be run then, and return the exit status."""
    from lettermill.jobs.commands.text import summary_text
    from lettermill.jobs.results.write import write_results

    summary = write_results(job, accept_at)
    if as_json:
        _print_json(summary.to_json())
    else:
        click.echo(summary_text(summary))
    if then:
        run_then(then, job)
    return 1 if summary.failed or summary.not_begun or summary.unfinished else 0


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=1))
