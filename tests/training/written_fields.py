"""Draws fields with OpenCV, and writes what lines are made from: glyphs, pen strokes."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.settings import DIGITS, LETTERS
from lettermill.training.lines.line_sources import LineSources, load_sources
from tests.drawn_letters import write_set


def field_image(text: str) -> NDArray[np.uint8]:
    """Dark text on light paper."""
    image = np.full((60, 40 + 32 * max(1, len(text))), 235, np.uint8)
    cv2.putText(image, text, (16, 44), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 30, 3, cv2.LINE_AA)
    return image


def write_fields(folder: Path, texts: Sequence[str]) -> Path:
    """Write a folder of fields and its truth; return the truth's path."""
    folder.mkdir(parents=True)
    truth = folder.with_suffix(".csv")
    with truth.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "label"])
        for number, text in enumerate(texts):
            cv2.imwrite(str(folder / f"{number:03}.png"), field_image("" if text == "EMPTY" else text))
            writer.writerow([f"{number:03}.png", text])
    return truth


def write_strokes(path: Path, texts: Sequence[str], first: str, site: str = "abc", bar: int = 40) -> None:
    """Write pen strokes: each text two strokes, a vertical and a bar of some width, by one writer."""
    strokes = [np.array([[0, 0], [0, 50], [4, 100]]), np.array([[0, 50], [bar * len(texts[0]), 52]])]
    lengths = np.array([len(stroke) for stroke in strokes] * len(texts))
    np.savez(
        path,
        points=np.concatenate(strokes * len(texts)).astype(np.float32),
        stroke_start=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
        y=np.array(texts),
        writer=np.array(["w1"] * len(texts)),
        site=np.array([site] * len(texts)),
        **{first: np.arange(0, 2 * len(texts) + 1, 2, dtype=np.int32)},
    )


def join_strokes(path: Path, *parts: Path) -> Path:
    """Write the characters of several archives of pen strokes as one."""
    archives = []
    for part in parts:
        with np.load(part) as archive:
            archives.append(dict(archive))
    joined = {
        name: np.concatenate([archive[name] for archive in archives])
        for name in ("points", "y", "writer", "site")
    }
    for name in ("stroke_start", "char_first_stroke"):
        counts = np.concatenate([np.diff(archive[name]) for archive in archives])
        joined[name] = np.concatenate([[0], np.cumsum(counts)])
    np.savez(path, **joined)
    return path


def write_sources(folder: Path) -> Path:
    """Write a folder of all that lines are made from but fonts."""
    folder.mkdir(parents=True)
    write_set(folder / "one_set.npz", 0, 3)
    write_strokes(folder / "pen_caps_strokes.npz", list(LETTERS + DIGITS), "char_first_stroke")
    write_strokes(folder / "pen_words_strokes.npz", ["HAT", "TIN"], "word_first_stroke")
    return folder


def drawn_sources(folder: Path) -> LineSources:
    """Load what `write_sources` writes."""
    return load_sources([write_sources(folder / "sources")])
