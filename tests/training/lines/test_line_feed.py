"""The feed of the line network's training: masks, batches, the process that makes lines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from lettermill.jobs.errors import BadData
from lettermill.training.lines.line_feed import (
    LineFeed,
    LineMixer,
    LineOrigins,
    LinePool,
    batch_lines,
    draw_mask,
    mask_of,
)
from lettermill.training.lines.made_lines import TrainingLine
from tests.support import wait_for
from tests.training.written_fields import write_fields, write_sources

CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-.,'"


def line(text: str, columns: int = 96, marks_unknown: bool = False) -> TrainingLine:
    return TrainingLine(np.full((32, columns), 100, np.uint8), text, marks_unknown)


def masks(one: TrainingLine) -> set[bytes]:
    rng = np.random.default_rng(1)
    return {draw_mask(one, rng).tobytes() for _ in range(40)}


def test_a_mask_always_allows_the_blank_and_the_text() -> None:
    rng = np.random.default_rng(1)
    for text in ("ABC", "O'NEIL-X", "1/2", "3,50", "A1", "A.B", ""):
        for _ in range(20):
            mask = draw_mask(line(text), rng)
            assert mask.shape == (42,) and mask[-1] == 1
            assert all(mask[CHARACTERS.index(character)] == 1 for character in text)


def test_letters_are_masked_to_letters_half_of_the_time() -> None:
    everything = mask_of(CHARACTERS).tobytes()
    assert masks(line("ABC")) == {everything, mask_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ-'").tobytes()}
    assert masks(line("12")) == {everything, mask_of("0123456789/-.,").tobytes()}
    assert masks(line("A1")) == masks(line("A.")) == masks(line("")) == {everything}
    assert masks(line("12", marks_unknown=True)) == {mask_of("0123456789").tobytes()}
    rng = np.random.default_rng(2)
    share = np.mean([draw_mask(line("ABC"), rng)[CHARACTERS.index("0")] for _ in range(2000)])
    assert 0.45 < share < 0.55


def test_batches_are_of_about_one_width_and_a_multiple_of_eight() -> None:
    pool, rng = LinePool(), np.random.default_rng(1)
    pool.add([line("A", columns) for columns in (32, 64, 128, 320, 640) for _ in range(8)])
    pool.index()
    areas = []
    for _ in range(40):
        batch = pool.batch(rng)
        count, rows, columns, _ = batch.images.shape
        assert rows == 32 and columns % 8 == 0 and batch.images.dtype == np.uint8
        assert count == len(batch.texts) == len(batch.masks) and count % 4 == 0
        areas.append(count * columns)
    assert max(areas) / min(areas) < 4


def test_every_line_is_as_likely_as_any_other() -> None:
    pool, rng = LinePool(), np.random.default_rng(1)
    pool.add([line("A", 64)] * 50 + [line("B", 512)] * 50)
    pool.index()
    texts = [text for _ in range(600) for text in pool.batch(rng).texts]
    assert 0.42 < texts.count("A") / len(texts) < 0.58


def test_lines_without_room_for_their_text_are_left_out_and_old_ones_replaced() -> None:
    pool = LinePool(capacity=3)
    pool.add([line("A" * 30, 96), line("A", 648)])
    assert len(pool) == 0
    pool.add([line(letter) for letter in "ABCDE"])
    pool.index()
    assert len(pool) == 3
    drawn = set("".join(pool.batch(np.random.default_rng(1)).texts))
    assert drawn == {"C", "D", "E"}


def test_batches_shrink_with_the_width() -> None:
    sizes = [batch_lines(width) for width in range(1, 21)]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] == 64 and sizes[-1] == 8


def test_real_and_made_lines_are_mixed_and_empty_ones_joined(tmp_path: Path) -> None:
    truth = write_fields(tmp_path / "fields", ["QQQ", "EMPTY"] * 7)
    origins = LineOrigins((write_sources(tmp_path / "sources"),), ((tmp_path / "fields", truth),))
    mixer = LineMixer(origins, 1)
    lines = [mixer.line() for _ in range(150)]
    real = sum(one.text == "QQQ" for one in lines)
    assert 0.1 < real / len(lines) < 0.45
    assert all(one.text and one.image.shape[1] % 8 == 0 for one in lines)
    again = LineMixer(origins, 1)
    assert [again.line().text for _ in range(150)] == [one.text for one in lines]


def test_a_process_fills_the_pool(tmp_path: Path) -> None:
    truth = write_fields(tmp_path / "fields", ["AB", "CD"] * 7)
    with LineFeed(LineOrigins((), ((tmp_path / "fields", truth),)), 1, first_lines=64) as feed:
        assert feed.made >= 64
        feed.refresh()
        assert set(feed.batch().texts) <= {"AB", "CD"}
        process = feed._process
    assert not process.is_alive()


def test_a_process_that_cannot_make_lines_ends_the_training(tmp_path: Path) -> None:
    feed = LineFeed(LineOrigins((tmp_path / "gone",)), 1)
    with pytest.raises(BadData, match="gone is not a folder"), feed:
        pass
    assert not feed._process.is_alive()


def test_what_lines_are_made_from_is_reported(tmp_path: Path) -> None:
    reported: list[str] = []
    sources = write_sources(tmp_path / "sources")
    with LineFeed(LineOrigins((sources,)), 1, first_lines=32, report=reported.append):
        assert "1 writers' pen strokes, 2 words" in reported[-1]


def test_the_process_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    truth = write_fields(tmp_path / "fields", ["AB"] * 7)
    code = (
        "import sys, time; from pathlib import Path\n"
        "from lettermill.training.lines.line_feed import LineFeed, LineOrigins\n"
        "if __name__ == '__main__':\n"
        "    origins = LineOrigins((), ((Path(sys.argv[1]), Path(sys.argv[2])),))\n"
        "    with LineFeed(origins, 1, first_lines=32) as feed:\n"
        "        print(feed._process.pid, flush=True)\n"
        "        time.sleep(60)\n"
    )
    script = tmp_path / "feeds.py"
    script.write_text(code)
    words = [sys.executable, str(script), str(tmp_path / "fields"), str(truth)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        maker = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    wait_for(lambda: not maker.is_running() or maker.status() == psutil.STATUS_ZOMBIE)
