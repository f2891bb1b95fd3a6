"""Measures answers against truth: loss, accuracy, calibration, coverage, and what changed between models.

Everything here is a pure function of arrays. A model's classes are the `labels` of its card, in the order of
its outputs. A label longer than one character ("not a letter", the reject class) is never answered.

SciPy belongs to the `train` extra and is imported where it is needed, so that others can use the rest.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lettermill.training.training_settings import LABELS

Mask = NDArray[np.bool_]

TARGETS = (0.99, 0.995, 0.999)
"""Shares of right letters that the accepted letters must reach."""

DOUBTFUL_BELOW = 0.99
"""Letters below this confidence are doubtful. Their calibration is measured separately, because the many sure
letters hide it."""

_BINS = 15
_RESAMPLES = 400
_CURVE_POINTS = 400
_RATIO = (math.sqrt(5) - 1) / 2
"""The golden ratio, by which the search for the temperature shrinks its interval."""

_LEAST_PROBABILITY = 1e-12
"""Probabilities are raised to this before their logarithm is taken: 27.6 nats at most."""


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """The quality of a network's outputs."""

    count: int
    accuracy: float
    loss: float
    """Mean cross-entropy in nats."""

    loss_error: float
    """Its standard error: the standard deviation over the square root of the count."""

    calibration_error: float
    """Expected calibration error: Σ share · |accuracy − confidence| over 15 bins (Guo et al. 2017)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True, slots=True)
class Coverage:
    """The most letters that can be accepted unseen, most confident first, while enough of them are right."""

    target: float
    """The share of the accepted letters that must be right."""

    share: Interval
    """Share of the letters that is accepted."""

    threshold: Interval
    """The confidence from which a letter is accepted; above 1 if none is."""

    accepted: int
    wrong: int
    """Accepted letters that are wrong."""


@dataclasses.dataclass(frozen=True, slots=True)
class Figures:
    """The headline figures of some letters."""

    count: int
    wrong: int
    accuracy: Interval
    loss: Interval
    calibration_error: float
    doubtful: int
    """Letters below a confidence of 0.99."""

    doubtful_calibration_error: float | None
    """The calibration error of the doubtful letters; None if there are none."""

    coverage: tuple[Coverage, ...]
    """One per target."""


@dataclasses.dataclass(frozen=True, slots=True)
class ClassFigures:
    """How well one class is read; a share is None if its denominator is 0."""

    label: str
    count: int
    right: int
    answered: int
    """How often it was answered, right or wrong."""

    @property
    def precision(self) -> float | None:
        """Share of its answers that are right."""
        return self.right / self.answered if self.answered else None

    @property
    def recall(self) -> float | None:
        """Share of its letters that are read as it."""
        return self.right / self.count if self.count else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall."""
        both = self.count + self.answered
        return 2 * self.right / both if both else None


@dataclasses.dataclass(frozen=True, slots=True)
class Bin:
    """Letters whose confidence lies between two values."""

    low: float
    high: float
    count: int
    confidence: float | None
    """Their mean; None if the bin is empty."""

    right: int

    @property
    def accuracy(self) -> Interval | None:
        """Share of right letters; None if the bin is empty."""
        return share(self.right, self.count) if self.count else None


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Labelled glyphs and what a model answered to them."""

    labels: tuple[str, ...]
    """What could be answered."""

    probabilities: NDArray[np.float64]
    """float64, n×k, calibrated; 0 for labels that could not be answered for this letter."""

    classes: NDArray[np.int64]
    """int64, n: the truth as indexes into `labels`."""

    glyphs: NDArray[np.uint8]
    """uint8, n×28×28."""

    sources: NDArray[np.str_]
    """n names."""

    def __len__(self) -> int:
        return len(self.classes)

    def __getitem__(self, choice: Mask | NDArray[np.intp]) -> Answers:
        """Return the answers that a mask or an index array selects."""
        return Answers(
            self.labels,
            self.probabilities[choice],
            self.classes[choice],
            self.glyphs[choice],
            self.sources[choice],
        )

    @property
    def answers(self) -> NDArray[np.int64]:
        """The most likely class of each letter: int64, n."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """The probability of that class: float64, n."""
        return np.asarray(self.probabilities.max(axis=1))

    @property
    def right(self) -> Mask:
        """Whether that class is the truth: bool, n."""
        return np.asarray(self.answers == self.classes)

    def ranking(self, index: int, choices: int = 3) -> list[tuple[str, float]]:
        """Return the most likely labels of one letter with their probabilities, best first."""
        row = self.probabilities[index]
        return [(self.labels[best], float(row[best])) for best in np.argsort(-row, kind="stable")[:choices]]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class RejectScores:
    """The reject class's probability for letters and for non-letters, each from 0 to 1."""

    letters: NDArray[np.float64]
    """float64, n."""

    others: NDArray[np.float64]
    """float64, m."""

    kinds: NDArray[np.str_]
    """m: what each of the others is (part of a letter, blot, …)."""


def measure(
    logits: NDArray[np.float32],
    classes: NDArray[np.int64],
    temperature: float = 1.0,
    alphabet: str = "",
    labels: Sequence[str] = LABELS,
) -> Measured:
    """Measure outputs, masked by an alphabet as the reader masks them.

    Args:
        logits: float32, n×k.
        classes: int64, n: the truth as indexes into the labels.
        temperature: what the outputs are divided by.
        alphabet: the characters that may be answered; empty for all.
        labels: the model's classes, k.
    """
    probabilities = masked_softmax(logits, temperature, alphabet, labels)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == classes
    losses = _losses(probabilities, classes)
    return Measured(
        len(classes),
        float(right.mean()),
        float(losses.mean()),
        float(losses.std()) / math.sqrt(len(classes)),
        calibration_error(confidence, right),
    )


def masked_softmax(
    logits: NDArray[np.float32],
    temperature: float,
    alphabet: str = "",
    labels: Sequence[str] = LABELS,
) -> NDArray[np.float64]:
    """Turn outputs into probabilities over an alphabet: float64, n×k, 0 outside of it.

    An empty alphabet means every label of one character.
    """
    allowed = [len(label) == 1 and (not alphabet or label in alphabet) for label in labels]
    scaled = np.where(allowed, logits.astype(np.float64) / temperature, -np.inf)
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def non_letter_probability(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the reject class's probability for each glyph: float64, n.

    Args:
        logits: float32, n×k; the last output is the reject class, and competes with all others together.
    """
    characters = logits[:, :-1].astype(np.float64)
    most = characters.max(axis=1)
    odds = most + np.log(np.exp(characters - most[:, None]).sum(axis=1)) - logits[:, -1]
    return np.asarray(1 / (1 + np.exp(np.clip(odds, -50, 50))))


def figures(answers: Answers) -> Figures:
    """Measure the headline figures of one or more letters.

    Accuracy has Wilson's interval. Loss, coverage and threshold have the middle 95 % of 400 resamples of the
    letters (bootstrap, Efron 1979), drawn with a fixed seed. Both assume independent letters, but letters of
    one writer are alike: true intervals are wider.
    """
    confidence, right = answers.confidence, answers.right
    losses = _losses(answers.probabilities, answers.classes)
    doubtful = confidence < DOUBTFUL_BELOW
    loss, coverage = _resampled(losses, confidence, right)
    return Figures(
        count=len(answers),
        wrong=int((~right).sum()),
        accuracy=share(int(right.sum()), len(answers)),
        loss=loss,
        calibration_error=calibration_error(confidence, right),
        doubtful=int(doubtful.sum()),
        doubtful_calibration_error=(
            calibration_error(confidence[doubtful], right[doubtful]) if doubtful.any() else None
        ),
        coverage=coverage,
    )


def share(part: int, whole: int) -> Interval:
    """Return a share with its 95 % interval (Wilson 1927), which holds for few letters and near 0 and 1."""
    if not whole:
        return Interval(0.0, 0.0, 1.0)
    from scipy.stats import binomtest

    interval = binomtest(part, whole).proportion_ci(0.95, method="wilson")
    value = part / whole
    return Interval(value, min(value, float(interval.low)), max(value, float(interval.high)))


def calibration_error(confidence: NDArray[np.float64], right: Mask) -> float:
    """Return the expected calibration error over 15 equal bins (Guo et al. 2017, arXiv:1706.04599)."""
    return sum(
        bin_.count / len(right) * abs(bin_.right / bin_.count - (bin_.confidence or 0.0))
        for bin_ in reliability(confidence, right)
        if bin_.count
    )


def reliability(
    confidence: NDArray[np.float64], right: Mask, low: float = 0.0, bins: int = _BINS
) -> list[Bin]:
    """Count letters in equal bins of confidence from `low` to 1."""
    places = np.minimum(((confidence - low) / (1 - low) * bins).astype(int), bins - 1)
    width = (1 - low) / bins
    rows = []
    for number in range(bins):
        inside = (places == number) & (confidence >= low)
        rows.append(
            Bin(
                low + number * width,
                low + (number + 1) * width,
                int(inside.sum()),
                float(confidence[inside].mean()) if inside.any() else None,
                int(right[inside].sum()),
            )
        )
    return rows


def coverage(confidence: NDArray[np.float64], right: Mask, target: float) -> tuple[int, int, float]:
    """Accept as many letters as possible, most confident first, so that the target share of them is right.

    Letters of equal confidence are accepted together.

    Returns:
        The number of accepted letters, the number of wrong ones among them, and the lowest accepted
        confidence (the next number above 1 if none is accepted).
    """
    order, ends = _by_confidence(confidence)
    rights = np.cumsum(right[order])
    good = np.flatnonzero(ends & _enough(rights, np.arange(1, len(order) + 1), target))
    if not good.size:
        return 0, 0, _NONE_ACCEPTED
    last = int(good[-1])
    return last + 1, last + 1 - int(rights[last]), float(confidence[order[last]])


def accept_curve(confidence: NDArray[np.float64], right: Mask) -> NDArray[np.float64]:
    """Return how the error rate of the accepted letters grows with their share.

    Returns:
        float64, m×3 with m ≤ 400: threshold, accepted share, share of wrong letters among the accepted.
    """
    order, ends = _by_confidence(confidence)
    places = np.flatnonzero(ends)
    if len(places) > _CURVE_POINTS:
        places = places[np.unique(np.linspace(0, len(places) - 1, _CURVE_POINTS).round().astype(int))]
    wrongs = np.cumsum(~right[order])[places]
    return np.stack([confidence[order[places]], (places + 1) / len(order), wrongs / (places + 1)], axis=1)


def confusion_counts(answers: Answers) -> NDArray[np.int64]:
    """Count how often each class (row) was answered as each class (column): int64, k×k."""
    counts = np.zeros((len(answers.labels), len(answers.labels)), np.int64)
    np.add.at(counts, (answers.classes, answers.answers), 1)
    return counts


def per_class(answers: Answers) -> list[ClassFigures]:
    """Return the figures of each class that occurs as truth or answer, worst F1 first."""
    counts = confusion_counts(answers)
    rows = [
        ClassFigures(label, int(counts[place].sum()), int(counts[place, place]), int(counts[:, place].sum()))
        for place, label in enumerate(answers.labels)
    ]
    return sorted((row for row in rows if row.count or row.answered), key=lambda row: row.f1 or 0.0)


def confusions(answers: Answers) -> list[tuple[str, str, int]]:
    """Return each confusion (truth, answer, count), most frequent first."""
    wrong = np.flatnonzero(~answers.right)
    pairs = Counter(zip(answers.classes[wrong].tolist(), answers.answers[wrong].tolist(), strict=True))
    return [(answers.labels[is_], answers.labels[read], count) for (is_, read), count in pairs.most_common()]


def worst_errors(answers: Answers) -> NDArray[np.intp]:
    """Index the wrong answers, most confident first."""
    wrong = np.flatnonzero(~answers.right)
    return np.asarray(wrong[np.argsort(-answers.confidence[wrong], kind="stable")])


def mcnemar(corrected: int, broken: int) -> float:
    """Return the probability of a change at least as unequal by chance: McNemar's exact test (1947).

    Of the letters that only one of two models reads right, each is as likely to be either model's if the
    models are equally good. So the counts are binomial with one half. Two-sided.

    Args:
        corrected: the number of letters that only the new model reads right.
        broken: the number of letters that only the old model reads right.
    """
    if not corrected + broken:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(min(corrected, broken), corrected + broken).pvalue)


def rejection(scores: RejectScores, lost: float) -> tuple[float, Mask]:
    """Reject what looks least like a letter, at the price of a share of the letters.

    Args:
        scores: of letters and non-letters.
        lost: the largest share of letters that may be rejected.

    Returns:
        The score above which a glyph is rejected, and which non-letters are rejected (bool, m).
    """
    falling = np.sort(scores.letters)[::-1]
    threshold = float(falling[min(int(lost * len(falling) + 1e-9), len(falling) - 1)])
    return threshold, np.asarray(scores.others > threshold)


def area_under_curve(scores: RejectScores) -> float:
    """Return how often a non-letter has a higher score than a letter, ties counting half.

    This is the area under the ROC curve, computed from ranks (Mann and Whitney 1947).
    """
    from scipy.stats import mannwhitneyu

    pairs = len(scores.others) * len(scores.letters)
    return float(mannwhitneyu(scores.others, scores.letters, method="asymptotic").statistic / pairs)


def fitted_temperature(
    logits: NDArray[np.float32],
    truth: NDArray[np.int64] | NDArray[np.float64],
    weights: NDArray[np.float64],
    alphabet: str = "",
    labels: Sequence[str] = LABELS,
) -> float:
    """Find the temperature with the least weighted cross-entropy (Guo et al. 2017).

    The golden-section search is written out, because SciPy's searches end at slightly other temperatures:
    models trained again would get other cards.

    Args:
        logits: float32, n×k, for letters that the CNN was not trained on.
        truth: int64, n: classes; or float64, n×k: probabilities that the answers should approach.
        weights: float64, n: the weight of each letter.
        alphabet: the characters that may be answered; empty for all.
        labels: the model's classes, k.
    """

    def loss(log_temperature: float) -> float:
        probabilities = masked_softmax(logits, float(np.exp(log_temperature)), alphabet, labels)
        if truth.ndim == 1:
            losses = _losses(probabilities, truth.astype(np.int64, copy=False))
        else:
            losses = -(truth * np.log(np.maximum(probabilities, _LEAST_PROBABILITY))).sum(axis=1)
        return float((weights * losses).sum() / weights.sum())

    low, high = np.log(0.2), np.log(5.0)
    while high - low > 1e-4:
        left, right = high - _RATIO * (high - low), low + _RATIO * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


_NONE_ACCEPTED = math.nextafter(1.0, 2.0)


def _losses(probabilities: NDArray[np.float64], classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each letter's cross-entropy in nats: float64, n."""
    truth = probabilities[np.arange(len(classes)), classes]
    return np.asarray(-np.log(np.maximum(truth, _LEAST_PROBABILITY)))


def _by_confidence(confidence: NDArray[np.float64]) -> tuple[NDArray[np.intp], Mask]:
    """Return the order of falling confidence, and where the next letter is less confident."""
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order]
    return order, np.append(falling[1:] < falling[:-1], True)


def _enough(rights: NDArray[Any], counts: NDArray[Any], target: float) -> Mask:
    return np.asarray((counts > 0) & (rights >= target * counts - 1e-9))


def _resampled(
    losses: NDArray[np.float64], confidence: NDArray[np.float64], right: Mask
) -> tuple[Interval, tuple[Coverage, ...]]:
    """Return loss and coverage with the middle 95 % of their values in resamples of the letters."""
    order, ends = _by_confidence(confidence)
    losses, falling, rights = losses[order], confidence[order], right[order]
    rng = np.random.default_rng(0)
    count = len(order)
    drawn_losses = np.empty(_RESAMPLES)
    drawn = np.empty((_RESAMPLES, len(TARGETS), 2))
    for number in range(_RESAMPLES):
        times = np.bincount(rng.integers(0, count, count), minlength=count)
        drawn_losses[number] = times @ losses / count
        accepted, accepted_right = np.cumsum(times), np.cumsum(times * rights)
        for place, target in enumerate(TARGETS):
            good = np.flatnonzero(ends & _enough(accepted_right, accepted, target))
            drawn[number, place] = (
                (accepted[good[-1]] / count, falling[good[-1]]) if good.size else (0.0, _NONE_ACCEPTED)
            )
    coverages = []
    for place, target in enumerate(TARGETS):
        accepted_count, wrong, threshold = coverage(confidence, right, target)
        coverages.append(
            Coverage(
                target,
                _middle(accepted_count / count, drawn[:, place, 0]),
                _middle(threshold, drawn[:, place, 1]),
                accepted_count,
                wrong,
            )
        )
    return _middle(float(losses.mean()), drawn_losses), tuple(coverages)


def _middle(value: float, drawn: NDArray[np.float64]) -> Interval:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(value, min(value, float(low)), max(value, float(high)))
