"""Exports: what each format says of a page, and what becomes of pages that a format cannot hold."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import boto3
import msgspec
import openpyxl
import pyarrow.parquet as pq
import pypdfium2
import pytest
from lxml import etree
from PIL import Image

from lettermill.jobs.commands.export import export as command
from lettermill.jobs.errors import ErrorCode, UsageProblem
from lettermill.jobs.export import xlsx
from lettermill.jobs.export.common import printable
from lettermill.jobs.export.formats import FORMATS, NO_SIZE, NOT_OPENED, UNFINISHED, Exported, export_job
from lettermill.jobs.inputs.model import Model
from lettermill.jobs.inputs.recipe import ReadingRecipe
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.make import make_job
from lettermill.jobs.job.roots import Roots
from lettermill.jobs.records.readings import (
    Box,
    Letter,
    LineReading,
    PageReading,
    Status,
    from_bytes,
    to_bytes,
)
from lettermill.jobs.results.csv_tables import LINE_HEADER, PAGE_HEADER, READ_LETTER_HEADER
from lettermill.jobs.results.write import write_results
from lettermill.jobs.settings import Settings
from lettermill.jobs.storage.bucket import Bucket
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.display import display_path
from tests.object_store import object_store
from tests.support import ROOT, Command

JobOf = Callable[..., Job]

EXAMPLES = ROOT / "examples" / "scans"
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


@pytest.fixture
def job(job_of: JobOf) -> Job:
    """Pages with odd names, then an empty one, a failed one, and a document with a failed page."""
    job = job_of(*ODD, "empty.png", "failed.png", "two.tif")
    for entry, _ in job.manifest():
        size = {"width": 60, "height": 40, "version": "0.1.0"}
        reading = PageReading(entry.id, entry.scan, entry.page, Status.DONE, lines=LINES, **size)
        if entry.scan == "empty.png":
            reading = msgspec.structs.replace(reading, status=Status.EMPTY, lines=())
        if entry.scan == "failed.png":
            reading = PageReading(entry.id, entry.scan, 1, Status.FAILED, ErrorCode.TIMEOUT, "=late")
        job.results.write(reading)
    return job


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


def test_a_file_for_each_page_that_was_read(job: Job) -> None:
    for name in XML_FORMATS:
        exported = export_job(job, FORMATS[name], None)
        assert exported.pages == len(ODD) + 2
        assert exported.left_out.total() == 1
        assert exported.place == job.path / "export" / name
        suffix = ".hocr" if name == "hocr" else ".xml"
        wanted = [*ODD, "empty.png", "two.tif"]
        assert {path.name for path in written(exported)} == {f"{scan}{suffix}" for scan in wanted}


def test_alto_has_letters_variants_and_confidences(job: Job) -> None:
    schema = etree.RelaxNG(etree.parse(Path(__file__).with_name("alto.rng")))
    for tree in trees(job, "alto"):
        schema.assertValid(tree)
    tree = trees(job, "alto")[-1]
    words = tree.findall(".//alto:String", NAMESPACES)
    assert [word.get("CONTENT") for word in words] == ["NO", "A", "0"]
    assert dict(words[0].attrib).items() >= {"HPOS": "4", "WIDTH": "18", "WC": "0.9877"}.items()
    glyph = words[0][0]
    assert dict(glyph.attrib).items() >= {"CONTENT": "N", "GC": "0.9877", "HPOS": "4", "HEIGHT": "11"}.items()
    assert [dict(one.attrib) for one in glyph] == [
        {"CONTENT": "M", "VC": "0.0100"},
        {"CONTENT": "H", "VC": "0.0023"},
    ]
    page = tree.find(".//alto:Page", NAMESPACES)
    assert page is not None
    assert (page.get("WIDTH"), page.get("HEIGHT")) == ("60", "40")


def test_page_xml_is_valid_by_its_published_schema(job: Job) -> None:
    schema = page_schema()
    for tree in trees(job, "page-xml"):
        schema.assertValid(tree)
    tree = trees(job, "page-xml")[-1]
    glyph = tree.find(".//page:Glyph", NAMESPACES)
    assert glyph is not None
    assert [
        (one.get("index"), one.get("conf"), one.findtext("page:Unicode", namespaces=NAMESPACES))
        for one in glyph.findall("page:TextEquiv", NAMESPACES)
    ] == [("0", "0.9877", "N"), ("1", "0.0100", "M"), ("2", "0.0023", "H")]
    assert tree.findtext(".//page:TextRegion/page:TextEquiv/page:Unicode", namespaces=NAMESPACES) == "NO A\n0"


def test_hocr_keeps_the_rules_of_its_specification(job: Job) -> None:
    for tree in trees(job, "hocr"):
        head = {
            meta.get("name"): str(meta.get("content")) for meta in tree.findall(".//hocr:meta", NAMESPACES)
        }
        assert head["ocr-system"] == "Lettermill 0.1.0"
        assert tree.findtext(".//hocr:style", namespaces=NAMESPACES) == ".ocr_line { display: block }"
        elements = [one for one in tree.getroot().iter() if str(one.get("class")).startswith("ocr")]
        assert {str(one.get("class")) for one in elements} <= set(head["ocr-capabilities"].split())
        for one in elements:
            kind, properties = str(one.get("class")), str(one.get("title")).split("; ")
            names = [each.split(" ", 1)[0] for each in properties]
            assert len(names) == len(set(names))
            box = next(each for each in properties if each.split()[0] in ("bbox", "x_bboxes"))
            left, top, right, bottom = (int(value) for value in box.split()[1:])
            assert 0 <= left < right <= 60
            assert 0 <= top < bottom <= 40
            parent = one.getparent()
            assert parent is not None
            if kind == "ocr_page":
                assert {"image", "bbox", "ppageno"} <= set(names)
            else:
                inside = {"ocr_line": "ocr_page", "ocrx_word": "ocr_line", "ocrx_cinfo": "ocrx_word"}
                assert parent.get("class") == inside[kind]
    lines = trees(job, "hocr")[-1].findall(".//hocr:span[@class='ocr_line']", NAMESPACES)
    assert ["".join(line.itertext()).strip() for line in lines] == ["NO A", "0"]
    word = lines[0][0]
    assert word.get("title") == "bbox 4 4 22 15; x_wconf 99"
    assert word[0].get("title") == "x_bboxes 4 4 12 15; x_confs 98.77"


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


def test_json_lines_hold_every_page(job: Job) -> None:
    exported = export_job(job, FORMATS["jsonl"], None)
    assert exported.pages == len(ODD) + 3
    rows = [json.loads(line) for line in (job.path / "export" / "pages.jsonl").read_text().splitlines()]
    assert [row["scan"] for row in rows] == [display_path(entry.scan) for entry, _ in job.manifest()]
    failed = next(row for row in rows if row["scan"] == "failed.png")
    assert (failed["status"], failed["error_code"], failed["error"]) == ("FAILED", "TIMEOUT", "=late")
    read = rows[-1]
    assert read["text"] == "NO A\n0"
    assert read["lines"][0]["letters"][0] == {
        **{"x": 4, "y": 4, "width": 8, "height": 11, "word": 1, "letter": "N", "confidence": 0.9877},
        "alternatives": [{"letter": "M", "confidence": 0.01}, {"letter": "H", "confidence": 0.0023}],
        "flagged": False,
    }


def test_cancelled_pages(job_of: JobOf) -> None:
    job = job_of("a.png")
    assert export_job(job, FORMATS["jsonl"], None).left_out == {UNFINISHED: 1}
    job.cancel("enough")
    assert not export_job(job, FORMATS["jsonl"], None).left_out
    row = json.loads((job.path / "export" / "pages.jsonl").read_text())
    assert (row["status"], row["error"]) == ("CANCELLED", "enough")
    (reason,) = export_job(job, FORMATS["alto"], None).left_out
    assert "resume" in reason


def test_damaged_results_and_results_without_a_size_are_left_out(job_of: JobOf) -> None:
    job = job_of("a.png", "b.png")
    (a, _), (b, _) = job.manifest()
    job.results.write(PageReading(a.id, a.scan, 1, Status.DONE, lines=LINES))
    job.results.write(PageReading(b.id, b.scan, 1, Status.DONE, lines=LINES, width=60, height=40))
    assert export_job(job, FORMATS["alto"], None).left_out == {NO_SIZE: 1}
    path = job.path / f"pages/{b.id[:2]}/{b.id}.json"
    path.write_bytes(path.read_bytes()[:-9])
    exported = export_job(job, FORMATS["alto"], None)
    assert exported.left_out.total() == 2
    assert exported.pages == 0
    assert not written(exported)


def test_results_of_before_there_were_sizes_are_read() -> None:
    reading = PageReading("1" * 24, "a.png", 1, Status.DONE, lines=LINES, width=60, height=40)
    old = json.loads(to_bytes(reading))["reading"]
    del old["width"], old["height"]
    decoded = msgspec.convert(old, PageReading, strict=False)
    assert (decoded.width, decoded.height) == (None, None)
    assert from_bytes(to_bytes(decoded)).width is None


def test_excel_has_the_three_tables_as_texts_and_numbers(job: Job) -> None:
    write_results(job)
    export_job(job, FORMATS["xlsx"], None)
    book = openpyxl.load_workbook(job.path / "export" / "tables.xlsx")
    for name, header in (("pages", PAGE_HEADER), ("lines", LINE_HEADER), ("letters", READ_LETTER_HEADER)):
        rows = list(book[name].iter_rows())
        assert [cell.value for cell in rows[0]] == header.split(",")
        assert not any(cell.data_type == "f" for row in rows for cell in row)
        with (job.path / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            table = list(csv.reader(file))
        assert len(rows) == len(table)
        for row, cells in zip(rows[1:], table[1:], strict=True):
            for cell, wanted in zip(row[1:], cells[1 : len(row)], strict=True):
                if isinstance(cell.value, int | float):
                    assert float(wanted) == cell.value
                else:
                    assert wanted.removeprefix("'") == (cell.value or "")
    lines = list(book["lines"].iter_rows(min_row=2, values_only=True))
    assert {row[0] for row in lines} >= {"=cmd|x.png", "007.png"}
    assert lines[1][7] == "0"  # A text: as a number it would have lost its leading zeros.


def test_excel_says_before_it_writes_that_a_sheet_is_too_small(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx, "_MOST_ROWS", 4 * (len(ODD) + 1))
    with pytest.raises(UsageProblem, match="letters, and a sheet of Excel holds") as caught:
        export_job(job, FORMATS["xlsx"], None)
    assert "parquet" in str(caught.value)
    assert not list((job.path / "export").iterdir())
    monkeypatch.setattr(xlsx, "_MOST_ROWS", 4 * (len(ODD) + 1) + 1)
    assert export_job(job, FORMATS["xlsx"], None).pages
    monkeypatch.setattr(xlsx, "_MOST_CHARACTERS", 5)
    with pytest.raises(UsageProblem, match="6 characters"):
        export_job(job, FORMATS["xlsx"], None)


def test_parquet_has_the_letters_with_types(job: Job) -> None:
    exported = export_job(job, FORMATS["parquet"], None)
    assert exported.left_out.total() == 1
    table = pq.read_table(job.path / "export" / "letters.parquet")
    assert table.column_names == READ_LETTER_HEADER.split(",")
    assert {"string", "int32", "double", "bool"} == {str(kind) for kind in table.schema.types}
    rows = table.to_pylist()
    assert len(rows) == 4 * (len(ODD) + 1)
    assert rows[-1]["letter"] == "0"
    assert rows[-1]["third"] is None
    assert rows[-1]["flagged"] is True


def test_flags_for_a_rate_are_those_of_the_tables(job: Job) -> None:
    def flags(accept_at: float | None) -> list[bool]:
        export_job(job, FORMATS["parquet"], None, accept_at)
        return pq.read_table(job.path / "export" / "letters.parquet")["flagged"].to_pylist()

    def wanted(accept_at: float | None) -> list[bool]:
        write_results(job, accept_at)
        with (job.path / "letters.csv").open(newline="", encoding="utf-8") as file:
            return [row["flagged"] == "1" for row in csv.DictReader(file)]

    assert flags(None) == wanted(None)
    assert flags(0.9) == wanted(0.9) != wanted(None)
    with pytest.raises(UsageProblem, match="this format has no flags") as caught:
        export_job(job, FORMATS["alto"], None, 0.98)
    assert "jsonl, xlsx, parquet" in str(caught.value)
    assert not (job.path / "export" / "alto").exists()


@pytest.mark.parametrize(("module", "name"), [("xlsxwriter", "xlsx"), ("pyarrow", "parquet")])
def test_an_extra_that_is_not_installed(job: Job, module: str, name: str) -> None:
    code = f"import sys; sys.modules['{module}'] = None; from lettermill.cli import main; main(sys.argv[1:])"
    words = [sys.executable, "-c", code, "export", str(job.path), "--format", name]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 9
    assert f"pip install {module}" in done.stderr
    assert not list((job.path / "export").iterdir())


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_export_gives_the_same_files(name: str, job: Job) -> None:
    def content() -> dict[str, bytes]:
        place = export_job(job, FORMATS[name], None).place
        paths = [place] if not FORMATS[name].folder else Path(str(place)).rglob("*.*")
        return {str(path): Path(str(path)).read_bytes() for path in paths if Path(str(path)).is_file()}

    first = content()
    assert first
    if name == "pdf":  # PDFium gives each file an identifier of its own.
        assert content().keys() == first.keys()
    else:
        assert content() == first


def test_lettermills_own_folder_forgets_scans_that_are_gone_and_no_other_does(
    job: Job, tmp_path: Path
) -> None:
    own = job.path / "export" / "alto"
    export_job(job, FORMATS["alto"], None)
    (own / "gone.png.xml").write_text("old")
    export_job(job, FORMATS["alto"], None)
    assert not (own / "gone.png.xml").exists()
    elsewhere = tmp_path / "mine"
    elsewhere.mkdir()
    (elsewhere / "letter.xml").write_text("mine")
    exported = export_job(job, FORMATS["alto"], Disk(elsewhere))
    assert (elsewhere / "letter.xml").read_text() == "mine"
    assert len(written(exported)) == exported.pages + 1


def test_places_that_cannot_be(job: Job, scans: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, place in (("alto", tmp_path / "file"), ("jsonl", tmp_path), ("pdf", scans / "new")):
        with pytest.raises(UsageProblem):
            export_job(job, FORMATS[name], Disk(place))


def test_a_scan_that_is_gone_is_named_and_the_others_are_exported(job: Job, scans: Path) -> None:
    (scans / "two.tif").unlink()
    exported = export_job(job, FORMATS["pdf"], None)
    assert exported.left_out[NOT_OPENED] == 1
    assert exported.problems == [
        "'two.tif': the file is not there: put it back; or, where it is, give submit the --scans of the "
        "workers; and run again"
    ]
    assert exported.pages == len(ODD) + 1


def test_a_job_in_an_object_store(scans: Path, model: Model, picture: Image.Image) -> None:
    for name in ("a.png", "b.png"):
        picture.save(scans / name)
    with object_store():
        boto3.session.Session().client("s3").create_bucket(Bucket="exports")
        out = Bucket("exports", "results")
        job = make_job(scans, out, ReadingRecipe(Settings(), model), Roots(Disk(scans), out)).job
        for entry, _ in job.manifest():
            job.results.write(
                PageReading(entry.id, entry.scan, 1, Status.DONE, lines=LINES, width=60, height=40)
            )
        (job.path / "export" / "alto" / "gone.png.xml").write(b"old")
        for form in FORMATS.values():
            assert export_job(job, form, None).pages == 2
        suffixes = {"alto": ".xml", "hocr": ".hocr", "page-xml": ".xml", "pdf": ".pdf"}
        files = {f"{name}/{scan}{end}" for name, end in suffixes.items() for scan in ("a.png", "b.png")}
        wanted = files | {"pages.jsonl", "tables.xlsx", "letters.parquet"}
        assert set((job.path / "export").files()) == wanted
        elsewhere = Bucket("exports", "mine")
        (elsewhere / "letter.xml").write(b"mine")
        export_job(job, FORMATS["alto"], elsewhere)
        assert set(elsewhere.files()) == {"a.png.xml", "b.png.xml", "letter.xml"}
        for name, place in (("jsonl", elsewhere), ("alto", elsewhere / "letter.xml")):
            with pytest.raises(UsageProblem):
                export_job(job, FORMATS[name], place)


def test_the_command_names_the_formats() -> None:
    option = next(one for one in command.params if one.name == "name")
    assert list(option.type.choices) == list(FORMATS)  # type: ignore[attr-defined]


def test_the_examples_in_every_format(lettermill: Command, tmp_path: Path) -> None:
    lettermill("run", EXAMPLES, "--out", tmp_path / "out", status=1)
    (path,) = (tmp_path / "out").iterdir()
    job = Job.open(path)
    for name, form in FORMATS.items():
        done = lettermill("export", path, "--format", name, status=0 if form.holds_failures else 1)
        assert Path(done.stdout.strip()).exists()
        assert ("1 page that failed" in done.stderr) is not form.holds_failures
    etree_schema = page_schema()
    alto_schema = etree.RelaxNG(etree.parse(Path(__file__).with_name("alto.rng")))
    assert len(trees(job, "page-xml")) == len(trees(job, "alto")) == 8
    assert all(etree_schema.validate(tree) for tree in trees(job, "page-xml"))
    assert all(alto_schema.validate(tree) for tree in trees(job, "alto"))
    with pypdfium2.PdfDocument(path / "export" / "pdf" / "letter.pdf.pdf") as document:
        text = "\n".join(document[page].get_textpage().get_text_range() for page in range(len(document)))
    wanted = (path / "text" / "letter.pdf.txt").read_text().split()
    assert re.findall(r"[A-Z0-9]+", text) == wanted
