"""The work that a page costs, counted: what makes it slower or larger shows on any machine, however busy.

Times lie on a shared machine and counts do not. Where a count rises for a good reason, the recorded value
goes with it, in the same commit; where it falls, too.
"""

from __future__ import annotations

import cProfile
import dataclasses
import pstats
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.pages.hands import font_hands
from bench.pages.layouts import PRINT_FONTS
from bench.pages.maker import make
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.settings import LETTERS, Settings
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.read_lines import read_lines

EVALUATIONS = 2.0
"""Glyphs that the CNN sees for each letter that is read: pieces, again where it is in doubt, and runs."""

CALLS = 885
"""Calls of functions, Python's and those of libraries, for each letter of a page of some hundred: 720 for the
CNN alone, 165 for the line network in one view and the lattices of both."""

BYTES = 3.36
"""Most memory at a time for each pixel of the page, beyond the page itself and the network."""

BYTES_OF_A_FORM = 7.75
"""The same for a page whose print the region network erases."""

MODULES = {"--help": 116, "run --help": 309, "worker --help": 154, "predict --help": 349}
"""Modules of Python and of libraries that a command has imported when it answers; our own are small."""

MANY = 1.15
"""How many times the calls a letter costs at most on a page of four times as many."""

SLACK = 1.05
"""Other versions of Python and OpenCV count a little differently."""

LINES = ("THE QUICK BROWN FOX", "JUMPS OVER THE LAZY", "DOG AND RUNS AWAY", "FROM FIVE WIZARDS")


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """Without the region network: the pages are written in fonts of print, which it would erase."""
    classifier = Classifier(load_model(installed_model_folder()), LETTERS)
    classifier.region_network = None
    return classifier


@pytest.fixture(scope="module")
def page() -> NDArray[np.uint8]:
    return written(5)


def written(times: int) -> NDArray[np.uint8]:
    """An A4 page at 300 dpi with so many times 64 letters."""
    return make("a4", font_hands(PRINT_FONTS)[0], 1, lines=LINES * times).grey


@dataclasses.dataclass(frozen=True)
class Work:
    letters: int
    calls: int


def work(page: NDArray[np.uint8], classifier: Classifier) -> Work:
    """Count the calls of one reading; the first reading of a process also sets things up."""
    read_lines(page, Settings(), classifier)
    profile = cProfile.Profile()
    lines, _ = profile.runcall(read_lines, page, Settings(), classifier)
    return Work(sum(len(line.letters) for line in lines), pstats.Stats(profile).total_calls)


def test_the_cnn_sees_little_more_than_the_letters(
    page: NDArray[np.uint8], classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    network = classifier._network
    look = network.logits
    monkeypatch.setattr(network, "logits", lambda glyphs: (seen.append(len(glyphs)), look(glyphs))[1])
    lines, _ = read_lines(page, Settings(), classifier)
    assert sum(seen) <= EVALUATIONS * sum(len(line.letters) for line in lines)


def test_a_letter_costs_no_more_calls_than_recorded(page: NDArray[np.uint8], classifier: Classifier) -> None:
    few = work(page, classifier)
    assert few.letters >= 300
    assert few.calls / few.letters <= CALLS * SLACK


def test_a_letter_costs_no_more_where_there_are_many(page: NDArray[np.uint8], classifier: Classifier) -> None:
    few, many = work(page, classifier), work(written(20), classifier)
    assert many.letters == pytest.approx(4 * few.letters, rel=0.01)
    assert many.calls / many.letters <= MANY * few.calls / few.letters


def most_memory(page: NDArray[np.uint8], classifier: Classifier) -> int:
    """The most bytes that Python and NumPy hold at a time while a page is read."""
    read_lines(page, Settings(), classifier)
    tracemalloc.start()
    try:
        read_lines(page, Settings(), classifier)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return most


def test_a_page_takes_no_more_memory_than_recorded(page: NDArray[np.uint8], classifier: Classifier) -> None:
    assert most_memory(page, classifier) / page.size <= BYTES * SLACK


def test_a_printed_form_takes_no_more_memory_than_recorded(page: NDArray[np.uint8]) -> None:
    classifier = Classifier(load_model(installed_model_folder()), LETTERS)
    assert most_memory(page, classifier) / page.size <= BYTES_OF_A_FORM * SLACK


@pytest.mark.parametrize("command", MODULES)
def test_a_command_imports_no_more_than_recorded(command: str) -> None:
    code = (
        "import sys\nfrom lettermill.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n"
        "    ours = [name for name in sys.modules if name.startswith('lettermill')]\n"
        "    print(len(sys.modules) - len(ours), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command.split()], check=True, capture_output=True, text=True
    )
    assert int(done.stderr) <= MODULES[command] * SLACK
