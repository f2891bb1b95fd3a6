"""Fits the calibration of both readers on held-out fields, and writes it into a model's card.

    LETTERMILL_DATA=DATA python -m bench.calibrate MODEL_DIR [--write]

Shares of readings are sorted into steps of at least `LEAST_LETTERS` letters in which they rise with accuracy
(isotonic regression by pooling adjacent violators, Ayer et al. 1955). Confidences are such that the mean of
the letters from a step upwards is the lower bound of their accuracy (Clopper and Pearson 1934). A missed
letter counts as an error of the less sure one of the two letters beside its place. The probability that all
of a field is right is fitted likewise, on the least letter confidence of each image. All images fit; what is
printed was measured on each half with the calibration of the other half.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from rapidfuzz.distance import Levenshtein
from scipy.stats import beta

from bench.real_sets import Item, amounts, compared, fields, judged, unipen_words
from lettermill.jobs.inputs.model import CARD_FILE, load_model
from lettermill.jobs.results.flagging import RATES, UNLIKE_FROM_LETTERS
from lettermill.jobs.settings import ALPHABETS, Alphabet, Settings
from lettermill.training.fitting.model_card import write_card
from lettermill.worker.reading.calibration import confidence_of, log_odds
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.read_lines import read_lines

LEAST_LETTERS = 120
"""Letters in a step, at least."""

LEAST_FIELDS = 40
"""Fields in a step, at least."""

FIELD_RATES = (0.95, 0.97, 0.98, 0.99, 0.995)
"""Rates for which it is said how many images are accepted."""

CONFIDENCE = 0.95
"""That of a step's lower bound."""

STEP_LOG_ODDS = 0.002
"""Falls from one step to the next at least, in log-odds of the confidence."""

LOW_PARTS = 0.05
"""Share of the parts of the material whose mean confidence is low."""

Judged = tuple[float, bool]
"""The share of readings that agree on a letter, and whether the letter is right. Or a field's least letter
confidence, and whether all of the field is right."""

Fitted = Sequence[tuple[float, float]]
"""What `knots` returns."""


class JudgedImage(NamedTuple):
    """An image that was read: its letters, and whether all of it is right."""

    letters: list[Judged]
    right: bool


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


def steps(judged: Sequence[Judged], least: int = LEAST_LETTERS) -> list[list[Judged]]:
    """Sort letters by share into steps whose accuracy rises; equal shares are in one step.

    Args:
        judged: the letters, or fields.
        least: how many of them a step has at least.
    """
    groups: list[list[Judged]] = []
    for _, equal in itertools.groupby(sorted(judged), key=itemgetter(0)):
        if not groups or len(groups[-1]) >= least:
            groups.append([])
        groups[-1] += equal
    if len(groups) > 1 and len(groups[-1]) < least:
        groups[-2:] = [groups[-2] + groups[-1]]
    pooled: list[list[Judged]] = []
    for group in groups:
        pooled.append(group)
        while len(pooled) > 1 and _accuracy(pooled[-2]) >= _accuracy(pooled[-1]):
            pooled[-2:] = [pooled[-2] + pooled[-1]]
    return pooled


def _accuracy(group: Sequence[Judged]) -> float:
    return sum(right for _, right in group) / len(group)


def knots(judged: Sequence[Judged], least: int = LEAST_LETTERS) -> list[tuple[float, float]]:
    """Return the calibration: log-odds of the middle share of each step, and of its confidence.

    Letters are accepted in order of confidence while the mean stays at a rate. So confidences are chosen such
    that the mean of all letters from a step upwards is the lower bound of what was right among them: the
    promise holds at each rate. At the top, where few letters bound little, the steps share the best bound.

    Args:
        judged: the letters, or fields.
        least: how many of them a step has at least.
    """
    groups = steps(judged, least)[::-1]
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


def least_confidences(images: Iterable[JudgedImage], fitted: Fitted) -> list[Judged]:
    """Return the least letter confidence of each image with letters, and whether all of the image is right.

    Args:
        images: the images.
        fitted: the calibration of their letters.
    """
    least = ((min(share for share, _ in one.letters), one.right) for one in images if one.letters)
    return [(round(confidence_of(share, fitted), 6), right) for share, right in least]


def low_mean(images: Iterable[Sequence[Judged]], fitted: Fitted) -> float:
    """Return the mean confidence that all but `LOW_PARTS` of the parts have.

    A part is successive images with `UNLIKE_FROM_LETTERS` letters or more.

    Args:
        images: the letters of each image.
        fitted: their calibration.
    """
    means = []
    part: list[float] = []
    for image in images:
        part += [confidence_of(share, fitted) for share, _ in image]
        if len(part) >= UNLIKE_FROM_LETTERS:
            means.append(sum(part) / len(part))
            part = []
    return round(float(np.quantile(means, LOW_PARTS)), 4) if means else 0.0


def read_set(items: Iterator[Item], alphabet: Alphabet, model: Path) -> list[JudgedImage]:
    """Read a set and judge its images and their letters."""
    settings = Settings(layout="line", alphabet=alphabet)
    loaded = load_model(model)
    loaded.card["line_network"]["calibration"] = {}
    classifier = Classifier(loaded, ALPHABETS[alphabet])
    found = []
    for _, image, label in items:
        lines, _ = read_lines(image, settings, classifier)
        one = judged(lines, compared(label, settings), by_words=False, settings=settings)
        found.append(JudgedImage(judge(one.read, one.confidences, one.truth), one.read == one.truth))
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
    read: dict[str, list[JudgedImage]] = {
        alphabet: [image for source in sources for image in read_set(source, alphabet, model)]  # type: ignore[arg-type]
        for alphabet, sources in sets.items()
    }
    for alphabet, images in read.items():
        click.echo(f"{alphabet}: {sum(len(one.letters) for one in images)} letters, {len(images)} images")
        _show_halves(images[::2], images[1::2])
    read["alnum"] = [image for images in read.values() for image in images]
    fitted = {alphabet: knots(_letters(images)) for alphabet, images in read.items()}
    found = {
        "calibration": fitted,
        "field_calibration": {
            alphabet: knots(least_confidences(images, fitted[alphabet]), LEAST_FIELDS)
            for alphabet, images in read.items()
        },
        "low_mean_confidence": {
            alphabet: low_mean((one.letters for one in images), fitted[alphabet])
            for alphabet, images in read.items()
        },
    }
    for name, values in found.items():
        click.echo(f"{name}: {json.dumps(values)}")
    if write:
        card = json.loads((model / CARD_FILE).read_text(encoding="utf-8"))
        card["line_network"] |= found
        write_card(card, model / CARD_FILE)


def _letters(images: Iterable[JudgedImage]) -> list[Judged]:
    return [letter for image in images for letter in image.letters]


def _show_halves(*halves: Sequence[JudgedImage]) -> None:
    """Say what is accepted of two halves, each by the calibration of the other one."""
    letters = [_letters(half) for half in halves]
    fits = [knots(one) for one in letters[::-1]]
    # Fields are fitted on the half that fitted the letters, and images without letters are not accepted.
    fields = [least_confidences(half, fit) for half, fit in zip(halves, fits, strict=True)]
    of_fit = [least_confidences(half, fit) for half, fit in zip(halves[::-1], fits, strict=True)]
    fits_of_fields = [knots(one, LEAST_FIELDS) for one in of_fit]
    for rate in RATES:
        _show("letters", rate, fits, letters, sum(map(len, letters)))
    for rate in FIELD_RATES:
        _show("images", rate, fits_of_fields, fields, sum(map(len, halves)))


def _show(
    what: str, rate: float, fits: Sequence[Fitted], halves: Sequence[Sequence[Judged]], count: int
) -> None:
    """Say how many of a count are accepted at a rate, each half by its calibration, and are right."""
    accepted = []
    for fitted, half in zip(fits, halves, strict=True):
        places, values = zip(*fitted, strict=True)
        odds = np.interp(log_odds([share for share, _ in half]), places, values)
        order = np.argsort(-odds, kind="stable")
        means = np.cumsum(1 / (1 + np.exp(-odds[order]))) / np.arange(1, len(order) + 1)
        accepted += [half[one][1] for one in order[: int((means >= rate).sum())]]
    text = f"{sum(accepted) / len(accepted):.3%} of them right" if accepted else "none"
    click.echo(f"  {what} at {rate}: {len(accepted) / count:.1%} accepted, {text}")


if __name__ == "__main__":
    main()
