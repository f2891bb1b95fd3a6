"""Fits the weights of worker/reading/line_evidence.py on real lines that trained neither network.

    LETTERMILL_DATA=DATA python -m bench.lattice_weights [--cnn-alone]

Maximises the likelihood of the true text: the weight of all paths that spell it against the weight of all
paths (a conditional random field, Lafferty 2001), by L-BFGS, with a weak prior. Prints the constants in the
form of line_evidence.py. `--cnn-alone` fits those of worker/reading/lattice.py, by which the CNN reads alone.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from scipy.optimize import minimize

from bench.real_sets import AMOUNTS_EVERY, FIELDS_EVERY, Image, Item, unipen_words, zipped
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.settings import ALPHABETS, MARKS, Alphabet, Settings
from lettermill.training.lines.real_fields import plain_text
from lettermill.worker.reading.classifier import Classifier, concatenate
from lettermill.worker.reading.lattice import (
    CNN_WEIGHTS,
    MIN_CHARACTER_PROBABILITY,
    WordLattice,
    clip_reject,
    features,
    join_lattices,
    score_words,
)
from lettermill.worker.reading.line_evidence import (
    BOTH,
    FEATURE_WEIGHTS,
    WEIGHTS,
    Arcs,
    arcs_of,
    part_columns,
)
from lettermill.worker.reading.line_views import views_of
from lettermill.worker.reading.read_lines import classify_page

Floats = NDArray[np.float64]

OF_CNN = [*FEATURE_WEIGHTS, "probability", "null path", "null path reject"]
OF_LINE = ["letter", "nothing", "uncut", "mark", "uncut mark"]
NAMES = [*OF_CNN, *OF_LINE]
"""The weights: of the CNN and of shapes, then of the line network, as `LineWeights` orders them."""

PRIOR = 0.5
"""Pull of a weight towards its start: times the squared distance, beside the log likelihoods of all lines."""

MOST_STEPS = 40
"""Steps of L-BFGS."""

MIN_LOG_LIKELIHOOD = -30.0
"""If the text is less likely than this, the line does not hold it: another line, or lost ink."""

LEAST_LOG = -60.0
"""Lower bound of the line network's log likelihoods: a span without steps is no letter at all."""

FIT_FIFTH = 1
"""Of the held-out school fields in turns of five, the one that is fitted on."""

FIT_SITES = frozenset({"art", "apa"})
"""Sites of UNIPEN whose words are fitted on."""


@dataclass(frozen=True, slots=True)
class Line:
    """The arcs of a line in one view.

    Attributes:
        lattice: its scores are 0 where an arc may be a character or passed over, else -inf.
        evidence: float32, `NAMES`×n×(characters + marks + 1): scores per unit of each weight. Other than in
            reading, a mark has a column of its own, so that its text can be spelled.
        text: the true characters and marks, as columns.
    """

    lattice: WordLattice
    evidence: NDArray[np.float32]
    text: tuple[int, ...]

    def score(self, weights: Floats) -> WordLattice:
        """Return the lattice with the scores by some weights."""
        scores = self.lattice.scores + np.tensordot(weights, self.evidence, 1)
        return WordLattice(self.lattice.parts, self.lattice.first, self.lattice.last, scores)


def likelihood(line: Line, weights: Floats) -> tuple[float, Floats] | None:
    """Return the log likelihood of a line's text and its gradient; None if no path spells it."""
    lattice = line.score(weights)
    spelled, log_spelled = spellings(lattice, line.text)
    if not np.isfinite(log_spelled):
        return None
    shares = np.where(np.isfinite(lattice.scores), spelled - lattice.posteriors(), 0.0)
    return log_spelled - lattice.log_total(), np.tensordot(line.evidence, shares, ((1, 2), (0, 1)))


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
    total = float(forward[-1, -1])
    shares = np.zeros(lattice.scores.shape)
    if not np.isfinite(total):
        return shares, total
    for index in np.lexsort((lattice.last, lattice.first))[::-1].tolist():
        before, after = backward[lattice.first[index]], backward[lattice.last[index]]
        np.logaddexp(before[:-1], after[1:] + spelled[index], out=before[:-1])
        np.logaddexp(before, after + passed_over[index], out=before)
    begins, ends = forward[lattice.first], backward[lattice.last]
    letters = np.exp(begins[:, :-1] + ends[:, 1:] + spelled - total)
    np.add.at(shares, (slice(None), list(text)), letters)
    shares[:, null] = np.exp(begins + ends + passed_over - total).sum(axis=1)
    return shares, total


def loss(weights: Floats, lines: Sequence[Line], start: Floats) -> tuple[float, Floats]:
    """Return the mean negative log likelihood of lines, with the prior's part, and its gradient."""
    return _with_prior([_sum_over(weights, lines)], weights, start, len(lines))


def _sum_over(weights: Floats, lines: Sequence[Line]) -> tuple[float, Floats]:
    """Return the negative log likelihood of lines and its gradient."""
    value, gradient = 0.0, np.zeros_like(weights)
    with np.errstate(invalid="ignore", divide="ignore"):  # Nodes that no path reaches have no weight.
        for line in lines:
            found = likelihood(line, weights)
            if found is None or found[0] < MIN_LOG_LIKELIHOOD:
                value -= MIN_LOG_LIKELIHOOD
            else:
                value, gradient = value - found[0], gradient - found[1]
    return value, gradient


def _with_prior(
    sums: Sequence[tuple[float, Floats]], weights: Floats, start: Floats, count: int
) -> tuple[float, Floats]:
    away = weights - start
    value = PRIOR * float(away @ away) + sum(one for one, _ in sums)
    gradient = 2 * PRIOR * away + np.sum([one for _, one in sums], axis=0)
    return value / count, gradient / count


_own_lines: list[Line] = []
"""The lines of a process of the pool."""


def _sum_over_own(weights: Floats) -> tuple[float, Floats]:
    return _sum_over(weights, _own_lines)


def fit(lines: Sequence[Line], start: Floats, processes: int = os.cpu_count() or 1) -> Floats:
    """Find the weights, in the order of `start`. The lines are divided among processes."""
    with contextlib.ExitStack() as stack:
        pools = []
        for number in range(processes):
            _own_lines[:] = lines[number::processes]  # The process is forked with them.
            pools.append(stack.enter_context(multiprocessing.get_context("fork").Pool(1)))
        _own_lines.clear()

        def whole(weights: Floats) -> tuple[float, Floats]:
            waiting = [pool.apply_async(_sum_over_own, (weights,)) for pool in pools]
            return _with_prior([one.get() for one in waiting], weights, start, len(lines))

        options = {"maxiter": MOST_STEPS}
        found = minimize(whole, start, jac=True, method="L-BFGS-B", options=options)
    return np.asarray(found.x, np.float64)


def cnn_evidence(shapes: Floats, log_probabilities: Floats, log_reject: Floats, columns: int) -> Floats:
    """Lay out what the CNN and shapes say of n candidates: float64, `OF_CNN`×n×columns.

    Args:
        shapes: float64, n×(number of `FEATURE_WEIGHTS`).
        log_probabilities: float64, n×characters.
        log_reject: float64, n.
        columns: the characters, the marks and 1.
    """
    count, known = log_probabilities.shape
    evidence = np.zeros((len(OF_CNN), count, columns))
    evidence[: shapes.shape[1], :, :known] = shapes.T[:, :, None]
    evidence[shapes.shape[1], :, :known] = log_probabilities
    evidence[-2, :, -1] = 1.0
    evidence[-1, :, -1] = log_reject
    return evidence


def with_line_network(
    lattice: WordLattice, evidence: Floats, arcs: Arcs, known: int
) -> tuple[WordLattice, Floats]:
    """Return the lattice over all arcs, and what both readers say of these, as `line_evidence.joined` does.

    Args:
        lattice: of the candidates, as `Line` has it.
        evidence: from `cnn_evidence`, for the same.
        arcs: of the lattice, from `arcs_of`.
        known: how many characters the CNN names.
    """
    count, columns = len(arcs.first), evidence.shape[2]
    uncut, pieces = np.split(np.arange(count), (arcs.candidates, arcs.candidates + arcs.uncut))[1:]
    both = np.zeros((len(NAMES), count, columns))
    both[: len(OF_CNN), : arcs.candidates] = evidence
    alone = lattice.last == lattice.first + 1
    nulls = np.zeros((len(OF_CNN), lattice.parts))
    nulls[:, lattice.first[alone]] = evidence[:, alone, -1]
    both[: len(OF_CNN), pieces, -1] = nulls[:, arcs.part[pieces]] * arcs.share[pieces]

    letter, nothing, of_uncut, mark, uncut_mark = range(len(OF_CNN), len(NAMES))
    both[letter, :, :-1] = np.maximum(arcs.letters, LEAST_LOG)
    both[nothing, :, -1] = np.maximum(arcs.nothing, LEAST_LOG)
    both[of_uncut, uncut, :known] = 1.0
    both[mark, : arcs.candidates, known:-1] = 1.0
    both[uncut_mark, uncut, known:-1] = 1.0
    # A piece has no letter, so it gives the line network's evidence for nothing alone.
    both[letter, pieces] = 0.0

    scores = np.full((count, columns), -np.inf)
    scores[: arcs.candidates] = lattice.scores
    scores[: arcs.candidates, known:-1] = 0.0
    scores[uncut, :-1] = 0.0
    scores[pieces, -1] = 0.0
    return WordLattice(len(arcs.nodes) - 1, arcs.first, arcs.last, scores), both


def lines_of(image: Image, label: str, settings: Settings, classifier: Classifier, alone: bool) -> list[Line]:
    """Return an image's line in each view; none if not exactly one line is found.

    Args:
        image: uint8, h×w, grey.
        label: what is written there.
        settings: the layout and the alphabet.
        classifier: knows the glyphs.
        alone: whether the CNN reads alone; then marks are no part of the text, and there is one view.
    """
    segmentation, words = classify_page(image, settings, classifier)
    network, ink = classifier.line_network, segmentation.ink
    if len(segmentation.lines) != 1 or not words or ink is None:
        return []
    height = segmentation.lines[0].letter
    plain_words = [one.word for one in words]
    classification = concatenate([one.classification for one in words])
    scored = join_lattices(score_words(plain_words, height, classification))
    known, marks = len(settings.characters), "" if alone else MARKS
    allowed = np.zeros((len(scored.first), known + len(marks) + 1))
    allowed[scored.last > scored.first + 1, -1] = -np.inf
    lattice = WordLattice(scored.parts, scored.first, scored.last, allowed)
    evidence = cnn_evidence(
        features(plain_words, height, classification.reject),
        np.log(np.maximum(classification.probabilities.astype(np.float64), MIN_CHARACTER_PROBABILITY)),
        np.log(clip_reject(classification.reject)).astype(np.float64),
        allowed.shape[1],
    )
    text = columns_of(label, settings.characters + marks)
    if alone:
        return [Line(lattice, evidence.astype(np.float32), text)]
    if network is None:
        raise click.UsageError("the model has no line network: give --cnn-alone")
    candidates = [candidate for word in plain_words for candidate in word.candidates]
    views = views_of(image, candidates, height, ink, network, not segmentation.quarters)
    parts = part_columns(plain_words)
    joined = [with_line_network(lattice, evidence, arcs, known) for arcs in arcs_of(scored, parts, views)]
    return [Line(over_arcs, both.astype(np.float32), text) for over_arcs, both in joined]


def columns_of(label: str, characters: str) -> tuple[int, ...]:
    """Return the columns of a label's characters; those of other characters and of spaces are left out."""
    return tuple(characters.index(one) for one in plain_text(label) if one in characters)


def real_items(data: Path) -> Iterator[tuple[Alphabet, Item]]:
    """The images that are fitted on."""
    school = zipped(
        data / "fields" / "names_labelled_train.zip", every=5 * FIELDS_EVERY, first=FIT_FIFTH * FIELDS_EVERY
    )
    yield from (("letters", item) for item in school)
    half = zipped(data / "amounts" / "cheque_amounts_dev.zip", every=2 * AMOUNTS_EVERY)
    yield from (("digits", item) for item in half)
    for alphabet in ALPHABETS:
        yield from ((alphabet, item) for item in unipen_words(data, alphabet, FIT_SITES))


def real_lines(items: Iterable[tuple[Alphabet, Item]], alone: bool) -> Iterator[Line]:
    """Classify the images that are fitted on, each with its own alphabet."""
    model = load_model(installed_model_folder())
    classifiers = {alphabet: Classifier(model, characters) for alphabet, characters in ALPHABETS.items()}
    for alphabet, (_, image, label) in items:
        settings = Settings(layout="line", alphabet=alphabet)
        yield from lines_of(image, label, settings, classifiers[alphabet], alone)


def start_of(alone: bool) -> Floats:
    """Return the weights as they are, in the order of `NAMES`, or of `OF_CNN` for the CNN alone."""
    cnn = CNN_WEIGHTS if alone else WEIGHTS
    line = [] if alone else [BOTH.letter, BOTH.nothing, BOTH.uncut, BOTH.mark, BOTH.uncut_mark]
    return np.array([*cnn.letter, cnn.probability, cnn.null_path, cnn.null_path_reject, *line])


def constants(weights: Floats) -> str:
    """Write weights as constants: those of both readers as in line_evidence.py, else as in lattice.py."""
    values = [f"{one:.2f}" for one in weights]
    count = len(FEATURE_WEIGHTS)
    listed = "".join(f'    "{name}": {one},\n' for name, one in zip(FEATURE_WEIGHTS, values, strict=False))
    probability, null_path, reject, *line = values[count:]
    if not line:
        return (
            f"WEIGHTS = {{\n{listed}}}\nPROBABILITY_WEIGHT = {probability}\n"
            f"NULL_PATH_SCORE, NULL_PATH_REJECT_WEIGHT = {null_path}, {reject}"
        )
    return (
        f"FEATURE_WEIGHTS = {{\n{listed}}}\n"
        f"WEIGHTS = Weights(np.array(list(FEATURE_WEIGHTS.values())), {probability}, {null_path}, {reject})\n"
        f"BOTH = LineWeights(1.0, {', '.join(line)})"
    )


@click.command(help=__doc__)
@click.option("--cnn-alone", is_flag=True, help="Fit the weights by which the CNN reads alone.")
def main(cnn_alone: bool) -> None:
    """Fit the weights on the held-out lines of LETTERMILL_DATA and print them."""
    if not os.environ.get("LETTERMILL_DATA"):
        raise click.UsageError("set LETTERMILL_DATA to the folder of real handwriting")
    items = list(real_items(Path(os.environ["LETTERMILL_DATA"])))
    start = start_of(cnn_alone)
    lines = list(real_lines(track(items, "reading"), cnn_alone))
    weights = fit(lines, start)
    before, after = (loss(one, lines, start)[0] for one in (start, weights))
    click.echo(
        f"{len(lines)} lines; mean negative log likelihood with the prior {before:.3f}, then {after:.3f}"
    )
    click.echo(constants(weights))


if __name__ == "__main__":
    main()
