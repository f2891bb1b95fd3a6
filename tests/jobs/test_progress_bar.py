from __future__ import annotations

import pytest

from lettermill.jobs.progress_bar import ProgressBar


def test_a_bar_shows_both_texts_the_count_and_lines_above_it(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("reading", "pages", total=3, drawn=True) as bar:
        bar.advance()
        bar.show(2, 4, after="pages · [1] failed")
        bar.print_above("no worker [yet]")

    shown = capsys.readouterr()
    assert shown.out == ""
    assert "no worker [yet]" in shown.err
    last = shown.err.splitlines()[-1]
    assert last.startswith("reading")
    assert "2/4 pages · [1] failed" in last


def test_a_bar_without_a_count_shows_none(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("epoch 1/9", total=90, done=30, count_shown=False, drawn=True) as bar:
        bar.advance(10, before="epoch 2/9")

    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("epoch 2/9")
    assert "/90" not in last


def test_nothing_is_drawn_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("reading", total=3) as bar:
        bar.advance()
        bar.show(2, 3)
        assert not bar.drawn
        assert bar.steps_per_second is None
    assert capsys.readouterr().err == ""


def test_a_line_is_printed_even_where_no_bar_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("reading", total=3, drawn=False) as bar:
        bar.print_above("no worker yet")
    assert capsys.readouterr().err == "no worker yet\n"
