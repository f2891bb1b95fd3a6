"""Explains a classification: occlusion sensitivity, and the picture of `predict --explain`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.storage.atomic import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PATCH_PIXELS = 5
"""Side of the square of ink that is removed: wider than a stroke, narrower than an arc."""

_MIN_PROBABILITY = 1e-12
"""Lower bound of a probability, so that its logarithm stays finite."""

_MAX_BARS = 6
"""Characters whose confidence the picture shows."""

_MAX_TITLE_LETTERS = 90
"""A longer file name is shortened in the title."""

Probabilities = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Maps uint8, n×28×28, to float32, n×characters, rows sum to 1; for example `Classifier.probabilities`."""


def occlusion_map(
    probabilities: Probabilities, glyph: NDArray[np.uint8], column: int | None = None
) -> NDArray[np.float32]:
    """Measure how much each pixel of a glyph supports its character: occlusion sensitivity.

    After Zeiler and Fergus 2014 (arXiv:1311.2901): a square of ink is removed at each position in turn, and
    the fall of the character's log-odds is recorded. All these glyphs, some hundreds, are classified in one
    call. In that article the square becomes grey. Here it becomes paper, because a grey square would look
    like a stroke. Squares without ink change nothing and are skipped.

    Args:
        probabilities: the network; it determines which characters compete.
        glyph: uint8, 28×28, as `segmentation.glyph.normalise` makes it.
        column: the column of the character to explain; None for the most probable one.

    Returns:
        float32, 28×28: the mean fall of the log-odds, in nats, over the squares that cover the pixel.
        Positive where ink supports the character, negative where ink contradicts it, 0 far from ink.
    """
    height, width = glyph.shape
    corners = [
        (top, left)
        for top in range(1 - PATCH_PIXELS, height)
        for left in range(1 - PATCH_PIXELS, width)
        if glyph[_square(top, left)].any()
    ]
    occluded = np.repeat(glyph[None], len(corners) + 1, axis=0)
    for one, (top, left) in zip(occluded[1:], corners, strict=True):
        one[_square(top, left)] = 0
    answers = probabilities(occluded).astype(np.float64)
    if column is None:
        column = int(answers[0].argmax())
    # The sum of the others, not 1 minus the probability: near 1 the difference would lose its digits.
    others = np.delete(answers, column, axis=1).sum(axis=1)
    own = np.maximum(answers[:, column], _MIN_PROBABILITY)
    odds = np.log(own) - np.log(np.maximum(others, _MIN_PROBABILITY))
    fall = np.zeros(glyph.shape)
    for (top, left), after in zip(corners, odds[1:], strict=True):
        fall[_square(top, left)] += odds[0] - after
    return (fall / PATCH_PIXELS**2).astype(np.float32)


def draw_explanation(
    path: Path,
    name: str,
    remark: str,
    image: NDArray[np.uint8],
    glyph: NDArray[np.uint8],
    probabilities: Probabilities,
    characters: str,
) -> None:
    """Draw an image, the glyph that the CNN saw of it, which ink decided, and the likeliest characters.

    Args:
        path: the PNG file to write.
        name: of the image, for the title.
        remark: what is odd about the image; may be empty.
        image: uint8, h×w, grey.
        glyph: uint8, 28×28.
        probabilities: the network.
        characters: those of its columns.

    Raises:
        ResultsNotWritable: the file cannot be written.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    row = probabilities(glyph[None])[0]
    ranking = [
        (characters[index], float(row[index])) for index in np.argsort(-row, kind="stable")[:_MAX_BARS]
    ]
    letter = ranking[0][0]
    fall = occlusion_map(probabilities, glyph)
    strongest = float(np.abs(fall).max()) or 1.0
    tint = mpl.colormaps["RdBu_r"](fall / strongest / 2 + 0.5)[..., :3]

    # A dollar sign in a file name must not begin a formula.
    with mpl.rc_context({"text.parse_math": False}), atomic_write(path) as file:
        figure = Figure(figsize=(12, 3.9), dpi=100, layout="constrained")
        figure.suptitle(f"{_short(name)}: {letter}, {ranking[0][1]:.1%}" + (f"\n{remark}" if remark else ""))
        image_axes, glyph_axes, map_axes, bar_axes = figure.subplots(1, 4)
        image_axes.set_title(f"the image, {image.shape[1]}×{image.shape[0]}", fontsize=10)
        glyph_axes.set_title("what the CNN saw, 28×28", fontsize=10)
        map_axes.set_title(f"which ink decided\nred supports {letter}, blue contradicts", fontsize=10)
        for axes in (image_axes, glyph_axes, map_axes):
            axes.set_xticks([])
            axes.set_yticks([])
        image_axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
        glyph_axes.imshow(255 - glyph, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        # The map colours the paper; the ink is drawn over it in grey.
        map_axes.imshow(tint * (1 - 0.6 * glyph[..., None] / 255), interpolation="nearest")
        _draw_bars(bar_axes, ranking)
        figure.savefig(file.buffer, format="png")


def _draw_bars(axes: Axes, ranking: Sequence[tuple[str, float]]) -> None:
    """Draw a bar for each character; its length is the probability."""
    bars = axes.barh([name for name, _ in ranking], [share for _, share in ranking], color="#2f5d8a")
    axes.bar_label(bars, [f"{share:.1%}" for _, share in ranking], padding=3, fontsize=10)
    axes.set_title("how sure it is", fontsize=10)
    axes.set_xlim(0, 1.25)
    axes.invert_yaxis()
    axes.set_xticks([])
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def _short(text: str) -> str:
    """Shorten a long name to its end, which distinguishes files."""
    return text if len(text) <= _MAX_TITLE_LETTERS else f"…{text[-_MAX_TITLE_LETTERS:]}"


def _square(top: int, left: int) -> tuple[slice, slice]:
    """Return the part of a square that lies in the glyph."""
    return slice(max(0, top), top + PATCH_PIXELS), slice(max(0, left), left + PATCH_PIXELS)
