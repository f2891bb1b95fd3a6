"""The example scans are what examples/README.md says."""

from __future__ import annotations

import csv

import pytest

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.scans.find import DOCUMENT_SUFFIXES, find_scans
from lettermill.jobs.scans.page_count import count_pages
from lettermill.jobs.scans.reader import read_page
from lettermill.jobs.settings import Limits
from tests.support import ROOT

EXAMPLES = ROOT / "examples"


def rows(name: str) -> dict[str, str]:
    with (EXAMPLES / name).open(encoding="utf-8", newline="") as file:
        return {row["file"]: row["label"] for row in csv.DictReader(file)}


@pytest.mark.parametrize(("folder", "truth"), [("scans", "truth.csv"), ("digits", "digits-truth.csv")])
def test_the_truth_names_every_scan(folder: str, truth: str) -> None:
    assert sorted(rows(truth)) == sorted(find_scans(EXAMPLES / folder)[0])


def test_every_page_but_the_damaged_one_reads() -> None:
    pages = {}
    for scan in find_scans(EXAMPLES / "scans")[0]:
        path = EXAMPLES / "scans" / scan
        pages[scan] = count_pages(path, Limits()) if path.suffix in DOCUMENT_SUFFIXES else 1
        for page in range(1, pages[scan] + 1):
            if scan == "water-damage.png":
                with pytest.raises(ScanError) as caught:
                    read_page(path, page, 300, Limits())
                assert caught.value.code is ErrorCode.TRUNCATED
            else:
                pixels = read_page(path, page, 300, Limits())
                assert min(pixels.shape) >= 300
                assert pixels.std() > 10
    assert pages["ledger.tif"] == 3
    assert pages["letter.pdf"] == 2
    assert sum(pages.values()) == 9


def test_the_texts_have_every_letter_and_digit() -> None:
    labels = [label for label in rows("truth.csv").values() if label != "UNREADABLE"]
    assert set("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == set("".join(labels)) - {" "}
    assert set("0123456789") == set("".join(rows("digits-truth.csv").values())) - {" "}


def test_they_are_small() -> None:
    assert sum(path.stat().st_size for path in EXAMPLES.rglob("*") if path.is_file()) < 1_500_000
