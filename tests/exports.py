"""What tests of exports share: odd names, readings, and the files of a format."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lxml import etree

from lettermill.jobs.export.formats import FORMATS, Exported, export_job
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import (
    Box,
    Letter,
    LineReading,
)
from lettermill.jobs.storage.disk import Disk
from tests.support import ROOT

XML_FORMATS = ["alto", "hocr", "page-xml"]


NAMESPACES = {
    "alto": "http://www.loc.gov/standards/alto/ns-v4#",
    "hocr": "http://www.w3.org/1999/xhtml",
    "page": "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15",
}


ODD = [
    'a & "b" <c>; ]]>.png',
    "tab\tline\nend\x1b[31m.png",
    "Übung 🙂.png",
    os.fsdecode(b"latin-\xe9.png"),
    "=cmd|x.png",
    "007.png",
]


def letter(char: str, x: int, word: int = 1, more: tuple[tuple[str, float], ...] = ()) -> Letter:
    return Letter(Box(x, 4, 8, 11), word, ((char, 0.98765), *more), char == "O")


LINES = (
    LineReading(
        Box(4, 4, 40, 11),
        (letter("N", 4, more=(("M", 0.01), ("H", 0.00231))), letter("O", 14), letter("A", 36, word=2)),
        "=NO A",
    ),
    LineReading(Box(4, 24, 8, 11), (Letter(Box(4, 24, 8, 11), 1, (("0", 0.75), ("O", 0.2)), True),)),
)


def written(exported: Exported) -> list[Path]:
    folder = exported.place
    assert isinstance(folder, Disk)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def trees(job: Job, name: str) -> list[etree._ElementTree]:
    """The files of a format, parsed strictly."""
    parser = etree.XMLParser(no_network=True, resolve_entities=False)
    files = written(export_job(job, FORMATS[name], None))
    return [etree.ElementTree(etree.fromstring(path.read_bytes(), parser)) for path in files]


def page_schema() -> etree.XMLSchema:
    """The published schema, which comes with ocrd; `make` puts it there."""
    return etree.XMLSchema(etree.parse(Path(sys.prefix) / "schemas" / "ocrd_validators" / "page.xsd"))


def alto_schema() -> etree.RelaxNG:
    """The schema of what Lettermill writes of ALTO."""
    return etree.RelaxNG(etree.parse(ROOT / "tests" / "jobs" / "export" / "alto.rng"))
