"""Trains once for each source without it, and measures how well its capitals are read.

The outputs for the left-out letters are then what a model's confidence is calibrated on, because only
they look like letters from a source that the CNN has never seen.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData, ModelProblem
from lettermill.jobs.settings import DIGITS, LETTERS
from lettermill.jobs.storage.atomic import atomic_write
from lettermill.jobs.storage.display import display_path
from lettermill.training.fitting import fit
from lettermill.training.fitting.checkpoint import CHECKPOINT_FILE, KERAS_FILE, Identity
from lettermill.training.fitting.non_letters import KINDS, non_letter_glyphs
from lettermill.training.fitting.teachers import UNSEEN
from lettermill.training.letters.sources import Letters, origins
from lettermill.training.letters.split import capitals, classes_of, exact, usable_labels, without_test
from lettermill.training.measure import (
    Answers,
    Figures,
    calibration_error,
    figures,
    fitted_temperature,
    masked_softmax,
    non_letter_probability,
    rejection,
)
from lettermill.training.reports import training_report as report_folder
from lettermill.training.reports.training_report import REPORT_FOLDER, NotLetters
from lettermill.training.training_settings import CLASSES, TrainingSettings

RESULT_FILE = "leave_one_out.json"
TABLE_FILE = "leave_one_out.md"
OUTPUTS_FILE = "outputs.npz"

_DAMAGE = (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged or missing outputs.npz raises."""

_LEAST_CAPITALS = 26 * 5
_NON_LETTERS = 2000
_LOST = 0.01
"""Share of the letters that may be taken for none where the rejected non-letters are counted."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class LeftOut:
    """What the CNN answered about one source, trained without that source."""

    letters: Letters
    """The source's capitals and digits, n."""

    logits: NDArray[np.float32]
    """float32, n×37."""

    non_letters: NDArray[np.float32]
    """float32, m×37: the answers about what was made of these letters and is none."""

    kinds: NDArray[np.int64]
    """int64, m: what they are, as indexes into `lettermill.training.fitting.non_letters.KINDS`."""

    @property
    def source(self) -> str:
        """The source's name."""
        return str(self.letters.sources[0])

    def among(self, alphabet: str, temperature: float) -> Answers:
        """Return the answers about the characters of an alphabet, read as a job of that alphabet does."""
        own = np.isin(self.letters.labels, list(alphabet))
        letters = self.letters[own]
        return Answers(
            CLASSES,
            masked_softmax(self.logits[own], temperature, alphabet, CLASSES),
            classes_of(letters),
            letters.glyphs,
            letters.sources,
        )

    def look_like_none(self) -> NotLetters:
        """Return how much the letters, and what is none, look like no letter."""
        return NotLetters(
            non_letter_probability(self.logits),
            non_letter_probability(self.non_letters),
            np.array(KINDS)[self.kinds],
        )


def sources_with_capitals(letters: Letters) -> list[str]:
    """List the sources that have enough capitals to be measured on."""
    names, counts = np.unique(capitals(letters).sources, return_counts=True)
    return [str(name) for name, count in zip(names, counts, strict=True) if count >= _LEAST_CAPITALS]


def leave_one_out(
    letters: Letters,
    settings: TrainingSettings,
    folder: Path,
    report: Callable[[str], None],
    resume: bool = False,
) -> Iterator[LeftOut]:
    """Train a model for each source on all the others and let it answer for the one left out.

    The settings are the same for every source and nothing is chosen on it, not even the epoch; the writers
    of the test part take no part at all. Each source's folder, `without_SOURCE`, keeps the model and its
    answers (`logits` and `classes` in outputs.npz).

    Args:
        letters: everything that was found.
        settings: as for the model to be judged.
        folder: takes a folder for each source.
        report: is called with progress.
        resume: takes the sources that are done from the folder, and goes on with the one that was cut off.

    Yields:
        One result a source, as soon as it is there.

    Raises:
        BadData: fewer than two sources have capitals, or the folder is of other letters.
        UsageProblem: the folder is of other settings.
        KeyboardInterrupt: Ctrl-C; the sources that are done stay.
    """
    letters = without_test(letters, settings)
    names = sources_with_capitals(letters)
    if len(names) < 2:
        raise BadData(
            f"leave-one-out needs two sources with capitals, found: {', '.join(names) or 'none'}",
            "Add training sets of other origin to --data.",
        )
    for name in names:
        others = letters[usable_labels(letters, settings) & (origins(letters) != name)]
        own = exact(letters[letters.sources == name])
        report(f"without {name}: {len(others)} glyphs to train on, {len(own)} to measure")
        result = _left_out(others, own, settings, folder / f"{UNSEEN}{name}", report, resume)
        report(f"{name}: {result.among(LETTERS, 1.0).right.mean():.2%} of the capitals right")
        yield result


def _left_out(
    others: Letters,
    own: Letters,
    settings: TrainingSettings,
    folder: Path,
    report: Callable[[str], None],
    resume: bool,
) -> LeftOut:
    """Train on the others and answer for a source's own letters, or read what was answered before."""
    outputs = folder / OUTPUTS_FILE
    identity = Identity.of(settings, CLASSES, others, own)
    if resume and outputs.exists() and not (folder / CHECKPOINT_FILE).exists():
        report("done before")
        return _read_outputs(outputs, own, identity)
    trained = fit.train(others, None, settings, report, folder=folder, resume=resume)
    if trained.stopped:
        report("Stopped: the same command with --resume goes on; the sources that are done stay.")
        raise KeyboardInterrupt
    outputs.unlink(missing_ok=True)  # of an earlier model
    trained.model.save(folder / KERAS_FILE)
    made, kinds = non_letter_glyphs(own.canvases, _NON_LETTERS, np.random.default_rng(settings.seed))
    result = LeftOut(
        own,
        fit.logits_of(trained.model, own.glyphs),
        fit.logits_of(trained.model, made),
        kinds,
    )
    about = {
        "identity": dataclasses.asdict(identity),
        "model_sha256": hashlib.sha256((folder / KERAS_FILE).read_bytes()).hexdigest(),
    }
    content = io.BytesIO()
    np.savez(
        content,
        logits=result.logits,
        classes=classes_of(own),
        non_letters=result.non_letters,
        kinds=kinds,
        about=np.array(json.dumps(about)),
    )
    with atomic_write(outputs) as file:
        file.buffer.write(content.getbuffer())
    (folder / CHECKPOINT_FILE).unlink()
    return result


def _read_outputs(path: Path, own: Letters, identity: Identity) -> LeftOut:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            result = LeftOut(own, archive["logits"], archive["non_letters"], archive["kinds"])
            found = Identity(**json.loads(str(archive["about"]))["identity"])
    except _DAMAGE as error:
        raise _damaged(path, error) from error
    identity.check(found, path)
    return result


def _damaged(path: Path, error: Exception) -> ModelProblem:
    return ModelProblem(
        f"{display_path(path)} is damaged: {error}",
        f"Delete {display_path(path.parent)} and give the command of --leave-one-out again with --resume: "
        "it is made again.",
    )


def temperature_of(results: list[LeftOut]) -> float:
    """Fit one temperature to the left-out sources' capitals, each source counting the same."""
    logits, classes, weights = [], [], []
    for result in results:
        own = np.isin(result.letters.labels, list(LETTERS))
        logits.append(result.logits[own])
        classes.append(classes_of(result.letters[own]))
        weights.append(np.full(own.sum(), 1 / own.sum()))
    return fitted_temperature(
        np.concatenate(logits), np.concatenate(classes), np.concatenate(weights), LETTERS, CLASSES
    )


def pooled(results: list[LeftOut]) -> Answers:
    """Return the answers about all sources' capitals.

    Each source's are calibrated with a temperature that was fitted without it; of a single source there is
    none, and 1 stands in.
    """
    parts = []
    for result in results:
        others = [other for other in results if other is not result]
        parts.append(result.among(LETTERS, temperature_of(others) if others else 1.0))
    fields = ("probabilities", "classes", "glyphs", "sources")
    return Answers(CLASSES, *(np.concatenate([getattr(part, field) for part in parts]) for field in fields))


def look_like_none(results: list[LeftOut]) -> NotLetters:
    """Return how much all sources' letters, and what was made of them and is none, look like no letter."""
    scores = [result.look_like_none() for result in results]
    fields = ("letters", "others", "kinds")
    return NotLetters(*(np.concatenate([getattr(one, field) for one in scores]) for field in fields))


def summary(results: list[LeftOut], settings: TrainingSettings) -> dict[str, Any]:
    """Return the figures: a row a source, their mean, all capitals together, and the temperature."""
    answers = pooled(results)
    rows = []
    for result in results:
        before = result.among(LETTERS, 1.0)
        after = figures(answers[answers.sources == result.source])
        digits = result.among(DIGITS, 1.0)
        look = result.look_like_none()
        rows.append(
            {
                "source": result.source,
                "capitals": after.count,
                "accuracy": round(after.accuracy.value, 4),
                "loss": round(after.loss.value, 4),
                "calibration_error_before": round(calibration_error(before.confidence, before.right), 4),
                "calibration_error_after": round(after.calibration_error, 4),
                "digits": len(digits),
                "digit_accuracy": round(float(digits.right.mean()), 4) if len(digits) else None,
                "non_letters_rejected": round(
                    float(rejection(look.letters, look.others, _LOST)[1].mean()), 4
                ),
            }
        )
    return {
        "rows": rows,
        "mean_accuracy": round(float(np.mean([row["accuracy"] for row in rows])), 4),
        "mean_calibration_error_before": round(
            float(np.mean([r["calibration_error_before"] for r in rows])), 4
        ),
        "mean_calibration_error_after": round(
            float(np.mean([r["calibration_error_after"] for r in rows])), 4
        ),
        "all": json.loads(json.dumps(dataclasses.asdict(figures(answers)))),
        "temperature": round(temperature_of(results), 4),
        "settings": settings.to_json(),
    }


def table(values: dict[str, Any]) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        "| left out | capitals | accuracy | loss | calibration error before | after | digits | accuracy | "
        "non-letters rejected |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in values["rows"]:
        digits = f"{row['digits']:,} | {row['digit_accuracy']:.2%}" if row["digits"] else "|"
        lines.append(
            f"| {row['source']} | {row['capitals']:,} | {row['accuracy']:.2%} | {row['loss']:.3f} | "
            f"{row['calibration_error_before']:.3f} | {row['calibration_error_after']:.3f} | {digits} | "
            f"{row['non_letters_rejected']:.1%} |"
        )
    lines.append(
        f"| **mean** | | **{values['mean_accuracy']:.2%}** | | "
        f"{values['mean_calibration_error_before']:.3f} | {values['mean_calibration_error_after']:.3f} | "
        "| | |"
    )
    return "\n".join(lines) + "\n"


def write_reports(results: list[LeftOut], folder: Path) -> dict[str, Figures]:
    """Write a report of each source's capitals into its folder, and one of all into the folder itself.

    Returns:
        The headline figures of all.
    """
    answers = pooled(results)
    for result in results:
        own = answers[answers.sources == result.source]
        about = f"{len(own):,} capitals, read by a CNN that was trained without {result.source}"
        _write_report(
            folder / f"{UNSEEN}{result.source}",
            own,
            result.look_like_none(),
            f"Without {result.source}",
            about,
        )
    about = (
        f"{len(answers):,} capitals of {len(results)} sources, each read by a CNN trained without its source"
    )
    return _write_report(folder, answers, look_like_none(results), "Leave one source out", about)


def _write_report(
    folder: Path, answers: Answers, scores: NotLetters, title: str, about: str
) -> dict[str, Figures]:
    measured = report_folder.headline(answers)
    letters = np.array(CLASSES)[answers.classes]
    report_folder.write(
        folder / REPORT_FOLDER,
        answers,
        measured,
        title=title,
        about=f"{about} and calibrated on the others. Answers are among A–Z.",
        data=report_folder.Data("What was measured", answers.glyphs, letters, answers.sources),
        not_letters=scores,
    )
    return measured


def write(values: dict[str, Any], folder: Path) -> None:
    """Write the figures as JSON and as a Markdown table."""
    with atomic_write(folder / RESULT_FILE) as file:
        file.write(json.dumps(values, indent=2) + "\n")
    with atomic_write(folder / TABLE_FILE) as file:
        file.write(table(values))


def read(folder: Path) -> dict[str, Any]:
    """Read the figures that `write` wrote into a folder.

    Raises:
        BadData: the file is missing or holds something else.
    """
    path = folder / RESULT_FILE
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not {"rows", "temperature", "settings"} <= values.keys():
            raise ValueError("rows, temperature or settings are missing")
    except (OSError, ValueError, AttributeError) as error:
        raise BadData(
            f"{path} cannot be read: {error}", "Give the --out of `lettermill train --leave-one-out`."
        ) from error
    return values


def networks(folder: Path) -> dict[Path, str]:
    """List the networks that stand in the figures of a folder, one a source, with their SHA-256.

    Raises:
        BadData: the folder holds no figures.
        ModelProblem: the outputs of a source, which note its network's checksum, are missing or damaged.
    """
    hashes = {}
    for row in read(folder)["rows"]:
        outputs = folder / f"{UNSEEN}{row['source']}" / OUTPUTS_FILE
        try:
            with outputs.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                hashes[outputs.with_name(KERAS_FILE)] = json.loads(str(archive["about"]))["model_sha256"]
        except _DAMAGE as error:
            raise _damaged(outputs, error) from error
    return hashes
