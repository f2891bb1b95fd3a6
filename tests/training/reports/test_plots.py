"""Plots: each is a picture of ink on paper, whatever the numbers."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from lettermill.training.fitting.fit import Epoch
from lettermill.training.measure import TARGETS, accept_curve, reliability
from lettermill.training.reports import plots

CONFIDENCE = np.array([0.2, 0.95, 0.99, 0.999])
RIGHT = np.array([False, True, True, True])
GLYPHS = np.zeros((3, 28, 28), np.uint8)
GLYPHS[:, 4:24, 13:15] = 255


def curves(path: Path) -> None:
    plots.draw_curves([Epoch(1, 2.0, 0.4, 1.5, 0.5, 3.0), Epoch(2, 1.0, 0.7, 0.9, 0.8, 3.0)], path)


def curves_without_validation(path: Path) -> None:
    nan = float("nan")
    plots.draw_curves([Epoch(1, 2.0, 0.4, nan, nan, 3.0)], path)


def confusion(path: Path) -> None:
    plots.draw_confusion(np.array([[5, 2], [0, 2000]]), ["A", "B"], path)


def reliability_of_few(path: Path) -> None:
    bins = reliability(CONFIDENCE, RIGHT), reliability(CONFIDENCE, RIGHT, 0.9, 10)
    plots.draw_reliability(*bins, path)


def accept(path: Path) -> None:
    plots.draw_accept({"all $letters": accept_curve(CONFIDENCE, RIGHT)}, TARGETS, 4, path)


def counts(path: Path) -> None:
    plots.draw_counts({"one": {"A": 3, "b": 1}, "a $ource": {"7": 2}}, path)


def sheet(path: Path) -> None:
    plots.draw_sheet({"A": GLYPHS, "7": GLYPHS[:1], "a": GLYPHS[:2]}, 3, path)


def filters(path: Path) -> None:
    kernels = np.random.default_rng(0).normal(0, 1, (4, 5, 5)).astype(np.float32)
    plots.draw_filters(kernels, GLYPHS[0], path)


def where(path: Path) -> None:
    plots.draw_where(GLYPHS, [np.zeros((28, 28), np.float32)] * 3, ["A", "B", "C"], path)


def scores(path: Path) -> None:
    plots.draw_scores(CONFIDENCE, {"blot": CONFIDENCE, "none of these": np.zeros(0)}, path)


def changes(path: Path) -> None:
    plots.draw_changes(["A", "B"], [0.1, -0.2], path)


@pytest.mark.parametrize(
    "draw",
    [
        curves,
        curves_without_validation,
        confusion,
        reliability_of_few,
        accept,
        counts,
        sheet,
        filters,
        where,
        scores,
        changes,
    ],
)
def test_a_plot_is_ink_on_white_paper(tmp_path: Path, draw: Callable[[Path], None]) -> None:
    draw(tmp_path / "plot.png")
    image = cv2.imread(str(tmp_path / "plot.png"))
    assert image is not None and image.min() < 128 and image.max() == 255
    assert tuple(image[0, -1]) == (255, 255, 255)


def test_a_glyph_s_picture_is_dark_on_light_and_small() -> None:
    content = plots.glyph_png(GLYPHS[0])
    image = np.asarray(PIL.Image.open(io.BytesIO(content)).convert("L"))
    assert image.shape == (28, 28) and len(content) < 500
    assert (image[4:24, 13:15] < 20).all() and (image[:, :10] > 235).all()
