"""Fits the weights of worker/reading/lattice.py: which cuts of made lines spell what is written there.

Maximum likelihood of the true text over all paths that spell it, against all paths (a conditional random
field, Lafferty 2001), by Adam, with a weak prior. Prints the constants as lattice.py has them: see
README.md.
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
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.lattice import (
    LEAST_PROBABILITY,
    WEIGHTS,
    WordLattice,
    clipped,
    features,
    joined,
)
from lettermill.worker.reading.read_lines import Examined, examine, see_pieces

Floats = NDArray[np.float64]

KINDS = ("line", "field", "field", "pair", "line")
"""Pages of one line, in turn."""

HARDEST = {
    **{"touching": 0.6, "tight": 0.7, "broken": 0.35, "size": 0.6, "slant": 0.6},
    **{"baseline": 0.5, "pen": 0.5, "grain": 0.3, "blur": 0.3},
}
"""The most of each difficulty that a line has; it has each with a chance of `DIFFICULT`."""

DIFFICULT = 0.4

BY_STROKES = 0.75
"""Share of lines written with pen strokes; fonts write the others."""

KNOWN_WRITERS = (8, 16, 24, 33, 40, 48)
"""Writers that the CNN was trained on; as many others watch the training. No test writer."""

PRIOR = {
    "is a letter": (1.0, 0.5),
    "is no letter": (-0.3, 0.3),
    "each letter": (0.0, 2.0),
    "ends at a cut": (-1.5, 2.0),
    "ink crossed": (-0.5, 1.0),
    "joins pieces": (-1.0, 2.0),
    "paper within": (-2.0, 5.0),
    "lowness": (-10.0, 20.0),
    "wideness": (-2.0, 5.0),
    "probability": (1.0, 0.3),
    "skip cost": (-4.0, 3.0),
    "skip weight": (1.0, 1.0),
}
"""Where each weight starts, and how far it is expected to be from there (standard deviation)."""

PRIOR_SHARE = 0.002
"""What the prior counts against the mean of a batch: it holds only what the lines say nothing about."""

STEPS, BATCH = 220, 64
FAST, SLOW = 0.15, 0.045
"""Step of Adam in standard deviations of the prior, for the first `FAST_STEPS` steps and after."""

FAST_STEPS = 120
MEMORY, SQUARE_MEMORY = 0.9, 0.99

LEAST_LIKELY = -25.0
"""Log likelihood of a text below which the lattice does not hold the line: furniture, or ink that is lost."""

NAMES = list(PRIOR)
PROBABILITY = NAMES.index("probability")
SKIP = slice(PROBABILITY + 1, None)


@dataclass(frozen=True, slots=True)
class Line:
    """What is known of a line's candidates, over the nodes of all its words one after the other.

    Attributes:
        lattice: its scores are those of the weights it was made with; only its candidates count.
        features: float64, n×(number of `WEIGHTS`).
        log_probabilities: float64, n×characters.
        skips: float64, n×2, what the skip's cost and weight are multiplied with.
        text: the characters that are written, as columns.
    """

    lattice: WordLattice
    features: Floats
    log_probabilities: Floats
    skips: Floats
    text: tuple[int, ...]

    def weighed(self, weights: Floats) -> WordLattice:
        """Return the lattice with its scores by other weights, as `lattice.weigh` makes them."""
        odds = self.features @ weights[:PROBABILITY]
        letters = weights[PROBABILITY] * self.log_probabilities + odds[:, None]
        alone = self.lattice.last == self.lattice.first + 1
        skip = np.where(alone, self.skips @ weights[SKIP], -np.inf)
        scores = np.hstack((letters, skip[:, None]))
        return WordLattice(self.lattice.pieces, self.lattice.first, self.lattice.last, scores)

    def gradient(self, shares: Floats) -> Floats:
        """Return how the sum of scores weighted by shares, n×(characters + 1), changes with each weight."""
        letters = shares[:, :-1]
        of_probability = (letters * self.log_probabilities).sum()
        return np.hstack((letters.sum(axis=1) @ self.features, of_probability, shares[:, -1] @ self.skips))


def likelihood(line: Line, weights: Floats) -> tuple[float, Floats] | None:
    """Return the log likelihood of a line's text and its gradient; None where no path spells it."""
    lattice = line.weighed(weights)
    free, total = lattice.posteriors(), lattice.log_total()
    spelled, log_spelled = spellings(lattice, line.text)
    if not np.isfinite(log_spelled):
        return None
    return log_spelled - total, line.gradient(spelled - free)


def spellings(lattice: WordLattice, text: Sequence[int]) -> tuple[Floats, float]:
    """Return each candidate's share as each character of paths that spell a text, and their log weight."""
    length, none = len(text), lattice.scores.shape[1] - 1
    spelled = lattice.scores[:, list(text)]
    skip = lattice.scores[:, none, None]
    forward = np.full((lattice.pieces + 1, length + 1), -np.inf)
    backward = np.full_like(forward, -np.inf)
    forward[0, 0] = backward[-1, -1] = 0.0
    for index in np.lexsort((lattice.first, lattice.last)).tolist():
        before, after = forward[lattice.first[index]], forward[lattice.last[index]]
        np.logaddexp(after[1:], before[:-1] + spelled[index], out=after[1:])
        np.logaddexp(after, before + skip[index], out=after)
    for index in np.lexsort((lattice.last, lattice.first))[::-1].tolist():
        before, after = backward[lattice.first[index]], backward[lattice.last[index]]
        np.logaddexp(before[:-1], after[1:] + spelled[index], out=before[:-1])
        np.logaddexp(before, after + skip[index], out=before)
    total = float(forward[-1, -1])
    begins, ends = forward[lattice.first], backward[lattice.last]
    shares = np.zeros(lattice.scores.shape)
    letters = np.exp(begins[:, :-1] + ends[:, 1:] + spelled - total)
    np.add.at(shares, (slice(None), list(text)), letters)
    shares[:, none] = np.exp(begins + ends + skip - total).sum(axis=1)
    return shares, total


def fit(lines: Sequence[Line], rng: np.random.Generator) -> Floats:
    """Find the weights, in the order of `NAMES`."""
    start, spread = np.array(list(PRIOR.values())).T
    weights, mean, square = start.copy(), np.zeros(len(start)), np.zeros(len(start))
    for step in track(range(1, STEPS + 1), "fitting"):
        chosen = [likelihood(lines[index], weights) for index in rng.integers(len(lines), size=BATCH)]
        held = [each[1] for each in chosen if each is not None and each[0] >= LEAST_LIKELY]
        gradient = np.mean(held, axis=0) - PRIOR_SHARE * (weights - start) / spread**2
        mean = MEMORY * mean + (1 - MEMORY) * gradient
        square = SQUARE_MEMORY * square + (1 - SQUARE_MEMORY) * gradient**2
        direction = (mean / (1 - MEMORY**step)) / (np.sqrt(square / (1 - SQUARE_MEMORY**step)) + 1e-6)
        weights = weights + (FAST if step <= FAST_STEPS else SLOW) * spread * direction
        weights[0], weights[1] = max(0.0, weights[0]), min(0.0, weights[1])
    return weights


def made_lines(
    count: int, strokes: Sequence[Hand], fonts: Sequence[Hand], classifier: Classifier
) -> list[Line]:
    """Make pages and examine them; those on which not one line is found are left out."""
    rng = np.random.default_rng(5)
    lines = []
    for number in track(range(count), "making"):
        amounts = {name: rng.random() * most for name, most in HARDEST.items() if rng.random() < DIFFICULT}
        hands = strokes if strokes and rng.random() < BY_STROKES else fonts
        hand = hands[rng.integers(len(hands))]
        page = make(KINDS[number % len(KINDS)], hand, int(rng.integers(1 << 30)), Difficulties(**amounts))
        segmentation = segment(page.grey, "line")
        words = examine(segmentation, see_pieces(segmentation, classifier), page.grey.shape, classifier)
        if len(segmentation.lines) == 1:
            text = tuple(classifier.characters.index(each) for each in page.text if not each.isspace())
            lines.append(_line(words, text))
    return lines


def _line(words: Sequence[Examined], text: tuple[int, ...]) -> Line:
    """Put the words of a line one after the other."""
    probabilities = np.concatenate([word.probabilities for word in words]).astype(np.float64)
    none = np.log(clipped(np.concatenate([word.non_letter for word in words])))
    return Line(
        joined([_candidates(word) for word in words]),
        np.vstack([features([word.word], word.letter, word.non_letter) for word in words]),
        np.log(np.maximum(probabilities, LEAST_PROBABILITY)),
        np.column_stack((np.ones(len(none)), none)),
        text,
    )


def _candidates(examined: Examined) -> WordLattice:
    """The candidates of a word, without scores."""
    first = np.array([candidate.first for candidate in examined.word.candidates], np.intp)
    last = np.array([candidate.last for candidate in examined.word.candidates], np.intp)
    return WordLattice(len(examined.word.gaps) + 1, first, last, np.zeros((len(first), 1)))


@click.command(help=__doc__)
@click.option("--lines", "count", default=700, show_default=True, help="How many lines are made.")
@click.option(
    "--fonts",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Folder of handwriting fonts that write a quarter of the lines.",
)
def main(count: int, fonts: Path) -> None:
    """Make the lines, fit the weights and print them."""
    data = os.environ.get("LETTERMILL_DATA")
    if not data:
        raise click.UsageError(
            "LETTERMILL_DATA must name the folder of real handwriting: its pen strokes write"
        )
    writers = [*map(int, TrainingSettings().validation_writers), *KNOWN_WRITERS]
    strokes = stroke_hands(Path(data) / "letters" / "chars74k_hnd_strokes.json", writers)
    classifier = Classifier(load_model(installed_model_folder()), Settings().characters)
    lines = made_lines(count, strokes, font_hands(fonts), classifier)
    with np.errstate(invalid="ignore", divide="ignore"):  # Nodes that no path reaches weigh nothing.
        weights = fit(lines, np.random.default_rng(0)).round(2).tolist()
    found = dict(zip(NAMES, weights, strict=True))
    click.echo("WEIGHTS = {")
    for name in WEIGHTS:
        click.echo(f'    "{name}": {found[name]},')
    click.echo("}")
    click.echo(f"PROBABILITY_WEIGHT = {found['probability']}")
    click.echo(f"SKIP_COST, SKIP_WEIGHT = {found['skip cost']}, {found['skip weight']}")


if __name__ == "__main__":
    main()
