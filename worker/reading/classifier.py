"""Classifies glyphs: the CNN's outputs, masked to an alphabet and calibrated, become ranked characters."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import NOT_A_LETTER, Model
from lettermill.jobs.inputs.ngram import Ngram
from lettermill.jobs.settings import ALPHABET_MARKS, ALPHABETS, LOOK_ALIKES, MARKS, Alphabet
from lettermill.segmentation.glyph import GLYPH_VERSION, rotated
from lettermill.worker.reading.cascade import load_cnn, top_probability
from lettermill.worker.reading.context import Context
from lettermill.worker.reading.line_network import LineNetwork
from lettermill.worker.reading.region_network import RegionNetwork

RANKING_LENGTH = 3
"""Characters in a ranking: the best one and two alternatives."""

AUGMENT_BELOW_PROBABILITY = 0.6
"""A glyph gets test-time augmentation if its best class has less than this probability at temperature 1."""

AUGMENTATION_DEGREES = (-7.0, 7.0)
"""Angles by which such a glyph is rotated: as far as handwriting leans to either side."""

_MAX_EXPONENT = 80.0
"""Logit difference at which the exponential is capped, so that it stays finite in float32."""

Ranking = tuple[tuple[str, float], ...]
"""Characters with their confidence, best first."""


class Classification(NamedTuple):
    """What the CNN says about n glyphs.

    Attributes:
        probabilities: float32, n×characters: calibrated; rows sum to 1.
        reject: float32, n: probability of the reject class, that is of no single letter.
        outside: float32, n: probability of the characters that the alphabet leaves out, without those that
            are written like one that it has.
    """

    probabilities: NDArray[np.float32]
    reject: NDArray[np.float32]
    outside: NDArray[np.float32]

    def split(self, counts: Sequence[int]) -> list[Classification]:
        """Split into groups of consecutive glyphs.

        Args:
            counts: the number of glyphs in each group.
        """
        ends = np.cumsum(counts, dtype=np.intp)[:-1]
        return [Classification(*group) for group in zip(*(np.split(one, ends) for one in self), strict=True)]

    def kept(self, which: NDArray[np.bool_]) -> Classification:
        """Return the classification of some of the glyphs.

        Args:
            which: bool, n.
        """
        return Classification(*(one[which] for one in self))

    def narrowed(self, columns: Sequence[int]) -> Classification:
        """Return what the CNN says if only some of the characters are allowed.

        Args:
            columns: those of the characters in `probabilities`.
        """
        kept = np.maximum(self.probabilities[:, columns], np.finfo(np.float32).tiny)
        return self._replace(probabilities=kept / kept.sum(axis=1, keepdims=True))


def concatenate(groups: Sequence[Classification]) -> Classification:
    """Join the classifications of several groups of glyphs, at least one, in order."""
    return Classification(*(np.concatenate(parts) for parts in zip(*groups, strict=True)))


class Classifier:
    """A model's networks with their card, masked to an alphabet.

    Args:
        model: network and card.
        characters: the characters that may be answered.
        ngram: what is likely to be written; None if the ink alone counts.

    Raises:
        ModelProblem: the network is damaged, was trained on glyphs of another version, or does not know one
            of the characters.
    """

    def __init__(self, model: Model, characters: str, ngram: Ngram | None = None) -> None:
        labels: list[str] = model.card["labels"]
        if model.card["glyph_version"] != GLYPH_VERSION:
            raise ModelProblem(
                f"the model was trained on glyphs of version {model.card['glyph_version']}, "
                f"this Lettermill makes version {GLYPH_VERSION}",
                "Train it again with this version: lettermill train.",
            )
        model.check_knows(characters)
        self._network = load_cnn(model)
        if self._network.outputs != len(labels):
            raise ModelProblem(
                f"the network has {self._network.outputs} outputs, its card {len(labels)} labels"
            )
        self._labels = labels
        self._temperature = float(model.card["temperature"])
        self._ngram = ngram
        self._line_card = model.line_card or {}
        self.line_network: LineNetwork | None = None
        """Reads whole lines; None if the model has no line network."""
        if (content := model.line_network) is not None:
            self.line_network = LineNetwork(content, self._line_card, characters + MARKS)
        self.region_network: RegionNetwork | None = None
        """Tells writing from print and pictures; None if the model has no region network."""
        if (regions := model.region_network) is not None:
            self.region_network = RegionNetwork(regions, model.region_card or {})
        self.has_reject_class = labels[-1] == NOT_A_LETTER
        """Whether the network has an output for glyphs that are not a single letter."""
        self._allow(characters)

    def _allow(self, characters: str) -> None:
        """Set the characters that may be answered, and what depends on them."""
        self._allowed = np.array([self._labels.index(character) for character in characters])
        look_alikes = {*LOOK_ALIKES, *LOOK_ALIKES.values()}
        self._outside = np.array(
            [
                place
                for place, label in enumerate(self._labels)
                if label not in {*characters, *look_alikes, NOT_A_LETTER}
            ],
            np.intp,
        )
        self.characters = characters
        self.context = Context(self._ngram, characters) if self._ngram else None
        """What is likely to be written in these characters; None if the ink alone counts."""
        alphabet = _alphabet_of(characters)
        self.marks = ALPHABET_MARKS[alphabet]
        """The marks that may be read between characters."""
        calibrations, of_fields = (
            self._line_card.get(name, {}) for name in ("calibration", "field_calibration")
        )
        self.calibration: Sequence[tuple[float, float]] = calibrations.get(alphabet, ())
        """The calibration of letters that both networks read: see `lettermill.worker.reading.calibration`."""
        self.field_calibration: Sequence[tuple[float, float]] = of_fields.get(alphabet, ())
        """That of fields that both networks read."""

    def narrowed(self, characters: str) -> Classifier:
        """Return a classifier of some of the characters, with the same networks."""
        other = copy.copy(self)
        other._allow(characters)
        if self.line_network is not None:
            other.line_network = self.line_network.narrowed(characters + MARKS)
        return other

    def classify(self, glyphs: NDArray[np.uint8]) -> Classification:
        """Classify glyphs.

        Args:
            glyphs: uint8, n×28×28, as `segmentation.glyph.normalise` makes them.

        Returns:
            Probabilities: the softmax of the allowed logits divided by the card's temperature (Guo et al.
            2017, arXiv:1706.04599).

            Reject: the probability that a glyph is half a letter, several letters, a rule or a blot, against
            all characters that the network knows, regardless of the alphabet. It assumes, as training does,
            that one glyph in seven is of this class, and it is not calibrated. All zeros if the network has
            no reject class.
        """
        return self._calibrate(self._network.logits(glyphs))

    def classify_augmented(self, glyphs: NDArray[np.uint8]) -> Classification:
        """Classify like `classify`, with test-time augmentation of the doubtful glyphs.

        A doubtful glyph is classified again, rotated to either side, and the mean of the three outputs counts
        (Krizhevsky, Sutskever and Hinton 2012 average over crops in the same way).
        """
        logits = self._network.logits(glyphs)
        doubtful = np.flatnonzero(top_probability(logits) < AUGMENT_BELOW_PROBABILITY)
        if doubtful.size:
            looks = [
                self._network.logits(rotated(glyphs[doubtful], degrees)) for degrees in AUGMENTATION_DEGREES
            ]
            logits[doubtful] = np.mean([logits[doubtful], *looks], axis=0)
        return self._calibrate(logits)

    def _calibrate(self, logits: NDArray[np.float32]) -> Classification:
        # np.take instead of indexing: a single row that is not contiguous is summed in another order.
        scaled = np.take(logits, self._allowed, axis=1) / self._temperature
        odds = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        reject = np.zeros(len(logits), np.float32)
        if self.has_reject_class:
            against = np.exp(np.minimum(logits[:, :-1] - logits[:, -1:], _MAX_EXPONENT))
            reject = 1 / (1 + against.sum(axis=1))
        known = logits[:, : -1 if self.has_reject_class else None] / self._temperature
        shares = np.exp(known - known.max(axis=1, keepdims=True))
        outside = shares[:, self._outside].sum(axis=1) / shares.sum(axis=1)
        return Classification(odds / odds.sum(axis=1, keepdims=True), reject, outside)

    def probabilities(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities of `classify` alone."""
        return self.classify(glyphs).probabilities

    def best_probability(self, glyphs: NDArray[np.uint8], temperature_factor: float) -> NDArray[np.float32]:
        """Return how probable the likeliest character is, among all that the network knows.

        Args:
            glyphs: uint8, n×28×28, as `segmentation.glyph.normalise` makes them.
            temperature_factor: multiplies the card's temperature, for glyphs unlike those it was fitted on.

        Returns:
            float32, n: the reject class is a competitor, but never the answer.
        """
        logits = self._network.logits(glyphs) / (temperature_factor * self._temperature)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        characters = odds[:, : -1 if self.has_reject_class else None]
        return np.asarray(characters.max(axis=1) / odds.sum(axis=1))

    def rank(self, probabilities: NDArray[np.float32]) -> list[Ranking]:
        """Return the best three characters of each row of probabilities, best first."""
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :RANKING_LENGTH]
        return [
            tuple((self.characters[index], round(float(row[index]), 6)) for index in best)
            for row, best in zip(probabilities, order, strict=True)
        ]


def _alphabet_of(characters: str) -> Alphabet:
    """Return the alphabet that characters belong to."""
    return next((name for name, all_ in ALPHABETS.items() if set(characters) <= set(all_)), "alnum")
