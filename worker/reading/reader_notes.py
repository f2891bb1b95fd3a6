"""Reports to the trace what each of the two readers says of a line by itself, beside the chosen reading."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from lettermill.segmentation.trace import ReadAt, Trace
from lettermill.segmentation.values import Candidate
from lettermill.worker.reading.line_evidence import Steps

_VIEWS = ("line network", "line network, stretched", "line network, whole image")


def note_readers(
    trace: Trace,
    line: Sequence[Candidate],
    cnn: Sequence[tuple[str, Candidate]],
    views: Sequence[Steps],
    characters: str,
    chosen: Sequence[tuple[str, Candidate]],
) -> None:
    """Report the readings of a line.

    Args:
        trace: receives them.
        line: all candidates of the line.
        cnn: the letters of the CNN's own best path.
        views: what the line network says of the line, in each view.
        characters: those that the line network knows.
        chosen: the letters of the reading.
    """
    network = {name: best_path(view, characters) for name, view in zip(_VIEWS, views, strict=False)}
    top = min(one.top for one in line)
    bottom = max(one.top + one.ink.shape[0] for one in line)
    trace.note_readings(top, bottom, {"CNN": _placed(cnn), **network, "chosen": _placed(chosen)})


def best_path(view: Steps, characters: str) -> list[tuple[str, float]]:
    """Return the characters of `Steps.text`, each with its middle column in the ink frame."""
    found, step = [], 0
    for best, group in itertools.groupby(view.probabilities.argmax(axis=1).tolist()):
        count = len(list(group))
        if best < len(characters):
            found.append((characters[best], view.left + (step + count / 2) * view.columns))
        step += count
    return found


def _placed(letters: Sequence[tuple[str, Candidate]]) -> ReadAt:
    return [(letter, one.left + one.ink.shape[1] / 2) for letter, one in letters]
