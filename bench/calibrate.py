"""Fits the calibration of both readers on held-out fields, and writes it into a model's card.

    LETTERMILL_DATA=DATA python -m bench.calibrate MODEL_DIR [--write]

Shares of readings are sorted into steps of at least `LEAST_LETTERS` letters in which they rise with accuracy
(isotonic regression by pooling adjacent violators, Ayer et al. 1955). A step's value is the lower bound of
its accuracy (Clopper and Pearson 1934). A missed letter counts as an error of the less sure one of the
two letters beside its place. Half of each set fits, the other half shows what the bound is worth.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from rapidfuzz.distance import Levenshtein
from scipy.stats import beta

from bench.real_sets import Item, amounts, compared, fields, judged, unipen_words
from lettermill.jobs.inputs.model import CARD_FILE, load_model
from lettermill.jobs.settings import ALPHABETS, Alphabet, Settings
from lettermill.training.fitting.model_card import write_card
from lettermill.worker.reading.calibration import log_odds
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.read_lines import read_lines

LEAST_LETTERS = 120
"""Letters in a step, at least."""

CONFIDENCE = 0.95
"""That of a step's lower bound."""

Judged = tuple[float, bool]
"""The share of readings that agree on a letter, and whether the letter is right."""


def judge(read: str, shares: Sequence[float], truth: str) -> list[Judged]:
    """Say of each letter of a reading whether it is right; missed letters count against a neighbour."""
    right = [False] * len(read)
    missed = []
    for step in Levenshtein.opcodes(read, truth):
        if step.tag == "equal":
            right[step.src_start : step.src_end] = [True] * (step.src_end - step.src_start)
        elif step.tag == "insert":
            missed.append(step.src_start)
    for place in missed:
        beside = [one for one in (place - 1, place) if 0 <= one < len(read)]
        if beside:
            right[min(beside, key=lambda one: shares[one])] = False
    return list(zip(shares, right, strict=True))


def steps(judged: Sequence[Judged]) -> list[list[Judged]]:
    """Sort letters by share into steps whose accuracy rises."""
    ordered = sorted(judged)
    starts = range(0, len(ordered), LEAST_LETTERS)
    groups = [ordered[start : start + LEAST_LETTERS] for start in starts]
    if len(groups) > 1 and len(groups[-1]) < LEAST_LETTERS:
        groups[-2:] = [groups[-2] + groups[-1]]
    pooled: list[list[Judged]] = []
    for group in groups:
        pooled.append(group)
        while len(pooled) > 1 and _accuracy(pooled[-2]) >= _accuracy(pooled[-1]):
            pooled[-2:] = [pooled[-2] + pooled[-1]]
    return pooled


def _accuracy(group: Sequence[Judged]) -> float:
    return sum(right for _, right in group) / len(group)


def knots(judged: Sequence[Judged]) -> list[tuple[float, float]]:
    """Return the calibration: log-odds of the middle share of each step, and of its lower bound."""
    found = []
    for group in steps(judged):
        right = sum(one for _, one in group)
        bound = beta.ppf(1 - CONFIDENCE, right, len(group) - right + 1) if right else 0.0
        place, value = log_odds([group[len(group) // 2][0], float(bound)])
        found.append((round(place, 3), round(value, 3)))
    # A small step may have a lower bound than a larger one below it.
    values = itertools.accumulate((value for _, value in found), max)
    return [(place, value) for (place, _), value in zip(found, values, strict=True)]


def read_set(items: Iterator[Item], alphabet: Alphabet, model: Path) -> list[list[Judged]]:
    """Read a set and judge its letters, image by image."""
    settings = Settings(layout="line", alphabet=alphabet)
    loaded = load_model(model)
    loaded.card["line_network"]["calibration"] = {}
    classifier = Classifier(loaded, ALPHABETS[alphabet])
    found = []
    for _, image, label in items:
        lines, _ = read_lines(image, settings, classifier)
        one = judged(lines, compared(label, settings), by_words=False, settings=settings)
        found.append(judge(one.read, one.confidences, one.truth))
    return found


@click.command()
@click.argument("model", type=click.Path(exists=True, path_type=Path))
@click.option("--write", is_flag=True, help="Write the calibration into the model's card.")
def main(model: Path, write: bool) -> None:
    """Fit the calibration of MODEL on the held-out fields of LETTERMILL_DATA."""
    data = Path(os.environ["LETTERMILL_DATA"])
    sets = {
        "letters": [fields(data, "other"), unipen_words(data, "letters")],
        "digits": [amounts(data), unipen_words(data, "digits")],
    }
    fitted: dict[str, list[tuple[float, float]]] = {}
    everything: list[Judged] = []
    for alphabet, sources in sets.items():
        images = [image for source in sources for image in read_set(source, alphabet, model)]  # type: ignore[arg-type]
        first, second = (list(itertools.chain(*images[start::2])) for start in (0, 1))
        fitted[alphabet] = knots(first)
        everything += first
        click.echo(f"{alphabet}: {len(first)} letters fit, {len(second)} measure")
        for rate in (0.98, 0.99, 0.995, 0.999):
            _show(rate, fitted[alphabet], second)
    fitted["alnum"] = knots(everything)
    click.echo(json.dumps(fitted))
    if write:
        card = json.loads((model / CARD_FILE).read_text(encoding="utf-8"))
        card["line_network"]["calibration"] = fitted
        write_card(card, model / CARD_FILE)


def _show(rate: float, fitted: list[tuple[float, float]], judged: Sequence[Judged]) -> None:
    """Say how many letters of the other half are accepted at a rate, and how many of these are right."""
    (wanted,) = log_odds([rate])
    places = [place for place, value in fitted if value >= wanted]
    accepted = [right for share, right in judged if places and log_odds([share])[0] >= places[0]]
    text = f"{sum(accepted) / len(accepted):.3%} of them right" if accepted else "none"
    click.echo(f"  at {rate}: {len(accepted) / len(judged):.1%} accepted, {text}")


if __name__ == "__main__":
    main()
