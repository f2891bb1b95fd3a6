"""Pen strokes, rendered again and again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lettermill.jobs.errors import BadData
from lettermill.training.letters import strokes
from lettermill.training.letters.set_formats import NO_LETTER


def drawing_file(folder: Path, drawings: object) -> Path:
    path = folder / "hands_strokes.json"
    path.write_text(json.dumps(drawings), encoding="utf-8")
    return path


def test_strokes_are_rendered_with_their_writer(tmp_path: Path) -> None:
    bar, stem = [[0, 10], [40, 10]], [[20, 10], [20, 90]]
    path = drawing_file(tmp_path, {"T": [[bar, stem], [stem]], "I": [[stem]]})
    content = strokes.read_strokes(path)
    assert content.labels[:18] == ["T"] * 12 + ["I"] * 6
    assert content.writers[:18] == ["001"] * 6 + ["002"] * 6 + ["001"] * 6
    assert len({image.tobytes() for image in content.images[:18]}) == 18
    for image in content.images[:18]:
        assert image.shape == (96, 96)
        assert 0.01 < (image > 0).mean() < 0.6
    lines = list(zip(content.labels[18:], content.writers[18:], strict=True))
    assert {label for label, _ in lines} == {"T", "I", NO_LETTER}
    assert {label for label, writer in lines if writer == "002"} == {"T", NO_LETTER}
    again = strokes.read_strokes(path)
    assert all(np.array_equal(a, b) for a, b in zip(content.images, again.images, strict=True))


@pytest.mark.parametrize(
    "content",
    [
        *("no json", '["A"]', '{"A": 3}', '{"A": [[["x"]]]}'),
        *('{"A": [[[[1, 2, 3], [4, 5, 6]]]]}', '{"A": [[[[1, NaN], [4, 5]]]]}'),
        *('{"AB": [[[[1, 2], [4, 5]]]]}', '{"": [[[[1, 2], [4, 5]]]]}'),
    ],
)
def test_a_stroke_file_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad_strokes.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadData, match=r"bad_strokes\.json"):
        strokes.read_strokes(path)
