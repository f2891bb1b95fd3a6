"""Log events: one structured line per event, as text for people or as JSON for machines.

An event is a word with keys and values: `page_done job=box-3 page=1f… seconds=0.41`. Pages are named by their
ids in the manifest, because names of scans may name people; letters that were read are never logged.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Literal

import structlog

LogFormat = Literal["text", "json"]

logger: structlog.stdlib.BoundLogger = structlog.get_logger("lettermill")
"""The one logger of the project."""


def hush_libraries() -> None:
    """Keep what C libraries print to standard error (libtiff, for every damaged file) out of the log."""
    kept = os.fdopen(os.dup(sys.stderr.fileno()), "w", buffering=1)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(kept)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stderr.fileno())
    os.close(nowhere)
    sys.stderr = kept


def set_up_logging(log_format: LogFormat) -> None:
    """Write the events of this process and of its libraries to standard error.

    Args:
        log_format: `text` or `json`.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    render: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if log_format == "text":
        render = structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    logging.getLogger("lettermill").setLevel(logging.INFO)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
