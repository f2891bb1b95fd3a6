"""The command `lettermill workers`: list the workers of a fleet."""

from __future__ import annotations

import datetime as dt

import click

from lettermill.jobs.commands.console import print_json
from lettermill.jobs.commands.options import JSON, broker_option
from lettermill.jobs.commands.text import columns


@click.command("workers")
@broker_option(required=True)
@JSON
def list_workers(broker: str, as_json: bool) -> None:
    """List the workers that are alive.

    Shows of each its machine, its version, since when it runs, and how many pages it has. A worker that was
    killed is in the list for another half minute.

    \b
    Example:
      lettermill workers --broker redis://HOST:6379/0
    """
    from lettermill.jobs.queue.celery_app import UNREACHABLE, check_broker, unreachable
    from lettermill.jobs.queue.workers import DEAD_SECONDS, live_workers

    client = check_broker(broker)
    try:
        workers = sorted(live_workers(client), key=lambda worker: (worker.host, worker.since))
    except UNREACHABLE as error:
        raise unreachable(broker, error) from error
    since = [dt.datetime.fromtimestamp(worker.since, dt.UTC) if worker.since else None for worker in workers]
    if as_json:
        print_json(
            [
                {
                    "host": worker.host,
                    "version": worker.version,
                    "message_format": worker.message_format,
                    "since": begun and begun.isoformat(timespec="seconds"),
                    "pages": len(worker.page_ids),
                }
                for worker, begun in zip(workers, since, strict=True)
            ]
        )
        return
    if not workers:
        click.echo(f"no worker has sent a heartbeat for {DEAD_SECONDS} s")
        return
    rows = [
        (
            worker.host,
            worker.version,
            f"{begun.astimezone():%Y-%m-%d %H:%M}" if begun else "–",
            str(len(worker.page_ids)),
        )
        for worker, begun in zip(workers, since, strict=True)
    ]
    click.echo(columns(("host", "version", "since", "pages"), rows))
