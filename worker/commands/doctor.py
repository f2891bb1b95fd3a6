"""`lettermill doctor`: check what a worker needs on this machine, and print what to fix."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click

from lettermill.jobs.commands.options import JSON, PLACE
from lettermill.jobs.errors import InstallationProblem
from lettermill.jobs.queue.address import take_password
from lettermill.jobs.storage.place import Place
from lettermill.worker.checks.finding import Finding, Level
from lettermill.worker.checks.folders import check_results, check_scans
from lettermill.worker.checks.installation import check_libraries, check_model, check_reading
from lettermill.worker.checks.redis_server import check_redis
from lettermill.worker.checks.resources import check_machine

_COLOURS = {Level.OK: "green", Level.NOT_CHECKED: None, Level.WARNING: "yellow", Level.WRONG: "red"}
_LEVEL_COLUMNS = max(map(len, Level))
_CHECK_COLUMNS = len("redis persistence")


@click.command()
@click.option(
    "--broker",
    envvar="LETTERMILL_BROKER",
    metavar="URL",
    callback=take_password,
    help="The Redis of the workers.  [env: LETTERMILL_BROKER]",
)
@click.option(
    "--scans",
    envvar="LETTERMILL_SCANS",
    type=PLACE,
    metavar="DIR",
    help="The workers' scan root.  [env: LETTERMILL_SCANS]",
)
@click.option(
    "--results",
    envvar="LETTERMILL_RESULTS",
    type=PLACE,
    metavar="DIR",
    help="The workers' result root.  [env: LETTERMILL_RESULTS]",
)
@JSON
def doctor(broker: str | None, scans: Place | None, results: Place | None, as_json: bool) -> None:
    """Check an installation, and print what to fix.

    Run it where a worker runs, as the worker's user and with the worker's options. What is not given is not
    checked.

    \b
    Example:
      lettermill doctor --broker redis://queue:6379/0 --scans /mnt/scans --results /mnt/results
    """
    findings = []
    for finding in check_all(broker, scans, results):
        findings.append(finding)
        if not as_json:
            _print(finding)
    wrong = [finding.check for finding in findings if finding.level is Level.WRONG]
    if as_json:
        click.echo(json.dumps({"wrong": len(wrong), "findings": [finding._asdict() for finding in findings]}))
    if wrong:
        raise InstallationProblem(
            f"wrong: {', '.join(wrong)}", "Fix each as described, then run `lettermill doctor` again."
        )


def check_all(broker: str | None, scans: Place | None, results: Place | None) -> Iterator[Finding]:
    """Run all checks and yield each finding as soon as there is one.

    Args:
        broker: the address of Redis; not checked if None.
        scans: the scan root; not checked if None.
        results: the result root; not checked if None.
    """
    yield from check_libraries()
    yield from check_model()
    yield from check_reading()
    yield from check_machine()
    yield from check_scans(scans)
    yield from check_results(results)
    yield from check_redis(broker)


def _print(finding: Finding) -> None:
    level = click.style(f"{finding.level:{_LEVEL_COLUMNS}}", fg=_COLOURS[finding.level])
    click.echo(f"{level}  {finding.check:{_CHECK_COLUMNS}}  {finding.said}")
    if finding.todo:
        click.echo(f"{'':{_LEVEL_COLUMNS + _CHECK_COLUMNS + 2}}  {finding.todo}")
