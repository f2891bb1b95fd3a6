"""HEIC: the files of the cases, as phones write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.scans.heic import decode_heic
from lettermill.jobs.scans.page_count import count_pages
from lettermill.jobs.scans.reader import read_page
from lettermill.jobs.settings import Limits

FILES = Path(__file__).parents[2] / "cases/files/containers"

TURNED, SECOND = FILES / "turned.heic", FILES / "second-picture.heif"


def test_it_is_turned_once_and_the_primary_picture_is_the_page() -> None:
    turned, second = (read_page(path, 1, 300, Limits()).astype(int) for path in (TURNED, SECOND))
    assert turned.shape == second.shape == (364, 634)
    assert np.corrcoef(turned.ravel(), second.ravel())[0, 1] > 0.99
    assert count_pages(SECOND, Limits()) == 1
    with pytest.raises(ScanError) as caught:
        read_page(SECOND, 2, 300, Limits())
    assert caught.value.code is ErrorCode.NO_SUCH_PAGE


def test_it_is_larger_than_the_limit() -> None:
    with TURNED.open("rb") as file, pytest.raises(ScanError) as caught:
        decode_heic(file, Limits(max_megapixels=0.1))
    assert caught.value.code is ErrorCode.TOO_MANY_PIXELS


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_it_is_cut_off(tmp_path: Path, share: float) -> None:
    content = TURNED.read_bytes()
    (tmp_path / "cut.heic").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ScanError) as caught:
        read_page(tmp_path / "cut.heic", 1, 300, Limits())
    assert caught.value.code is ErrorCode.TRUNCATED
