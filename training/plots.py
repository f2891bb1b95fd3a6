"""Draws the curves of a training run and its confusions as PNG files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.fit import Epoch
from training.settings import LABELS


def draw_curves(rows: list[Epoch], path: Path) -> None:
    """Draw loss and accuracy of training and validation over the epochs.

    Args:
        rows: one an epoch.
        path: the PNG file to write.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    epochs = [row.epoch for row in rows]
    loss, accuracy = figure.subplots(1, 2)
    loss.plot(epochs, [row.loss for row in rows], marker=".", label="training (bent glyphs)")
    loss.plot(epochs, [row.validation_loss for row in rows], marker=".", label="validation (unseen writers)")
    loss.set(xlabel="epoch", ylabel="cross-entropy", title="Loss")
    accuracy.plot(epochs, [100 * row.accuracy for row in rows], marker=".", label="training (bent glyphs)")
    accuracy.plot(
        epochs,
        [100 * row.validation_accuracy for row in rows],
        marker=".",
        label="validation (unseen writers)",
    )
    accuracy.set(xlabel="epoch", ylabel="per cent right", title="Accuracy, all 36 classes")
    for axes in (loss, accuracy):
        axes.grid(alpha=0.3)
        axes.legend()
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.savefig(path)


def draw_confusion(answers: NDArray[np.int64], classes: NDArray[np.int64], path: Path) -> None:
    """Draw how often each character was read as which.

    Args:
        answers: int64, n: indexes into LABELS.
        classes: int64, n: the truth.
        path: the PNG file to write.
    """
    from matplotlib.figure import Figure

    counts = np.zeros((len(LABELS), len(LABELS)))
    np.add.at(counts, (classes, answers), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(9, 9), layout="constrained")
    axes = figure.subplots()
    axes.imshow(np.sqrt(shares), cmap="Blues")  # the root shows rare confusions beside a full diagonal
    axes.set(
        xticks=range(len(LABELS)),
        xticklabels=LABELS,
        yticks=range(len(LABELS)),
        yticklabels=LABELS,
        xlabel="read as",
        ylabel="is",
        title="Confusions",
    )
    for row, column in np.argwhere((counts > 0) & ~np.eye(len(LABELS), dtype=bool)):
        colour = "white" if shares[row, column] > 0.3 else "black"
        axes.text(
            column, row, f"{counts[row, column]:.0f}", ha="center", va="center", fontsize=7, color=colour
        )
    figure.savefig(path)
