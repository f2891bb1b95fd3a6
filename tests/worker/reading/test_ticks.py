"""A box is ticked, empty or doubtful by its ink."""

from __future__ import annotations

import msgspec
import pytest

from lettermill.jobs.inputs.field_kinds import KINDS
from lettermill.jobs.records.readings import Box
from lettermill.worker.reading.ticks import TICK_BOUNDS, bounds_of, read_tick

BOX = Box(5, 5, 40, 40)


def test_only_ticks_and_signatures_are_decided_by_ink() -> None:
    keys = {"date": {"order": "DMY"}, "choice": {"choices": ["A"]}}
    table = {"name": "x", "box": [0, 0, 9, 9]}
    kinds = {
        name: msgspec.convert({"kind": name, **table, **keys.get(name, {})}, kind)
        for name, kind in KINDS.items()
    }
    assert [name for name, kind in kinds.items() if bounds_of(kind)] == ["tick", "signature"]


@pytest.mark.parametrize(
    ("share", "flagged"),
    [(0.0, None), (0.02, None), (0.021, True), (0.049, True), (0.05, False), (0.4, False)],
)
def test_between_the_bounds_somebody_must_look(share: float, flagged: bool | None) -> None:
    line = read_tick("yes", BOX, share, TICK_BOUNDS)
    if flagged is None:
        assert line is None
    else:
        assert line is not None
        assert (line.field, line.text, line.letters[0].flagged) == ("yes", "X", flagged)


def test_more_ink_makes_surer() -> None:
    lines = [read_tick("yes", BOX, share, TICK_BOUNDS) for share in (0.03, 0.06, 0.2)]
    sure = [line.confidence or 0.0 for line in lines if line]
    assert sure == sorted(sure)
    assert sure[0] < 0.6
    assert sure[-1] > 0.95
