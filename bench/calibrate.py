"""Fits the calibration of both readers on held-out fields, and writes it into a model's card.

    LETTERMILL_DATA=DATA python -m bench.calibrate MODEL_DIR [--write]

Shares of readings are sorted into steps of at least `LEAST_LETTERS` letters in which they rise with accuracy
(isotonic regression by pooling adjacent violators, Ayer et al. 1955). Confidences are such that the mean of
the letters from a step upwards is the lower bound of their accuracy (Clopper and Pearson 1934). A missed
letter counts as an error of the less sure one of the two letters beside its place. All images fit; what is
printed was measured on each half with the calibration of the other half.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
import numpy as np
from rapidfuzz.distance import Levenshtein
from scipy.stats import beta

from bench.real_sets import Item, amounts, compared, fields, judged, unipen_words
from lettermill.jobs.inputs.model import CARD_FILE, load_model
from lettermill.jobs.results.flagging import RATES, UNLIKE_FROM_LETTERS
from lettermill.jobs.settings import ALPHABETS, Alphabet, Settings
from lettermill.training.fitting.model_card import write_card
from lettermill.worker.reading.calibration import calibrated, log_odds
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.read_lines import read_lines

LEAST_LETTERS = 120
"""Letters in a step, at least."""

CONFIDENCE = 0.95
"""That of a step's lower bound."""

STEP_LOG_ODDS = 0.002
"""Falls from one step to the next at least, in log-odds of the confidence."""

LOW_PARTS = 0.05
"""Share of the parts of the material whose mean confidence is low."""

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
    """Return the calibration: log-odds of the middle share of each step, and of its confidence.

    Letters are accepted in order of confidence while the mean stays at a rate. So confidences are chosen such
    that the mean of all letters from a step upwards is the lower bound of what was right among them: the
    promise holds at each rate. At the top, where few letters bound little, the steps share the best bound.
    """
    groups = steps(judged)[::-1]
    counts = np.cumsum([len(group) for group in groups])
    rights = np.cumsum([sum(right for _, right in group) for group in groups])
    bounds = np.nan_to_num(beta.ppf(1 - CONFIDENCE, rights, counts - rights + 1))
    best = int(bounds.argmax())
    confidences = [float(bounds[best])] * (best + 1)
    promised = float(counts[best] * bounds[best])
    for number in range(best + 1, len(groups)):
        added = float(counts[number] * bounds[number]) - promised
        confidences.append(min(confidences[-1], max(0.0, added / len(groups[number]))))
        promised += confidences[-1] * len(groups[number])
    places = log_odds([group[len(group) // 2][0] for group in groups])
    # Steps of one confidence keep their order, so that the surest letters are accepted first.
    values = [value - STEP_LOG_ODDS * number for number, value in enumerate(log_odds(confidences))]
    return [(round(place, 3), round(value, 3)) for place, value in zip(places, values, strict=True)][::-1]


def low_mean(images: Iterable[Sequence[Judged]], fitted: Sequence[tuple[float, float]]) -> float:
    """Return the mean confidence that all but `LOW_PARTS` of the parts have.

    A part is successive images with `UNLIKE_FROM_LETTERS` letters or more.

    Args:
        images: the letters of each image.
        fitted: their calibration.
    """
    means = []
    part: list[float] = []
    for image in images:
        part += [calibrated((("", share),), fitted)[0][1] for share, _ in image]
        if len(part) >= UNLIKE_FROM_LETTERS:
            means.append(sum(part) / len(part))
            part = []
    return round(float(np.quantile(means, LOW_PARTS)), 4) if means else 0.0


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
    low: dict[str, float] = {}
    everything: list[Judged] = []
    all_images: list[list[Judged]] = []
    for alphabet, sources in sets.items():
        images = [image for source in sources for image in read_set(source, alphabet, model)]  # type: ignore[arg-type]
        first, second = (list(itertools.chain(*images[start::2])) for start in (0, 1))
        fitted[alphabet] = knots(first + second)
        low[alphabet] = low_mean(images, fitted[alphabet])
        everything += first + second
        all_images += images
        click.echo(f"{alphabet}: {len(first + second)} letters, {len(images)} images")
        for rate in RATES:
            _show(rate, ((knots(second), first), (knots(first), second)))
    fitted["alnum"] = knots(everything)
    low["alnum"] = low_mean(all_images, fitted["alnum"])
    click.echo(json.dumps(fitted))
    click.echo(f"mean confidence of all but {LOW_PARTS:.0%} of the parts: {json.dumps(low)}")
    if write:
        card = json.loads((model / CARD_FILE).read_text(encoding="utf-8"))
        card["line_network"] |= {"calibration": fitted, "low_mean_confidence": low}
        write_card(card, model / CARD_FILE)


def _show(rate: float, halves: Sequence[tuple[Sequence[tuple[float, float]], Sequence[Judged]]]) -> None:
    """Say how many letters are accepted at a rate, each half by the other's calibration, and are right."""
    accepted, count = [], 0
    for fitted, half in halves:
        places, values = zip(*fitted, strict=True)
        odds = np.interp(log_odds([share for share, _ in half]), places, values)
        order = np.argsort(-odds, kind="stable")
        means = np.cumsum(1 / (1 + np.exp(-odds[order]))) / np.arange(1, len(order) + 1)
        accepted += [half[one][1] for one in order[: int((means >= rate).sum())]]
        count += len(half)
    text = f"{sum(accepted) / len(accepted):.3%} of them right" if accepted else "none"
    click.echo(f"  at {rate}: {len(accepted) / count:.1%} accepted, {text}")


if __name__ == "__main__":
    main()
