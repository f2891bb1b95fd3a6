"""Measures outputs against truth: loss, accuracy, calibration, and the temperature that mends it."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from training.settings import LABELS

_BINS = 15


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """How good outputs are."""

    count: int
    accuracy: float
    loss: float
    """Mean cross-entropy in nats."""

    calibration_error: float
    """Expected calibration error: Σ share · |accuracy − confidence| over 15 bins (Guo et al. 2017)."""


def measure(
    logits: NDArray[np.float32], classes: NDArray[np.int64], temperature: float = 1.0, alphabet: str = ""
) -> Measured:
    """Measure outputs, masked by an alphabet as the reader masks them.

    Args:
        logits: float32, n×36.
        classes: int64, n: the truth as indexes into LABELS.
        temperature: the outputs are divided by it.
        alphabet: the characters that may be answered; empty for all.
    """
    probabilities = masked_softmax(logits, temperature, alphabet)
    truth = probabilities[np.arange(len(classes)), classes]
    confidence, answers = probabilities.max(axis=1), probabilities.argmax(axis=1)
    right = answers == classes
    return Measured(
        len(classes),
        float(right.mean()),
        float(-np.log(np.maximum(truth, 1e-12)).mean()),
        calibration_error(confidence, right),
    )


def masked_softmax(
    logits: NDArray[np.float32], temperature: float, alphabet: str = ""
) -> NDArray[np.float64]:
    """Turn outputs into probabilities over an alphabet: float64, n×36, 0 outside of it."""
    scaled = logits.astype(np.float64) / temperature
    if alphabet:
        scaled[:, [label not in alphabet for label in LABELS]] = -np.inf
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Return the expected calibration error over 15 equal bins (Guo et al. 2017, arXiv:1706.04599)."""
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    total = 0.0
    for number in range(_BINS):
        inside = bins == number
        if inside.any():
            total += float(inside.mean()) * abs(
                float(right[inside].mean()) - float(confidence[inside].mean())
            )
    return total


def fitted_temperature(
    logits: NDArray[np.float32], classes: NDArray[np.int64], weights: NDArray[np.float64], alphabet: str = ""
) -> float:
    """Find the temperature with the least weighted cross-entropy (Guo et al. 2017), by golden-section search.

    Args:
        logits: float32, n×36, for letters that the CNN was not trained on.
        classes: int64, n.
        weights: float64, n: what each letter counts.
        alphabet: the characters that may be answered; empty for all.
    """

    def loss(log_temperature: float) -> float:
        probabilities = masked_softmax(logits, float(np.exp(log_temperature)), alphabet)
        truth = np.maximum(probabilities[np.arange(len(classes)), classes], 1e-12)
        return float(-(weights * np.log(truth)).sum() / weights.sum())

    low, high = np.log(0.2), np.log(5.0)
    ratio = (np.sqrt(5) - 1) / 2
    while high - low > 1e-4:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))
