"""Write searchable PDFs: one file per scan that shows the scan, with what was read as invisible text."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence

import msgspec

from lettermill.jobs.export.common import Destination, PutPages, bounding_box, quarter_turns, word_text
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.scans.isolated import isolated_decoder
from lettermill.jobs.scans.reader import open_unchanged
from lettermill.jobs.scans.text_layer import PageText, Word
from lettermill.jobs.storage.scan_files import scan_files


@contextlib.contextmanager
def pdf(job: Job, destination: Destination) -> Iterator[PutPages]:
    """Write the folder; see `Format.writer`."""
    folder = scan_files(destination.place, ".pdf", own=destination.own)
    limits = job.settings.limits

    def put(entry: ManifestEntry, readings: Sequence[PageReading]) -> None:
        texts = [PageText()] * entry.pages
        for reading in readings:
            texts[reading.page - 1] = _text(reading)
        with (
            open_unchanged(job.local_roots.scans, f"{job.scans_below}/{entry.scan}", entry, limits) as file,
            tempfile.TemporaryFile() as layer,
            tempfile.TemporaryFile() as out,
        ):
            layer.write(msgspec.json.encode(texts))
            layer.flush()
            isolated_decoder().write_searchable(file, layer, out, job.settings.dpi, limits, entry.pages)
            out.seek(0)
            folder.add(entry.scan, out.read())

    yield put
    folder.finish()


def _text(reading: PageReading) -> PageText:
    lines = (
        tuple(Word(word_text(word), bounding_box(word)) for word in line.words) for line in reading.lines
    )
    return PageText(tuple(lines), quarter_turns(reading))
