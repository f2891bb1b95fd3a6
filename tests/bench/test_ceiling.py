"""Floors of stages, and the stopwatch."""

from __future__ import annotations

import math

from bench.ceiling import Stopwatch, floors, products_of
from lettermill.jobs.inputs.model import installed_model_folder, load_model


def test_multiply_adds_are_those_of_the_graph() -> None:
    products = products_of(load_model(installed_model_folder()).network)
    # The first convolution looks at 28×28 pixels once each; the last product gives a score a label.
    assert products[0][0] == 28 * 28
    assert products[-1][0] == 1
    weights = sum(inner * columns for _, inner, columns in products)
    assert weights < sum(math.prod(each) for each in products)


def test_floors_come_from_the_best_rates() -> None:
    rate = {"product a": 5.0, "product b": 10.0, "decode PNG": 4.0, "decode JPEG": 8.0, "copy": 50.0}
    found = floors(rate, pixels=100, multiply_adds=40)
    assert found == {"decode": 25, "segmentation": 10, "CNN": 4}


def test_what_a_stage_calls_of_another_counts_for_the_other() -> None:
    watch = Stopwatch()
    burn = watch.timed("inner", lambda: sum(range(2_000_000)))
    watch.timed("outer", lambda: [burn() for _ in range(3)])()
    assert watch.seconds["inner"] > watch.seconds["outer"] >= 0
