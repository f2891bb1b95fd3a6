"""Fits the weights of worker/reading/lattice.py on generated lines whose text is known.

Maximises the likelihood of the true text: the weight of all paths that spell it against the weight of all
paths (a conditional random field, Lafferty 2001), by Adam, with a weak prior. Prints the constants in the
form of lattice.py: see README.md.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from bench.pages.difficulties import Difficulties
from bench.pages.hands import Hand, font_hands, stroke_hands
from bench.pages.maker import make
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.settings import Settings
from lettermill.segmentation.page import segment
from lettermill.training.training_settings import TrainingSettings
from lettermill.worker.reading.classifier import Classifier, concatenate
from lettermill.worker.reading.lattice import (
    MIN_CHARACTER_PROBABILITY,
    WEIGHTS,
    WordLattice,
    clip_reject,
    features,
    join_lattices,
)
from lettermill.worker.reading.read_lines import ClassifiedWord, classify_candidates, classify_components

Floats = NDArray[np.float64]

KINDS = ("line", "field", "field", "pair", "line")
"""Layouts of the pages, in turn; each is one line."""

HARDEST = {
    **{"touching": 0.6, "tight": 0.7, "broken": 0.35, "size": 0.6, "slant": 0.6},
    **{"baseline": 0.5, "pen": 0.5, "grain": 0.3, "blur": 0.3},
}
"""Largest amount of each difficulty. A line has each with a probability of `DIFFICULT_SHARE`."""

DIFFICULT_SHARE = 0.4

STROKES_SHARE = 0.75
"""Share of lines written with pen strokes; the others are written with fonts."""

KNOWN_WRITERS = (8, 16, 24, 33, 40, 48)
"""Writers that the CNN was trained on; as many validation writers are added. No test writer."""

PRIOR = {
    "log letter": (1.0, 0.5),
    "log reject": (-0.3, 0.3),
    "each letter": (0.0, 2.0),
    "cut ends": (-1.5, 2.0),
    "ink crossed": (-0.5, 1.0),
    "parts joined": (-1.0, 2.0),
    "paper within": (-2.0, 5.0),
    "lowness": (-10.0, 20.0),
    "wideness": (-2.0, 5.0),
    "probability": (1.0, 0.3),
    "null path": (-4.0, 3.0),
    "null path reject": (1.0, 1.0),
}
"""Start of each weight, and the standard deviation of the prior around it."""

PRIOR_SHARE = 0.002
"""Weight of the prior against the mean of a batch: it decides only what the lines do not."""

STEPS, BATCH_LINES = 220, 64

FAST_RATE, SLOW_RATE = 0.15, 0.045
"""Step size of Adam in standard deviations of the prior, for the first `FAST_STEPS` steps and after."""

FAST_STEPS = 120
MOMENTUM, SQUARE_MOMENTUM = 0.9, 0.99
"""Decay rates of Adam's two moments."""

MIN_LOG_LIKELIHOOD = -25.0
"""If the text is less likely than this, the lattice does not contain it: form lines, or lost ink."""

NAMES = list(PRIOR)
PROBABILITY = NAMES.index("probability")
NULL_PATH = slice(PROBABILITY + 1, None)


@dataclass(frozen=True, slots=True)
class Line:
    """The candidates of a line, over the nodes of all its words one after the other.

    Attributes:
        lattice: only its candidates are used, not its scores.
        features: float64, n×(number of `WEIGHTS`).
        log_probabilities: float64, n×characters.
        null_paths: float64, n×2: the features of the null path: 1 and the log reject probability.
        text: the true characters, as columns.
    """

    lattice: WordLattice
    features: Floats
    log_probabilities: Floats
    null_paths: Floats
    text: tuple[int, ...]

    def score(self, weights: Floats) -> WordLattice:
        """Return the lattice with the scores by other weights, as `lattice.score_words` makes them."""
        odds = self.features @ weights[:PROBABILITY]
        letters = weights[PROBABILITY] * self.log_probabilities + odds[:, None]
        alone = self.lattice.last == self.lattice.first + 1
        null = np.where(alone, self.null_paths @ weights[NULL_PATH], -np.inf)
        scores = np.hstack((letters, null[:, None]))
        return WordLattice(self.lattice.parts, self.lattice.first, self.lattice.last, scores)

    def gradient(self, shares: Floats) -> Floats:
        """Return the gradient, by the weights, of the sum of scores times shares, n×(characters + 1)."""
        letters = shares[:, :-1]
        of_probability = (letters * self.log_probabilities).sum()
        return np.hstack(
            (letters.sum(axis=1) @ self.features, of_probability, shares[:, -1] @ self.null_paths)
        )


def likelihood(line: Line, weights: Floats) -> tuple[float, Floats] | None:
    """Return the log likelihood of a line's text and its gradient; None if no path spells it."""
    lattice = line.score(weights)
    free, total = lattice.posteriors(), lattice.log_total()
    spelled, log_spelled = spellings(lattice, line.text)
    if not np.isfinite(log_spelled):
        return None
    return log_spelled - total, line.gradient(spelled - free)


def spellings(lattice: WordLattice, text: Sequence[int]) -> tuple[Floats, float]:
    """Return each candidate's share as each character in paths that spell a text, and their log weight."""
    length, null = len(text), lattice.scores.shape[1] - 1
    spelled = lattice.scores[:, list(text)]
    passed_over = lattice.scores[:, null, None]
    forward = np.full((lattice.parts + 1, length + 1), -np.inf)
    backward = np.full_like(forward, -np.inf)
    forward[0, 0] = backward[-1, -1] = 0.0
    for index in np.lexsort((lattice.first, lattice.last)).tolist():
        before, after = forward[lattice.first[index]], forward[lattice.last[index]]
        np.logaddexp(after[1:], before[:-1] + spelled[index], out=after[1:])
        np.logaddexp(after, before + passed_over[index], out=after)
    for index in np.lexsort((lattice.last, lattice.first))[::-1].tolist():
        before, after = backward[lattice.first[index]], backward[lattice.last[index]]
        np.logaddexp(before[:-1], after[1:] + spelled[index], out=before[:-1])
        np.logaddexp(before, after + passed_over[index], out=before)
    total = float(forward[-1, -1])
    begins, ends = forward[lattice.first], backward[lattice.last]
    shares = np.zeros(lattice.scores.shape)
    letters = np.exp(begins[:, :-1] + ends[:, 1:] + spelled - total)
    np.add.at(shares, (slice(None), list(text)), letters)
    shares[:, null] = np.exp(begins + ends + passed_over - total).sum(axis=1)
    return shares, total


def fit(lines: Sequence[Line], rng: np.random.Generator) -> Floats:
    """Find the weights, in the order of `NAMES`."""
    start, spread = np.array(list(PRIOR.values())).T
    weights, mean, square = start.copy(), np.zeros(len(start)), np.zeros(len(start))
    for step in track(range(1, STEPS + 1), "fitting"):
        chosen = [likelihood(lines[index], weights) for index in rng.integers(len(lines), size=BATCH_LINES)]
        gradients = [each[1] for each in chosen if each is not None and each[0] >= MIN_LOG_LIKELIHOOD]
        gradient = np.mean(gradients, axis=0) - PRIOR_SHARE * (weights - start) / spread**2
        mean = MOMENTUM * mean + (1 - MOMENTUM) * gradient
        square = SQUARE_MOMENTUM * square + (1 - SQUARE_MOMENTUM) * gradient**2
        direction = (mean / (1 - MOMENTUM**step)) / (np.sqrt(square / (1 - SQUARE_MOMENTUM**step)) + 1e-6)
        rate = FAST_RATE if step <= FAST_STEPS else SLOW_RATE
        weights = weights + rate * spread * direction
        weights[0], weights[1] = max(0.0, weights[0]), min(0.0, weights[1])
    return weights


def made_lines(
    count: int, strokes: Sequence[Hand], fonts: Sequence[Hand], classifier: Classifier
) -> list[Line]:
    """Generate pages and classify their words; pages on which not exactly one line is found are left out."""
    rng = np.random.default_rng(5)
    lines = []
    for number in track(range(count), "making"):
        amounts = {
            name: rng.random() * most for name, most in HARDEST.items() if rng.random() < DIFFICULT_SHARE
        }
        hands = strokes if strokes and rng.random() < STROKES_SHARE else fonts
        hand = hands[rng.integers(len(hands))]
        page = make(KINDS[number % len(KINDS)], hand, int(rng.integers(1 << 30)), Difficulties(**amounts))
        segmentation = segment(page.grey, "line")
        components = classify_components(segmentation, classifier)
        words = classify_candidates(segmentation, components, page.grey.shape, classifier)
        if len(segmentation.lines) == 1:
            text = tuple(classifier.characters.index(each) for each in page.text if not each.isspace())
            lines.append(_line(words, text))
    return lines


def _line(words: Sequence[ClassifiedWord], text: tuple[int, ...]) -> Line:
    """Put the words of a line one after the other."""
    probabilities, reject = concatenate([word.classification for word in words])
    log_reject = np.log(clip_reject(reject))
    return Line(
        join_lattices([_candidates(word) for word in words]),
        np.vstack([features([word.word], word.letter_height, word.classification.reject) for word in words]),
        np.log(np.maximum(probabilities.astype(np.float64), MIN_CHARACTER_PROBABILITY)),
        np.column_stack((np.ones(len(log_reject)), log_reject)),
        text,
    )


def _candidates(classified: ClassifiedWord) -> WordLattice:
    """Return the candidates of a word, with empty scores."""
    first = np.array([candidate.first for candidate in classified.word.candidates], np.intp)
    last = np.array([candidate.last for candidate in classified.word.candidates], np.intp)
    return WordLattice(len(classified.word.gaps) + 1, first, last, np.zeros((len(first), 1)))


@click.command(help=__doc__)
@click.option("--lines", "count", default=700, show_default=True, help="Number of generated lines.")
@click.option(
    "--fonts",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Folder of handwriting fonts, for a quarter of the lines.",
)
def main(count: int, fonts: Path) -> None:
    """Generate the lines, fit the weights and print them."""
    data = os.environ.get("LETTERMILL_DATA")
    if not data:
        raise click.UsageError(
            "set LETTERMILL_DATA to the folder of real handwriting: its pen strokes are needed"
        )
    writers = [*map(int, TrainingSettings().validation_writers), *KNOWN_WRITERS]
    strokes = stroke_hands(Path(data) / "letters" / "chars74k_hnd_strokes.json", writers)
    classifier = Classifier(load_model(installed_model_folder()), Settings().characters)
    lines = made_lines(count, strokes, font_hands(fonts), classifier)
    # Nodes that no path reaches have no weight.
    with np.errstate(invalid="ignore", divide="ignore"):
        weights = fit(lines, np.random.default_rng(0)).round(2).tolist()
    found = dict(zip(NAMES, weights, strict=True))
    click.echo("WEIGHTS = {")
    for name in WEIGHTS:
        click.echo(f'    "{name}": {found[name]},')
    click.echo("}")
    click.echo(f"PROBABILITY_WEIGHT = {found['probability']}")
    values = f"{found['null path']}, {found['null path reject']}"
    click.echo(f"NULL_PATH_SCORE, NULL_PATH_REJECT_WEIGHT = {values}")


if __name__ == "__main__":
    main()
