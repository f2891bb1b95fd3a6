"""Trains once per source without it, and keeps the answers about the letters of the source left out.

Those answers are what to expect about a source that the CNN has never seen.
"""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData, ModelProblem
from lettermill.jobs.settings import LETTERS
from lettermill.jobs.storage.atomic import atomic_write
from lettermill.jobs.storage.display import display_path
from lettermill.training.fitting import fit
from lettermill.training.fitting.checkpoint import CHECKPOINT_FILE, KERAS_FILE, Identity
from lettermill.training.fitting.reject_class import KINDS, non_letter_glyphs
from lettermill.training.letters.sources import Letters, origins
from lettermill.training.letters.split import capitals, classes_of, exact, usable_labels, without_test
from lettermill.training.measure import Answers, RejectScores, masked_softmax, non_letter_probability
from lettermill.training.training_settings import CLASSES, TrainingSettings

OUTPUTS_FILE = "outputs.npz"

UNSEEN = "without_"
"""Prefix of the folder of a network; the source that the network was trained without follows."""

_DAMAGE = (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged or missing outputs.npz raises."""

_LEAST_CAPITALS = 26 * 5
"""Capitals that a source needs to be measured on."""

_NON_LETTERS = 2000
"""Glyphs of the reject class that are made for each source."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class LeftOut:
    """The outputs of a CNN about a source that it was trained without."""

    letters: Letters
    """The source's capitals and digits, n."""

    logits: NDArray[np.float32]
    """float32, n×37: the outputs about them."""

    non_letters: NDArray[np.float32]
    """float32, m×37: the outputs about glyphs of the reject class, made from these letters."""

    kinds: NDArray[np.int64]
    """int64, m: the kinds of these glyphs, as indexes into `reject_class.KINDS`."""

    @property
    def source(self) -> str:
        """The source's name."""
        return str(self.letters.sources[0])

    def among(self, alphabet: str, temperature: float) -> Answers:
        """Return the answers about the characters of an alphabet, as a job of that alphabet reads them."""
        own = np.isin(self.letters.labels, list(alphabet))
        letters = self.letters[own]
        return Answers(
            CLASSES,
            masked_softmax(self.logits[own], temperature, alphabet, CLASSES),
            classes_of(letters),
            letters.glyphs,
            letters.sources,
        )

    def reject_scores(self) -> RejectScores:
        """Return the reject class's probability for the letters and for the non-letters."""
        return RejectScores(
            non_letter_probability(self.logits),
            non_letter_probability(self.non_letters),
            np.array(KINDS)[self.kinds],
        )


def sources_with_capitals(letters: Letters) -> list[str]:
    """List the sources that have enough capitals to be measured on."""
    names, counts = np.unique(capitals(letters).sources, return_counts=True)
    return [str(name) for name, count in zip(names, counts, strict=True) if count >= _LEAST_CAPITALS]


def train_without_each_source(
    letters: Letters,
    settings: TrainingSettings,
    folder: Path,
    report: Callable[[str], None],
    resume: bool = False,
) -> Iterator[LeftOut]:
    """Train a model for each source on all the others, and let it answer for the source left out.

    The settings are the same for every source. Nothing is chosen on the source left out, not even the epoch,
    and the writers of the test part take no part at all. Each source's folder, `without_SOURCE`, keeps the
    model and its outputs (outputs.npz).

    Args:
        letters: everything that was found.
        settings: the settings of the model to be judged.
        folder: where the folder of each source is made.
        report: called with progress.
        resume: read the sources that are done from the folder, and continue the one that was stopped.

    Yields:
        One result per source, as soon as it is there.

    Raises:
        BadData: fewer than two sources have capitals, or the folder was written with other letters.
        UsageProblem: the folder was written with other settings.
        KeyboardInterrupt: Ctrl-C; the sources that are done are kept.
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
    """Train on the others and answer for a source's own letters, or read the outputs of an earlier run."""
    outputs = folder / OUTPUTS_FILE
    identity = Identity.of(settings, CLASSES, others, own)
    if resume and outputs.exists() and not (folder / CHECKPOINT_FILE).exists():
        report("done before")
        return _read_outputs(outputs, own, identity)
    trained = fit.train(others, None, settings, report, folder=folder, resume=resume)
    if trained.stopped:
        report("Stopped: the same command with --resume continues; the sources that are done are kept.")
        raise KeyboardInterrupt
    outputs.unlink(missing_ok=True)  # It belongs to an earlier model.
    trained.model.save(folder / KERAS_FILE)
    made, kinds = non_letter_glyphs(own.canvases, _NON_LETTERS, np.random.default_rng(settings.seed))
    result = LeftOut(own, fit.logits_of(trained.model, own.glyphs), fit.logits_of(trained.model, made), kinds)
    _write_outputs(result, identity, outputs)
    (folder / CHECKPOINT_FILE).unlink()
    return result


def _write_outputs(result: LeftOut, identity: Identity, path: Path) -> None:
    about = {"identity": dataclasses.asdict(identity)}
    content = io.BytesIO()
    np.savez(
        content,
        logits=result.logits,
        classes=classes_of(result.letters),
        non_letters=result.non_letters,
        kinds=result.kinds,
        about=np.array(json.dumps(about)),
    )
    with atomic_write(path) as file:
        file.buffer.write(content.getbuffer())


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
