"""`lettermill health`: print whether a worker is well, from the file that it writes with `--health`.

Container health checks run it every few seconds, so it imports next to nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from lettermill.jobs.storage.atomic import open_regular
from lettermill.jobs.storage.display import display_path
from lettermill.worker.service.health_file import Health, Verdict, judge


@click.command()
@click.argument("file", envvar="LETTERMILL_HEALTH", type=click.Path(path_type=Path), metavar="FILE")
def health(file: Path) -> int:
    """Print whether a worker on this machine is well.

    FILE is what `lettermill worker --health FILE` writes every 5 seconds. LETTERMILL_HEALTH sets FILE for
    both commands. The exit status is 0 if the worker is well and 1 if it needs a restart. A Redis that does
    not answer is reported, but is not a reason to restart the worker.

    \b
    Example:
      lettermill health /run/lettermill/health
    """
    well, sentence = _judge_file(file)
    click.echo(sentence)
    return 0 if well else 1


def _judge_file(file: Path) -> Verdict:
    try:
        with open_regular(file) as written:
            content = msgspec.json.decode(written.read(), type=Health)
    except FileNotFoundError:
        name = display_path(file)
        return Verdict(False, f"there is no {name}: no worker with --health {name} runs")
    except (OSError, ValueError) as error:
        return Verdict(False, f"{display_path(file)} is not the health file of a worker: {error}")
    return judge(content, datetime.now(UTC))
