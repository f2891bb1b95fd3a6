"""Results come in order, and no further ahead than they should."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from lettermill.jobs.storage.parallel import in_order


@pytest.mark.parametrize("at_once", [1, 4])
def test_results_come_in_the_order_of_the_inputs(at_once: int) -> None:
    def act(number: int) -> int:
        time.sleep(0.001 * (number % 3))
        return number * number

    assert list(in_order(act, range(50), at_once)) == [(number, number**2) for number in range(50)]


def test_calls_run_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=30)
    assert [number for number, _ in in_order(lambda _: together.wait(), range(3), 3)] == [0, 1, 2]


def test_inputs_are_read_only_a_little_ahead() -> None:
    taken = []

    def inputs() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    for number, _ in in_order(str, inputs(), 2):
        assert len(taken) <= number + 4 * 2 + 1


def test_a_failure_ends_it() -> None:
    def act(number: int) -> int:
        return 1 // (3 - number)

    found = []
    with pytest.raises(ZeroDivisionError):
        found += [number for number, _ in in_order(act, range(100), 2)]
    results = in_order(act, range(100), 2)
    assert [next(results)[0] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ZeroDivisionError):
        next(results)
