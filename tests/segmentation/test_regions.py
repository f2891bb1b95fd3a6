"""What is no writing is erased, component by component; writing and form lines stay as they are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lettermill.segmentation import regions
from lettermill.segmentation.regions import Region, erase_what_is_no_writing

HEIGHT, WIDTH = 320, 400


@pytest.fixture(autouse=True)
def any_page_is_a_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages here are small and have few letters."""
    monkeypatch.setattr(regions, "LEAST_PRINTED_PIECES", 0)


def page_of(*words: tuple[str, int, int], grey: int = 235) -> NDArray[np.uint8]:
    page = np.full((HEIGHT, WIDTH), grey, np.uint8)
    for word, x, y in words:
        cv2.putText(page, word, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 1, 20, 3, cv2.LINE_AA)
    return page


def said(*areas: tuple[Region, int, int, int, int]) -> NDArray[np.float32]:
    """Writing everywhere but in some areas, which are left, top, right, bottom in pixels."""
    probabilities = np.zeros((len(Region), HEIGHT // 4, WIDTH // 4), np.float32)
    probabilities[Region.WRITING] = 1
    for region, left, top, right, bottom in areas:
        part = np.s_[:, top // 4 : bottom // 4, left // 4 : right // 4]
        probabilities[part] = 0
        probabilities[(region, *part[1:])] = 1
    return probabilities


@pytest.mark.parametrize("region", [Region.PRINT, Region.OTHER])
def test_print_is_erased_and_writing_stays(region: Region) -> None:
    page = page_of(("PRINT", 20, 60), ("HAND", 20, 200))
    erased = erase_what_is_no_writing(page, page, said((region, 0, 0, WIDTH, 100))).page
    assert np.ptp(erased[:100].astype(int)) < 8 and abs(int(erased[50, 50]) - 235) < 4
    assert np.array_equal(erased[120:], page[120:])


def test_a_page_of_writing_is_the_same_page() -> None:
    page = page_of(("HAND", 20, 60))
    erased = erase_what_is_no_writing(page, page, said())
    assert np.array_equal(erased.page, page) and erased.shares[Region.WRITING] == pytest.approx(1)


def test_form_lines_stay() -> None:
    page = page_of()
    page[100:103, :] = 0
    erased = erase_what_is_no_writing(page, page, said((Region.LINES, 0, 90, WIDTH, 112))).page
    assert np.array_equal(erased, page)


def test_a_letter_is_kept_or_erased_as_a_whole() -> None:
    page = page_of(("W", 100, 100))
    rows, columns = np.nonzero(page < 100)
    left, right = columns.min(), columns.max()
    edge = int(left + (right - left) / 9) // 4 * 4 + 4
    most_is_writing = said((Region.PRINT, 0, 0, edge, 160))
    assert np.array_equal(
        erase_what_is_no_writing(page, page, most_is_writing).page[rows, columns], page[rows, columns]
    )
    most_is_print = said((Region.PRINT, 0, 0, WIDTH, 160), (Region.WRITING, 0, 0, edge, 160))
    assert (erase_what_is_no_writing(page, page, most_is_print).page > 150).all()


def test_the_paper_under_what_was_erased_is_that_around_it() -> None:
    page = page_of(("PRINT", 20, 60), ("PRINT", 20, 280))
    shade = np.linspace(1, 0.5, HEIGHT)[:, None]
    page = (page * shade).astype(np.uint8)
    erased = erase_what_is_no_writing(page, page, said((Region.PRINT, 0, 0, WIDTH, HEIGHT))).page
    paper = 235 * np.broadcast_to(shade, page.shape)
    assert np.abs(erased[8:-8, 8:-8] - paper[8:-8, 8:-8]).max() < 14


def test_the_larger_page_is_erased_where_the_small_copy_was() -> None:
    small = page_of(("PRINT", 20, 60), ("HAND", 20, 200))
    page = np.asarray(cv2.resize(small, None, fx=3, fy=3, interpolation=cv2.INTER_LINEAR), np.uint8)
    erased = erase_what_is_no_writing(page, small, said((Region.PRINT, 0, 0, WIDTH, 100))).page
    assert erased.shape == page.shape and (erased[:300] > 180).all()
    assert np.array_equal(erased[360:], page[360:])


def test_a_blank_page_has_no_shares() -> None:
    page = page_of()
    assert sum(erase_what_is_no_writing(page, page, said()).shares) == 0


def test_a_page_with_few_pieces_of_print_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    page = page_of(("PRINT", 20, 60), ("HAND", 20, 200))
    answer = said((Region.PRINT, 0, 0, WIDTH, 100))
    monkeypatch.setattr(regions, "LEAST_PRINTED_PIECES", 5)
    assert erase_what_is_no_writing(page, page, answer).page is not page
    monkeypatch.setattr(regions, "LEAST_PRINTED_PIECES", 6)
    assert erase_what_is_no_writing(page, page, answer).page is page
