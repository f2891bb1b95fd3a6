"""Write JSON Lines: one object per page with everything that was read, for your own programs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from lettermill.jobs.export.common import Destination, PutPages
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import Letter, LineReading, PageReading
from lettermill.jobs.storage.display import display_path


@contextlib.contextmanager
def jsonl(job: Job, destination: Destination) -> Iterator[PutPages]:
    """Write the file; see `Format.writer`."""
    encode = msgspec.json.Encoder().encode
    with destination.place.atomic_write() as file:

        def put(entry: ManifestEntry, readings: Sequence[PageReading]) -> None:
            for reading in readings:
                file.buffer.write(encode(_page(reading)) + b"\n")

        yield put


def _page(reading: PageReading) -> dict[str, Any]:
    return {
        "scan": display_path(reading.scan),
        "page": reading.page,
        "status": reading.status,
        "error_code": reading.error_code,
        "error": reading.error,
        "width": reading.width,
        "height": reading.height,
        "skew_degrees": reading.skew_degrees,
        "quality": reading.quality,
        "text": reading.text,
        "lines": [_line(line) for line in reading.lines],
    }


def _line(line: LineReading) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(line.box),
        "text": line.text,
        "lexicon_text": line.lexicon_text,
        "field": line.field,
        "confidence": line.confidence,
        "letters": [_letter(letter) for letter in line.letters],
    }


def _letter(letter: Letter) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(letter.box),
        "word": letter.word,
        "letter": letter.letter,
        "confidence": round(letter.confidence, 4),
        "alternatives": [
            {"letter": char, "confidence": round(confidence, 4)} for char, confidence in letter.ranking[1:]
        ],
        "flagged": letter.flagged,
        "cell_row": letter.cell[0] if letter.cell else None,
        "cell": letter.cell[1] if letter.cell else None,
    }
