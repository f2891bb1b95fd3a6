"""What the CNN saw and where it looked: occlusion sensitivity, and the picture of `predict --explain`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.storage.atomic import atomic_write

PATCH = 5
"""Side in pixels of the square of ink that is removed: wider than a stroke, narrower than an arc."""

_LEAST = 1e-12
"""Probability below which nothing is told apart, so that a logarithm stays finite."""

_BARS = 6
"""How many characters the picture shows with their confidence."""

_LONGEST_TITLE = 90

Probabilities = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""uint8 n×28×28 to float32 n×k, rows sum to 1: `Classifier.probabilities`, for one."""


def occlusion_map(
    probabilities: Probabilities, glyph: NDArray[np.uint8], column: int | None = None
) -> NDArray[np.float32]:
    """Measure how much each place of a glyph speaks for its character: occlusion sensitivity.

    After Zeiler and Fergus 2014 (arXiv:1311.2901): a square of ink is removed at every place in turn, and the
    fall of the character's log-odds is noted. All these glyphs, some hundreds, go through the network in
    one call. In the paper the square becomes grey; here it becomes paper, for a grey square would be a
    stroke of its own. Squares without ink change nothing and are not asked about.

    Args:
        probabilities: the network; it decides which characters compete.
        glyph: uint8, 28×28, as `segmentation.glyph.normalise` makes it.
        column: which of the network's columns is explained; None for the most probable one.

    Returns:
        float32, 28×28: the mean fall of the log-odds, in nats, over the squares that cover the pixel.
        Positive where ink speaks for the character, negative where it speaks against, 0 far from ink.
    """
    height, width = glyph.shape
    corners = [
        (top, left)
        for top in range(1 - PATCH, height)
        for left in range(1 - PATCH, width)
        if glyph[_square(top, left)].any()
    ]
    asked = np.repeat(glyph[None], len(corners) + 1, axis=0)
    for occluded, (top, left) in zip(asked[1:], corners, strict=True):
        occluded[_square(top, left)] = 0
    answers = probabilities(asked).astype(np.float64)
    if column is None:
        column = int(answers[0].argmax())
    # One minus a probability near 1 would lose what the sum of the others still tells.
    others = np.delete(answers, column, axis=1).sum(axis=1)
    odds = np.log(np.maximum(answers[:, column], _LEAST)) - np.log(np.maximum(others, _LEAST))
    fall = np.zeros(glyph.shape)
    for (top, left), after in zip(corners, odds[1:], strict=True):
        fall[_square(top, left)] += odds[0] - after
    return (fall / PATCH**2).astype(np.float32)


def draw_explanation(
    path: Path,
    name: str,
    remark: str,
    image: NDArray[np.uint8],
    glyph: NDArray[np.uint8],
    probabilities: Probabilities,
    characters: str,
) -> None:
    """Draw an image, the glyph that the CNN saw of it, where it looked, and how sure it is of what.

    Args:
        path: the PNG file to write.
        name: the image's name, for the title.
        remark: what is odd about the image; may be empty.
        image: uint8, h×w, grey.
        glyph: uint8, 28×28.
        probabilities: the network.
        characters: what its columns stand for.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    row = probabilities(glyph[None])[0]
    ranking = [(characters[index], float(row[index])) for index in np.argsort(-row, kind="stable")[:_BARS]]
    fall = occlusion_map(probabilities, glyph)
    letter = ranking[0][0]
    # A file's name may hold a dollar sign, which is no formula.
    with mpl.rc_context({"text.parse_math": False}), atomic_write(path) as file:
        figure = Figure(figsize=(12, 3.9), dpi=100, layout="constrained")
        figure.suptitle(f"{_short(name)}: {letter}, {ranking[0][1]:.1%}" + (f"\n{remark}" if remark else ""))
        seen, saw, where, sure = figure.subplots(1, 4)
        for axes, words in (
            (seen, f"the image, {image.shape[1]}×{image.shape[0]}"),
            (saw, "what the CNN saw, 28×28"),
            (where, f"where it looked\nred speaks for {letter}, blue against"),
        ):
            axes.set_title(words, fontsize=10)
            axes.set_xticks([])
            axes.set_yticks([])
        seen.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
        saw.imshow(255 - glyph, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        most = float(np.abs(fall).max()) or 1.0
        tint = mpl.colormaps["RdBu_r"](fall / most / 2 + 0.5)[..., :3]
        # The map tints the paper, and the ink stays on it in grey.
        where.imshow(tint * (1 - 0.6 * glyph[..., None] / 255), interpolation="nearest")
        bars = sure.barh([name for name, _ in ranking], [share for _, share in ranking], color="#2f5d8a")
        sure.bar_label(bars, [f"{share:.1%}" for _, share in ranking], padding=3, fontsize=10)
        sure.set_title("how sure it is", fontsize=10)
        sure.set_xlim(0, 1.25)
        sure.invert_yaxis()
        sure.set_xticks([])
        sure.spines[["top", "right", "bottom"]].set_visible(False)
        figure.savefig(file.buffer, format="png")


def _short(text: str) -> str:
    """The end of a long name, which tells files apart."""
    return text if len(text) <= _LONGEST_TITLE else f"…{text[-_LONGEST_TITLE:]}"


def _square(top: int, left: int) -> tuple[slice, slice]:
    """The part of a square that lies in the glyph."""
    return slice(max(0, top), top + PATCH), slice(max(0, left), left + PATCH)
