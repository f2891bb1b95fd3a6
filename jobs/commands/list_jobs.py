"""The command `lettermill jobs`: list the jobs below a result folder, and delete old ones."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import click

from lettermill.jobs.commands.console import print_json
from lettermill.jobs.commands.options import JSON, OUT, on_disk
from lettermill.jobs.commands.text import ago, columns
from lettermill.jobs.errors import LettermillError, UsageProblem
from lettermill.jobs.job.folder import Job, find_job_folders
from lettermill.jobs.results.counted import counted
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.place import Place

_HEADER = ("made", "state", "pages", "last page", "read as", "job")


@click.command("jobs")
@OUT
@click.option(
    "--prune",
    "days",
    type=click.IntRange(min=0),
    metavar="DAYS",
    help="Delete jobs that are complete or stopped and have not changed for DAYS days.",
)
@click.option("--yes", is_flag=True, help="Delete without asking.")
@JSON
def list_jobs(out: Place, days: int | None, yes: bool, as_json: bool) -> None:
    """List the jobs below a result folder, and delete old ones.

    Shows of each job when it was made, how far it is, when a page was last finished, and how it is read.
    `being read` means: by a command of this machine.

    With --prune, lists only the jobs to be deleted, asks, and deletes them. Jobs that another command is
    working on and folders that are not jobs are left alone.

    \b
    Examples:
      lettermill jobs
      lettermill jobs --prune 90
    """
    if yes and days is None:
        raise UsageProblem("--yes deletes nothing by itself", "Give --prune DAYS with it.")
    if days is not None:
        _prune(out, days, yes, as_json)
        return
    rows = _print_jobs(list(find_job_folders(out)), as_json)
    if not rows and not as_json:
        click.echo(f"no jobs below {display_path(out)}")


def _prune(out: Place, days: int, yes: bool, as_json: bool) -> None:
    """List the jobs that have not changed for some days, ask, and delete them."""
    from lettermill.jobs.job.prune import finish_pruning, old_jobs, prune

    old = list(old_jobs(on_disk(out, "--prune"), days))
    _print_jobs(old, as_json)
    finish_pruning(on_disk(out, "--prune"))
    if not old:
        click.echo(f"no job below {display_path(out)} is complete or stopped and that old", err=True)
        return
    what = counted(len(old), "job folder")
    if not yes and not click.confirm(f"Delete {what} with all results?", err=True):
        click.echo("Nothing is deleted.", err=True)
        return
    click.echo(f"deleted {prune(old, days)} of {what}", err=True)


def _print_jobs(folders: Sequence[Place], as_json: bool) -> list[dict[str, Any]]:
    """Print a row per job folder, oldest first, and return the rows."""
    rows = sorted((_row(folder) for folder in folders), key=lambda row: (row["created"], row["job"]))
    if as_json:
        print_json(rows)
        return rows
    if rows:
        click.echo(columns(_HEADER, [_cells(row) for row in rows]))
    return rows


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    """Return a row of the list as a person reads it."""
    if row["error"]:
        return ("", row["state"], row["error"], "", "", row["job"])
    failed = f", {row['failed']} failed" if row["failed"] else ""
    pages = f"{row['finished']} of {counted(row['pages'], 'page')}{failed}"
    state = "being read" if row["read_here"] else row["state"]
    made = dt.datetime.fromisoformat(row["created"]).astimezone().strftime("%Y-%m-%d %H:%M")
    last = row["last_page"] and dt.datetime.fromisoformat(row["last_page"]).timestamp()
    return (made, state, pages, ago(last), ", ".join(row["settings"]), row["job"])


def _row(path: Place) -> dict[str, Any]:
    """Return what the list shows of a job folder."""
    row: dict[str, Any] = {"job": display_path(path), "created": ""}
    try:
        job = Job.open(path)
        tally = job.tally()
    except LettermillError as error:
        unknown = dict.fromkeys(("settings", "pages", "finished", "failed", "last_page"))
        return {**row, **unknown, "state": "damaged", "read_here": False, "error": error.what}
    last = job.results.last_change()
    return {
        **row,
        "created": job.created,
        "settings": job.settings.summary,
        "pages": tally.pages,
        "finished": tally.finished,
        "failed": tally.failed,
        "last_page": last and dt.datetime.fromtimestamp(last, dt.UTC).isoformat(timespec="seconds"),
        "state": tally.state,
        "read_here": tally.state == "unfinished" and job.is_read_here,
        "error": "",
    }
