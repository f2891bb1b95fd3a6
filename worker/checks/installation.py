"""Checks the installation: library versions, the shipped model, and whether a drawn word is read right."""

from __future__ import annotations

import importlib.metadata
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

from packaging.requirements import Requirement

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.job.folder import VERSION
from lettermill.jobs.machine import python_command
from lettermill.worker.checks.finding import Finding, Level

_WORD = "LETTERMILL"
_READ_IN_A_PROCESS = (
    "from lettermill.worker.checks.installation import read_drawn_word; print(read_drawn_word())"
)


def check_libraries() -> Iterator[Finding]:
    """Compare the installed versions with those that Lettermill requires."""
    python = ".".join(map(str, sys.version_info[:3]))
    unfit = list(_unfit_libraries())
    if unfit:
        yield Finding(
            "libraries", Level.WRONG, "; ".join(unfit), "Reinstall Lettermill with constraints.txt."
        )
        return
    versions = [
        f"{name} {importlib.metadata.version(name)}" for name in ("celery", "redis", "ai-edge-litert")
    ]
    yield Finding("libraries", Level.OK, f"Lettermill {VERSION}, Python {python}, {', '.join(versions)}")


def _unfit_libraries() -> Iterator[str]:
    """Describe each required library that is missing or has another version than required."""
    for text in importlib.metadata.requires("lettermill") or ():
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            yield f"{requirement.name} is missing"
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            yield f"{requirement.name} is {version}, not {requirement.specifier}"


def check_model() -> Iterator[Finding]:
    """Check that the shipped model can be read and that its card describes it."""
    try:
        model = load_model(installed_model_folder())
        size = sum(map(len, (model.network, *model.further_networks.values())))
    except ModelProblem as error:
        yield Finding("model", Level.WRONG, error.what, "Reinstall Lettermill.")
        return
    yield Finding("model", Level.OK, f"{model.fingerprint[:12]}, {size / 1e6:.1f} MB, matches its card")


def read_drawn_word() -> str:
    """Draw a word, read it, and return what was read."""
    # These imports take seconds. If a library does not support the processor, they end the process.
    import cv2
    import numpy as np

    from lettermill.jobs.settings import LETTERS, Settings
    from lettermill.worker.reading.classifier import Classifier
    from lettermill.worker.reading.read_lines import read_lines

    page = np.full((160, 160 + 90 * len(_WORD)), 255, np.uint8)
    for number, letter in enumerate(_WORD):
        cv2.putText(page, letter, (80 + 90 * number, 110), cv2.FONT_HERSHEY_DUPLEX, 2.5, 0, 6, cv2.LINE_AA)
    classifier = Classifier(load_model(installed_model_folder()), LETTERS)
    lines, _ = read_lines(page, Settings(layout="line", printed="keep"), classifier)
    return "".join(letter.letter for line in lines for letter in line.letters)


def check_reading() -> Iterator[Finding]:
    """Read a drawn word in a process of its own: a library that does not fit the processor kills it."""
    begun = time.monotonic()
    done = subprocess.run(
        python_command("-c", _READ_IN_A_PROCESS),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    seconds = time.monotonic() - begun
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        yield Finding(
            "reading",
            Level.WRONG,
            f"the process that read a drawn word was killed by {name}",
            "SIGILL: the processor lacks instructions that LiteRT, OpenCV or NumPy need. "
            "SIGKILL: out of memory.",
        )
    elif done.returncode or done.stdout.strip() != _WORD:
        answer = done.stdout.strip() or done.stderr.strip().rpartition("\n")[2]
        yield Finding(
            "reading",
            Level.WRONG,
            f"a drawn {_WORD} was read as: {answer}",
            "Reinstall Lettermill. If that does not help, report it.",
        )
    else:
        yield Finding(
            "reading", Level.OK, f"a drawn word was read correctly in {seconds:.1f} s, start-up included"
        )
