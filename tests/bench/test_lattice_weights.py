"""The fit of the lattice's weights: its gradient, and what it finds on small lines."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad

from bench.lattice_weights import (
    NAMES,
    OF_CNN,
    Line,
    cnn_evidence,
    columns_of,
    constants,
    fit,
    likelihood,
    loss,
    spellings,
    start_of,
    with_line_network,
)
from lettermill.worker.reading.lattice import WordLattice
from lettermill.worker.reading.line_evidence import BOTH, Steps, arcs_of, joined

CHARACTERS, MARKS = 3, 1
PARTS = np.array([[0.0, 8.0], [10.0, 18.0]])
FIRST, LAST = np.array([0, 1, 0]), np.array([1, 2, 2])


def candidates(rng: np.random.Generator) -> tuple[WordLattice, np.ndarray]:
    """Two parts with the candidates of each and of both, and what the CNN says of them."""
    allowed = np.zeros((3, CHARACTERS + MARKS + 1))
    allowed[2, -1] = -np.inf
    shapes = rng.normal(size=(3, len(OF_CNN) - 3))
    log_probabilities = np.log(rng.dirichlet(np.ones(CHARACTERS), 3))
    evidence = cnn_evidence(shapes, log_probabilities, np.log(rng.random(3)), allowed.shape[1])
    return WordLattice(2, FIRST, LAST, allowed), evidence


def view(rng: np.random.Generator) -> Steps:
    """Steps that see a letter in each part."""
    probabilities = rng.dirichlet(np.ones(CHARACTERS + MARKS + 1), 10)
    probabilities[:, -1] += 3.0
    probabilities[[2, 7], 0] += 30.0
    return Steps(probabilities / probabilities.sum(axis=1, keepdims=True), 0.0, 2.0)


def line(seed: int, text: tuple[int, ...] = (0, 1)) -> Line:
    rng = np.random.default_rng(seed)
    lattice, evidence = candidates(rng)
    (arcs,) = arcs_of(lattice, PARTS, [view(rng)])
    over_arcs, both = with_line_network(lattice, evidence, arcs, CHARACTERS)
    return Line(over_arcs, both.astype(np.float32), text)


def test_scores_are_those_of_the_reading() -> None:
    rng = np.random.default_rng(3)
    weights = np.concatenate((rng.normal(size=len(OF_CNN)), start_of(alone=False)[len(OF_CNN) :]))
    lattice, evidence = candidates(rng)
    steps = view(rng)
    of_cnn = lattice.scores + np.tensordot(weights[: len(OF_CNN)], evidence, 1)
    without_marks = np.delete(of_cnn, np.s_[CHARACTERS:-1], axis=1)
    (arcs,) = arcs_of(lattice, PARTS, [steps])
    expected = joined(WordLattice(2, FIRST, LAST, without_marks), arcs, MARKS, BOTH)
    over_arcs, both = with_line_network(lattice, evidence, arcs, CHARACTERS)
    scored = Line(over_arcs, both.astype(np.float32), ()).score(weights).scores
    null = np.logaddexp.reduce(scored[:, CHARACTERS:], axis=1)
    assert np.allclose(np.column_stack((scored[:, :CHARACTERS], null)), expected.scores, atol=1e-4)


def test_the_gradient_is_that_of_the_loss() -> None:
    lines = [line(seed) for seed in range(3)]
    start = start_of(alone=False)
    at = start + np.random.default_rng(1).normal(0, 0.1, len(start))
    value, slope = (lambda one: loss(one, lines, start)[0]), (lambda one: loss(one, lines, start)[1])
    assert check_grad(value, slope, at) < 1e-3 * max(1.0, float(np.linalg.norm(slope(at))))


def test_all_spellings_together_are_all_readings() -> None:
    one = line(4)
    lattice = one.score(start_of(alone=False))
    columns = range(CHARACTERS + MARKS)
    texts = [(), *((a,) for a in columns), *((a, b) for a in columns for b in columns)]
    longer = [(*text, c) for text in texts if len(text) == 2 for c in columns]
    total = np.logaddexp.reduce([spellings(lattice, text)[1] for text in [*texts, *longer]])
    assert total == pytest.approx(lattice.log_total(), abs=1e-3)


def test_a_text_that_no_path_spells_has_no_likelihood() -> None:
    assert likelihood(line(5, (0,) * 9), start_of(alone=False)) is None


def test_the_fit_makes_the_texts_likelier() -> None:
    lines = [line(seed) for seed in range(8)]
    start = start_of(alone=False)
    found = fit(lines, start)
    assert loss(found, lines, start)[0] < loss(start, lines, start)[0] - 0.01
    assert len(found) == len(NAMES)


def test_labels_are_columns_without_what_the_reader_does_not_know() -> None:
    assert columns_of("Éa-b 1", "ABE-") == (2, 0, 3, 1)
    assert columns_of("a-b", "ABE") == (0, 1)


@pytest.mark.parametrize(
    ("alone", "names"),
    [
        (False, {"FEATURE_WEIGHTS", "WEIGHTS", "BOTH"}),
        (True, {"WEIGHTS", "PROBABILITY_WEIGHT", "NULL_PATH_SCORE", "NULL_PATH_REJECT_WEIGHT"}),
    ],
)
def test_constants_are_printed_as_the_modules_have_them(alone: bool, names: set[str]) -> None:
    from lettermill.worker.reading import lattice, line_evidence

    module = lattice if alone else line_evidence
    found: dict[str, object] = {
        "np": np,
        "Weights": lattice.Weights,
        "LineWeights": line_evidence.LineWeights,
    }
    before = set(found)
    exec(constants(start_of(alone)), found)
    assert set(found) - before - {"__builtins__"} == names
    for name in names - {"WEIGHTS"} if not alone else names:
        assert found[name] == getattr(module, name)
