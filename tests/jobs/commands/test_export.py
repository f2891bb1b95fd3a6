"""`lettermill export`."""

from __future__ import annotations

import re
from pathlib import Path

import pypdfium2

from lettermill.jobs.commands.export import export as command
from lettermill.jobs.export.formats import FORMATS
from lettermill.jobs.job.folder import Job
from tests.exports import alto_schema, page_schema, trees
from tests.support import ROOT, Command

EXAMPLES = ROOT / "examples" / "scans"


def test_the_command_names_the_formats() -> None:
    option = next(one for one in command.params if one.name == "name")
    assert list(option.type.choices) == list(FORMATS)  # type: ignore[attr-defined]


def test_the_examples_in_every_format(lettermill: Command, tmp_path: Path) -> None:
    lettermill("run", EXAMPLES, "--out", tmp_path / "out", status=1)
    (path,) = (tmp_path / "out").glob("*-*")
    job = Job.open(path)
    for name, form in FORMATS.items():
        done = lettermill("export", path, "--format", name, status=0 if form.holds_failures else 1)
        assert Path(done.stdout.strip()).exists()
        assert ("1 page that failed" in done.stderr) is not form.holds_failures
    of_page_xml = page_schema()
    of_alto = alto_schema()
    assert len(trees(job, "page-xml")) == len(trees(job, "alto")) == 8
    assert all(of_page_xml.validate(tree) for tree in trees(job, "page-xml"))
    assert all(of_alto.validate(tree) for tree in trees(job, "alto"))
    with pypdfium2.PdfDocument(path / "export" / "pdf" / "letter.pdf.pdf") as document:
        text = "\n".join(document[page].get_textpage().get_text_range() for page in range(len(document)))
    wanted = (path / "text" / "letter.pdf.txt").read_text().split()
    assert re.findall(r"[A-Z0-9]+", text) == wanted
