"""Draws the plots of a report as PNG files, with Matplotlib but without pyplot.

Glyphs are drawn dark on light, as on the page that they come from.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lettermill.training.measure import Bin, Interval

if TYPE_CHECKING:
    from lettermill.training.fitting.fit import Epoch

_BLUE, _ORANGE, _GREY = "#2f5d8a", "#c4601d", "#8a93a0"
_DPI = 100
_CELL_PIXELS = 30
"""Distance from glyph to glyph on a contact sheet."""

_TILE_PIXELS = 84
"""Side of an enlarged glyph: three times its own."""


def draw_curves(rows: Sequence[Epoch], path: Path) -> None:
    """Draw loss and accuracy of training and validation over the epochs.

    Args:
        rows: one per epoch.
        path: the PNG file to write.
    """
    epochs = [row.epoch for row in rows]
    parts = (
        (
            "training (augmented glyphs)",
            [row.loss for row in rows],
            [100 * row.accuracy for row in rows],
            _BLUE,
        ),
        (
            "validation (held out)",
            [row.validation_loss for row in rows],
            [100 * row.validation_accuracy for row in rows],
            _ORANGE,
        ),
    )
    with _figure(path, 10, 4) as figure:
        loss, accuracy = figure.subplots(1, 2)
        for name, losses, accuracies, colour in parts:
            loss.plot(epochs, losses, marker=".", color=colour, label=name)
            accuracy.plot(epochs, accuracies, marker=".", color=colour, label=name)
        loss.set(xlabel="epoch", ylabel="cross-entropy", title="Loss")
        accuracy.set(xlabel="epoch", ylabel="per cent right", title="Accuracy, all classes")
        for axes in (loss, accuracy):
            axes.grid(alpha=0.3)
            axes.legend()
            axes.xaxis.get_major_locator().set_params(integer=True)


def draw_confusion(counts: NDArray[np.int64], labels: Sequence[str], path: Path) -> None:
    """Draw how often each character was read as which.

    Args:
        counts: int64, k×k: rows are the truth, columns the answers.
        labels: k.
        path: the PNG file to write.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = max(5.0, 0.23 * len(labels) + 1.2)
    with _figure(path, side, side) as figure:
        axes = figure.subplots()
        axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1)  # The root shows rare confusions.
        places = range(len(labels))
        axes.set(xticks=places, xticklabels=labels, yticks=places, yticklabels=labels)
        axes.set(xlabel="read as", ylabel="is")
        axes.tick_params(top=True, labeltop=True, right=True, labelright=True, length=0)
        axes.set_xticks(np.arange(len(labels) + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(len(labels) + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="#e3e7ec", linewidth=0.5)
        axes.tick_params(which="minor", length=0)
        for row, column in np.argwhere((counts > 0) & ~np.eye(len(labels), dtype=bool)):
            colour = "white" if shares[row, column] > 0.3 else "black"
            text = str(counts[row, column]) if counts[row, column] < 1000 else "1k+"
            axes.text(column, row, text, ha="center", va="center", fontsize=6.5, color=colour)


def draw_reliability(whole: Sequence[Bin], zoom: Sequence[Bin], path: Path) -> None:
    """Draw how often letters of each confidence are right, over all confidences and near 1.

    Args:
        whole: bins from 0 to 1.
        zoom: bins of the highest confidences.
        path: the PNG file to write.
    """
    with _figure(path, 10, 5) as figure:
        upper, lower = figure.subplots(2, 2, height_ratios=(3, 1), sharex="col")
        for axes, counts, bins in zip(upper, lower, (whole, zoom), strict=True):
            low, width = bins[0].low, bins[0].high - bins[0].low
            filled = [(bin_, bin_.accuracy) for bin_ in bins if bin_.accuracy is not None]
            axes.plot([low, 1], [low, 1], color=_GREY, linestyle="--", label="honest")
            axes.errorbar(
                [bin_.confidence for bin_, _ in filled],
                [accuracy.value for _, accuracy in filled],
                yerr=_arms([accuracy for _, accuracy in filled]),
                color=_BLUE,
                marker="o",
                markersize=4,
                linestyle="none",
                elinewidth=1,
                label="measured, 95 % interval",
            )
            bottom = min([low, *(accuracy.low for _, accuracy in filled)])
            margin = 0.03 * (1 - bottom)
            axes.set(xlim=(low, 1), ylim=(bottom - margin, 1 + margin))
            axes.set(ylabel="share right")
            axes.grid(alpha=0.3)
            counts.bar(
                [bin_.low + width / 2 for bin_ in bins],
                [bin_.count for bin_ in bins],
                width=0.92 * width,
                color=_GREY,
            )
            counts.set_yscale("symlog", linthresh=1)
            counts.set(xlabel="confidence", ylabel="letters", ylim=(0, None))
            counts.yaxis.set_major_formatter(lambda count, _: f"{count:,.0f}")
        upper[0].set_title("All confidences")
        upper[1].set_title(f"From {zoom[0].low:g} to 1")
        upper[0].legend(loc="lower right")


def draw_accept(
    curves: Mapping[str, NDArray[np.float64]], targets: Sequence[float], letters: int, path: Path
) -> None:
    """Draw the error rate of the accepted letters against their share, letters accepted most confident first.

    Args:
        curves: name to m×3 as `accept_curve` returns it; the first is drawn thick.
        targets: shares of right letters to mark.
        letters: the number of letters of the first curve: no error rate lies between 0 and one letter.
        path: the PNG file to write.
    """
    floor = min(0.5 / letters, (1 - max(targets)) / 2)
    with _figure(path, 8, 4.5) as figure:
        axes = figure.subplots()
        for number, (name, curve) in enumerate(curves.items()):
            first = number == 0
            axes.plot(
                100 * curve[:, 1],
                np.maximum(curve[:, 2], floor),
                linewidth=2.4 if first else 1,
                color="black" if first else None,
                label=name,
                zorder=3 if first else 2,
                drawstyle="steps-post",
            )
        for target in targets:
            axes.axhline(1 - target, color=_GREY, linestyle=":", linewidth=1)
            axes.text(100.7, 1 - target, f"{target:.1%} right", fontsize=8, color="#5a6372", va="center")
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(_percent)
        axes.set(xlim=(0, 100), ylim=(floor, 1), xlabel="accepted letters, per cent of all")
        axes.set(ylabel="wrong among the accepted")
        axes.grid(alpha=0.3)
        axes.legend(loc="upper left", fontsize=8, ncols=2)


def draw_counts(counts: Mapping[str, Mapping[str, int]], path: Path) -> None:
    """Draw the number of letters of each class in each source.

    Args:
        counts: source to label to count.
        path: the PNG file to write.
    """
    labels = sorted({label for row in counts.values() for label in row}, key=_by_kind)
    with _figure(path, max(6.0, 0.2 * len(labels) + 2), 1.1 * len(counts) + 0.6) as figure:
        every = figure.subplots(len(counts), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (source, row) in zip(every, counts.items(), strict=True):
            axes.bar(range(len(labels)), [row.get(label, 0) for label in labels], color=_BLUE)
            axes.set_title(f"{source}: {sum(row.values()):,}", fontsize=9, loc="left")
            axes.tick_params(labelsize=7)
            axes.grid(axis="y", alpha=0.3)
        every[-1].set(xticks=range(len(labels)), xticklabels=labels, xlim=(-0.7, len(labels) - 0.3))


def draw_sheet(rows: Mapping[str, NDArray[np.uint8]], columns: int, path: Path) -> None:
    """Draw a contact sheet, one row per class, in up to three blocks side by side.

    Args:
        rows: label to glyphs, uint8 m×28×28.
        columns: the number of glyphs that fit in a row.
        path: the PNG file to write.
    """
    names = sorted(rows, key=_by_kind)
    blocks = min(3, max(1, len(names) // 6))
    height = -(-len(names) // blocks)
    wide, high = columns * _CELL_PIXELS, height * _CELL_PIXELS
    gap = 26
    with _figure(path, blocks * (wide + gap) / _DPI, high / _DPI, tight=False) as figure:
        for block in range(blocks):
            own = names[block * height : (block + 1) * height]
            paper = np.full((high, wide), 255, np.uint8)
            for line, name in enumerate(own):
                for place, glyph in enumerate(rows[name][:columns]):
                    top, left = line * _CELL_PIXELS + 1, place * _CELL_PIXELS + 1
                    paper[top : top + 28, left : left + 28] = 255 - glyph
            start = (block * (wide + gap) + gap) / (blocks * (wide + gap))
            axes = figure.add_axes((start, 0, wide / (blocks * (wide + gap)), 1))
            axes.imshow(paper, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes.axis("off")
            for line, name in enumerate(own):
                axes.text(-8, (line + 0.5) * _CELL_PIXELS, name, ha="right", va="center", fontsize=10)


def draw_filters(kernels: NDArray[np.float32], glyph: NDArray[np.uint8], path: Path) -> None:
    """Draw the kernels of the first convolution, and the response of each to one glyph.

    Args:
        kernels: float32, m×h×w.
        glyph: uint8, 28×28.
        path: the PNG file to write.
    """
    import cv2

    ink = glyph.astype(np.float32) / 255
    responses = [
        np.asarray(cv2.filter2D(ink, -1, kernel, borderType=cv2.BORDER_CONSTANT), dtype=np.float32)
        for kernel in kernels
    ]
    most = max(float(np.abs(response).max()) for response in responses)
    paper = np.ones((_TILE_PIXELS, _TILE_PIXELS, 3))
    tiles = [_stacked(_enlarged(np.repeat(1 - ink[..., None], 3, axis=2)), paper)]
    for kernel, response in zip(kernels, responses, strict=True):
        above = _signed(kernel, float(np.abs(kernel).max()))
        tiles.append(_stacked(_enlarged(above), _enlarged(_signed(response, most))))
    _draw_tiles(tiles, ["glyph", *(f"{number}" for number in range(1, len(tiles)))], path)


def draw_where(
    glyphs: NDArray[np.uint8], maps: Sequence[NDArray[np.float32]], titles: Sequence[str], path: Path
) -> None:
    """Draw glyphs, each under the map of where the network looked: red for, blue against.

    Args:
        glyphs: uint8, n×28×28.
        maps: n of float32, 28×28, as `lettermill.worker.reading.explain.occlusion_map` returns them.
        titles: n.
        path: the PNG file to write.
    """
    tiles = []
    for glyph, fall in zip(glyphs, maps, strict=True):
        # The map tints the paper; the ink stays grey on it.
        tinted = _signed(fall, float(np.abs(fall).max())) * (1 - 0.62 * glyph[..., None] / 255)
        tiles.append(_enlarged(tinted))
    _draw_tiles(tiles, titles, path)


def draw_scores(letters: NDArray[np.float64], others: Mapping[str, NDArray[np.float64]], path: Path) -> None:
    """Draw the distribution of the reject class's probability, for letters and for each kind of non-letter.

    Args:
        letters: float64, n: scores from 0 to 1.
        others: kind to its scores.
        path: the PNG file to write.
    """
    edges = np.linspace(0, 1, 41)
    with _figure(path, 8, 4) as figure:
        axes = figure.subplots()
        for number, (name, scores) in enumerate({"letters": letters, **others}.items()):
            counts, _ = np.histogram(scores, edges)
            axes.stairs(
                counts / max(1, len(scores)),
                edges,
                label=name,
                color=f"C{number - 1}" if number else "black",
                linewidth=1.2 if number else 2,
            )
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(_percent)
        axes.set(xlim=(0, 1), xlabel="score for “not a letter”", ylabel="share of each kind")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)


def draw_changes(labels: Sequence[str], changes: Sequence[float], path: Path) -> None:
    """Draw how each class's recall changed, in percentage points.

    Args:
        labels: k.
        changes: k differences of shares.
        path: the PNG file to write.
    """
    with _figure(path, max(6.0, 0.24 * len(labels) + 1), 3) as figure:
        axes = figure.subplots()
        colours = [_BLUE if change >= 0 else _ORANGE for change in changes]
        axes.bar(range(len(labels)), [100 * change for change in changes], color=colours)
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set(xticks=range(len(labels)), xticklabels=labels, xlim=(-0.7, len(labels) - 0.3))
        axes.set(ylabel="percentage points of recall")
        axes.grid(axis="y", alpha=0.3)


def glyph_png(glyph: NDArray[np.uint8]) -> bytes:
    """Return one glyph as a PNG of its own size, in 16 greys, dark on light."""
    import PIL.Image

    file = io.BytesIO()
    levels = ((255 - glyph) // 17 * 17).astype(np.uint8)
    PIL.Image.fromarray(levels).quantize(16).save(file, "PNG", optimize=True)
    return file.getvalue()


def _signed(values: NDArray[np.float32], most: float) -> NDArray[np.float64]:
    """Return values from −most to most as colours, h×w×3: blue below 0, white at 0, red above."""
    share = np.clip(values / (most or 1.0), -1, 1)[..., None]
    red, blue = np.array([0.1, 0.75, 0.8]), np.array([0.8, 0.55, 0.1])
    return np.asarray(np.where(share > 0, 1 - share * red, 1 + share * blue))


def _enlarged(picture: NDArray[Any]) -> NDArray[np.float64]:
    """Return a picture enlarged to the size of a tile, its pixels as squares."""
    import cv2

    size = (_TILE_PIXELS, _TILE_PIXELS)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST), dtype=np.float64)


def _stacked(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([above, np.ones((4, above.shape[1], 3)), below])


def _draw_tiles(tiles: Sequence[NDArray[np.float64]], titles: Sequence[str], path: Path) -> None:
    """Draw pictures of equal size (h×w×3, 0–1) in rows of nine, each below its title."""
    across = min(9, len(tiles))
    lines = -(-len(tiles) // across)
    high, wide = tiles[0].shape[0] + 24, tiles[0].shape[1] + 20
    paper = np.ones((lines * high, across * wide, 3))
    with _figure(path, across * wide / _DPI, lines * high / _DPI, tight=False) as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        axes.axis("off")
        for place, (tile, title) in enumerate(zip(tiles, titles, strict=True)):
            top, left = place // across * high + 20, place % across * wide + 10
            paper[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
            axes.text(left + tile.shape[1] / 2, top - 10, title, ha="center", va="center", fontsize=8)
        axes.imshow(paper, interpolation="nearest")


@contextlib.contextmanager
def _figure(path: Path, width: float, height: float, tight: bool = True) -> Iterator[Any]:
    """Yield a figure, sizes in inches, and write it as a PNG of 256 colours, a third of the usual size."""
    import matplotlib as mpl
    import PIL.Image
    from matplotlib.figure import Figure

    # A dollar sign in a source's name starts no formula.
    with mpl.rc_context({"text.parse_math": False}):
        figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained" if tight else None)
        yield figure
        file = io.BytesIO()
        figure.savefig(file, format="png")
    file.seek(0)
    with PIL.Image.open(file) as image:
        image.convert("RGB").quantize(256, dither=PIL.Image.Dither.NONE).save(path, "PNG", optimize=True)


def _arms(intervals: Sequence[Interval]) -> list[list[float]]:
    return [
        [one.value - one.low for one in intervals],
        [one.high - one.value for one in intervals],
    ]


def _percent(share: float, place: int) -> str:
    return f"{100 * share:g} %"


def _by_kind(label: str) -> tuple[bool, bool, str]:
    """Sort capitals, then lower case, then digits."""
    return label.isdigit(), label.islower(), label
