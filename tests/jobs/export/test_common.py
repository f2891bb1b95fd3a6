"""What the XML formats share: a file for each page, names, pages that lie on a side."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lettermill.jobs.export.common import printable
from lettermill.jobs.export.formats import FORMATS, export_job
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import (
    Box,
    Letter,
    LineReading,
    PageReading,
    Status,
)
from tests.exports import NAMESPACES, ODD, XML_FORMATS, trees, written
from tests.support import ROOT

JobOf = Callable[..., Job]


EXAMPLES = ROOT / "examples" / "scans"


def test_a_file_for_each_page_that_was_read(job: Job) -> None:
    for name in XML_FORMATS:
        exported = export_job(job, FORMATS[name], None)
        assert exported.pages == len(ODD) + 2
        assert exported.left_out.total() == 1
        assert exported.place == job.path / "export" / name
        suffix = ".hocr" if name == "hocr" else ".xml"
        wanted = [*ODD, "empty.png", "two.tif"]
        assert {path.name for path in written(exported)} == {f"{scan}{suffix}" for scan in wanted}


@pytest.mark.parametrize("name", XML_FORMATS)
def test_names_stand_in_xml_as_a_person_reads_them(name: str, job: Job) -> None:
    found = set()
    for tree in trees(job, name):
        if name == "alto":
            found.add(tree.findtext(".//alto:fileName", namespaces=NAMESPACES))
        elif name == "page-xml":
            page = tree.find("page:Page", NAMESPACES)
            assert page is not None
            found.add(page.get("imageFilename"))
        else:
            title = tree.findtext(".//hocr:title", namespaces=NAMESPACES)
            found.add(str(title).removesuffix(", page 1"))
    assert found == {printable(scan) for scan in [*ODD, "empty.png", "two.tif"]}
    assert printable("tab\tline\nend\x1b[31m.png") == r"tab\x09line\x0aend\x1b[31m.png"
    assert r"latin-\xe9.png" in found


@pytest.mark.parametrize(
    ("last", "alto", "page", "hocr"),
    [
        (Box(4, 44, 8, 11), "270", "-90", "270"),
        (Box(-36, 4, 8, 11), "180", "180", "180"),
        (Box(4, -36, 8, 11), "90", "90", "90"),
    ],
)
def test_a_page_that_lies_on_a_side_says_so(
    job_of: JobOf, last: Box, alto: str, page: str, hocr: str
) -> None:
    job = job_of("a.png")
    ((entry, _),) = job.manifest()
    first = Box(4, 4, 8, 11)
    shift = Box(40, 40, 0, 0)
    boxes = [Box(one.x + shift.x, one.y + shift.y, one.width, one.height) for one in (first, last)]
    line = LineReading(boxes[0], tuple(Letter(box, 1, (("A", 0.9),), False) for box in boxes))
    job.results.write(
        PageReading(
            entry.id, "a.png", 1, Status.DONE, lines=(line,), width=99, height=99, quality=("TURNED",)
        )
    )
    block = trees(job, "alto")[0].find(".//alto:TextBlock", NAMESPACES)
    region = trees(job, "page-xml")[0].find(".//page:TextRegion", NAMESPACES)
    row = trees(job, "hocr")[0].find(".//hocr:span[@class='ocr_line']", NAMESPACES)
    assert block is not None
    assert region is not None
    assert row is not None
    assert block.get("ROTATION") == alto
    assert region.get("orientation") == page
    assert f"; textangle {hocr}" in str(row.get("title"))
