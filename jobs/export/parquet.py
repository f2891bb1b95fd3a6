"""Write Parquet: letters.csv as a table with types, for pandas, DuckDB, Spark and others."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from lettermill.jobs.errors import MissingExtra
from lettermill.jobs.export.common import Destination, PutPages
from lettermill.jobs.export.rows import TYPED_LETTER_HEADER, Cell, letter_rows
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import PageReading

_ROWS_AT_ONCE = 100_000

_TEXTS = frozenset({"scan", "letter", "second", "third"})
_CONFIDENCES = frozenset({"confidence", "second_confidence", "third_confidence"})


@contextlib.contextmanager
def parquet(job: Job, destination: Destination) -> Iterator[PutPages]:
    """Write the file; see `Format.writer`."""
    try:
        import pyarrow as pa
        from pyarrow import parquet as pq
    except ImportError as error:
        raise MissingExtra(
            "writing Parquet files needs pyarrow, which is not installed",
            "Install it with: pip install pyarrow",
        ) from error

    def kind(column: str) -> pa.DataType:
        if column in _TEXTS:
            return pa.string()
        if column in _CONFIDENCES:
            return pa.float64()
        return pa.bool_() if column == "flagged" else pa.int32()

    schema = pa.schema([(column, kind(column)) for column in TYPED_LETTER_HEADER.split(",")])
    waiting: list[list[Cell]] = []
    with (
        destination.place.atomic_write() as file,
        pq.ParquetWriter(file.buffer, schema) as writer,
    ):

        def write() -> None:
            columns = zip(*waiting, strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            waiting.clear()

        def put(entry: ManifestEntry, readings: Sequence[PageReading]) -> None:
            for reading in readings:
                waiting.extend(letter_rows(reading))
                if len(waiting) >= _ROWS_AT_ONCE:
                    write()

        yield put
        if waiting:
            write()
