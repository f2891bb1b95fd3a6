"""The front page in a real browser: from dropped scans to a spreadsheet, a telephone, lost connections."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.support import Starter, draw, wait_for


@pytest.fixture
def front(start: Starter, tmp_path: Path) -> Callable[..., str]:
    """Start the front page in the background; the address that it prints."""

    def begin(*words: object) -> str:
        start("web", "--out", tmp_path / "out", "--no-browser", "--name", "anna", *words)
        log = tmp_path / "process-0.log"
        wait_for(lambda: "web: " in log.read_text(), what="the address")
        return re.findall(r"^web: (\S+)$", log.read_text(), re.MULTILINE)[0]

    return begin


def assert_fits_and_accessible(page: Page) -> None:
    """Nothing is cut off on a telephone, a small and a large screen; axe-core finds no fault."""
    for width in (375, 1440, 1024):
        page.set_viewport_size({"width": width, "height": 768})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_from_dropped_scans_to_a_spreadsheet(front: Callable[..., str], page: Page, tmp_path: Path) -> None:
    """Nothing is typed but a name: files, what is written, progress, review, report, Excel, delete."""
    scans = [draw(tmp_path / name, [text]) for name, text in (("a <b>.png", "HELLO"), ("ä.png", "WORLD"))]
    broken = tmp_path / "broken.png"
    broken.write_bytes(scans[0].read_bytes()[:100])
    page.goto(front())
    assert_fits_and_accessible(page)
    page.get_by_role("link", name="Read scans").click()
    assert_fits_and_accessible(page)
    page.set_input_files("#files", [*scans, broken])
    expect(page.get_by_text("3 files sent.")).to_be_visible()
    page.get_by_label("capital letters").check()
    page.get_by_label("The job is called").fill("post of May")
    page.get_by_role("button", name="Read", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("post of May")
    expect(page.get_by_text("3 of 3 pages finished, 1 failed")).to_be_visible(timeout=200_000)
    expect(page.get_by_role("rowheader", name="a <b>.png")).to_be_visible()
    assert_fits_and_accessible(page)
    # The page changed by itself; what it shows now is also there when it is opened anew.
    page.reload()
    expect(page.get_by_text("Complete")).to_be_visible()
    page.get_by_role("link", name="Check the doubtful letters").click()
    expect(page.get_by_role("heading", name="Review")).to_be_visible()
    page.get_by_role("link", name="confident letters, read as H").click()
    page.wait_for_load_state("networkidle")
    page.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="The others are right").click()
    page.get_by_role("link", name="Overview").click()
    page.get_by_role("link", name="one by one").click()
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("heading", level=1)).to_contain_text("This is not H")
    page.keyboard.press("k")
    expect(page.get_by_role("heading", name="Review")).to_be_visible()
    page.get_by_role("link", name="Job", exact=True).click()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Excel").click()
    sheets = openpyxl.load_workbook(io.BytesIO(downloading.value.path().read_bytes()))
    header, *rows = sheets["letters"].iter_rows(values_only=True)
    letters = [row[header.index("letter")] for row in rows]
    assert "K" in letters and "H" not in letters
    sheets.close()
    page.get_by_role("link", name="Report").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="Delete this job").click()
    assert_fits_and_accessible(page)
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("There are no jobs yet")).to_be_visible()
    page.get_by_role("link", name="Uploads").click()
    assert_fits_and_accessible(page)
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("There are none")).to_be_visible()


def test_a_connection_that_is_lost_in_an_upload(
    front: Callable[..., str], page: Page, tmp_path: Path
) -> None:
    """The page sends the rest by itself, and each file once; one that is no scan is refused by name."""
    draw(tmp_path / "scans" / "may" / "x.png", ["X"])
    large = tmp_path / "large.png"
    large.write_bytes(bytes(40_000_000))
    page.goto(front("--scans", tmp_path / "scans"))
    other = page.context.new_page()  # Its console may complain.
    other.goto(f"{page.url}new")
    network = page.context.new_cdp_session(other)

    def connected(offline: bool, most_bytes_a_second: int) -> None:
        rates = {"downloadThroughput": -1, "uploadThroughput": most_bytes_a_second}
        network.send("Network.emulateNetworkConditions", {"offline": offline, "latency": 0, **rates})

    def parts() -> list[int]:
        return [path.stat().st_size for path in (tmp_path / "out").glob("uploads/*/.part-*")]

    connected(False, 1_000_000)
    other.set_input_files("#files", [large])
    wait_for(lambda: any(parts()), what="the first bytes")
    connected(True, -1)
    other.wait_for_timeout(500)
    expect(other.get_by_role("button", name="Read", exact=True)).to_be_disabled()
    assert 0 < parts()[0] < 40_000_000
    connected(False, -1)
    expect(other.get_by_text("1 file sent.")).to_be_visible(timeout=60_000)
    notes = tmp_path / "notes.docx"
    notes.write_bytes(b"x")
    other.set_input_files("#files", [notes])
    expect(other.get_by_text("1 file sent, 1 refused")).to_be_visible()
    expect(other.get_by_text("notes.docx is not taken")).to_be_visible()
    (upload,) = (tmp_path / "out" / "uploads").iterdir()
    assert [(path.name, path.stat().st_size) for path in upload.glob("*.png")] == [("large.png", 40_000_000)]
    assert_fits_and_accessible(other)


def test_another_site_cannot_act(front: Callable[..., str], page: Page, tmp_path: Path) -> None:
    """A page from elsewhere that knows the port, in the browser that is let in."""
    page.goto(front())
    other = page.context.new_page()
    other.set_content(f'<form method="post" action="{page.url}uploads"><button>go</button>')
    other.get_by_role("button").click()
    expect(other.get_by_text("has no access").or_(other.get_by_text("not sent by"))).to_be_visible()
    assert not (tmp_path / "out" / "uploads").exists()
