"""Reads the same pages with Lettermill, Tesseract and RapidOCR, in turn, in several rounds.

    LETTERMILL_DATA=DATA python -m bench.peers

It writes its part of docs/benchmarks.md and docs/images/benchmarks.png. `make .venv/ready-peers` sets up
RapidOCR and says how to get Tesseract. `peer_pages.py` says what the pages are, `peer_tools.py` how each tool
is run, and `peer_tries.py` how their settings were found.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import re
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from bench.cost import Cost
from bench.docs_parts import DOCS, machine, spread, table, write_part
from bench.peer_pages import (
    A4,
    AMOUNTS,
    FIELDS,
    LETTERS,
    MIXED,
    OTHER_FORMS,
    PHOTOGRAPHS,
    SCHOOL_FIELDS,
    PageSet,
    measured_sets,
)
from bench.peer_tools import NO_DETECTOR, PEERS, Lettermill, Prepared, RapidOcr, Tesseract, Tool, read

_ONE_LINE: tuple[Tool, Tool, Tool] = (
    Lettermill("line"),
    Tesseract(7, Prepared(cleaned=True, scale=2)),
    RapidOcr(NO_DETECTOR, Prepared(cleaned=True)),
)
"""How all fields of one line are read: the settings were chosen on form fields."""

SETTINGS: dict[str, tuple[Tool, Tool, Tool]] = {
    LETTERS: (
        Lettermill(layout=""),
        Tesseract(6, Prepared(scale=0.5)),
        RapidOcr(NO_DETECTOR, Prepared(scale=0.5)),
    ),
    FIELDS: _ONE_LINE,
    SCHOOL_FIELDS: _ONE_LINE,
    AMOUNTS: _ONE_LINE,
    OTHER_FORMS: _ONE_LINE,
    PHOTOGRAPHS: (
        Lettermill(),
        Tesseract(6, Prepared(cleaned=True), whitelist=False),
        RapidOcr(("max", 640)),
    ),
    A4: (Lettermill(), Tesseract(6, whitelist=False), RapidOcr(("max", 640), least=0)),
    MIXED: (Lettermill(), Tesseract(11, Prepared(scale=0.5)), RapidOcr(("max", 960), least=0)),
}
"""How each set is read; docs/benchmarks.md says how the peers' settings were chosen."""

SLOWEST, FEW = "RapidOCR", 10
"""The slowest peer reads only this many of the mixed pages: two of each kind."""

STARTS = (LETTERS, FIELDS)
"""Sets of which one image gives the start: Lettermill has a command of its own for single letters."""

CORES = ([0], [0, 1])


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """What a tool took for a set in one round.

    Attributes:
        pages: how many it read.
        cost: what that took, from the start of its first process to the end of its last.
        start: what one small image takes, with the same command on the same cores.
        cer: its character error rate.
        few: the same over the first of the pages alone, which all tools read.
    """

    pages: int
    cost: Cost
    start: Cost
    cer: float
    few: float


def whole(each: Measured) -> float:
    """Return the seconds a page, everything included."""
    return each.cost.seconds / each.pages


def reading(each: Measured) -> float:
    """Return the seconds a page without the start."""
    return (each.cost.seconds - each.start.seconds) / each.pages


def processor(each: Measured) -> float:
    """Return the seconds of processors a page, everything included."""
    return each.cost.processor / each.pages


Key = tuple[str, str, int]
"""Set, tool, number of cores."""


def measure(sets: Sequence[PageSet], folder: Path, rounds: int) -> dict[Key, list[Measured]]:
    """Let all tools read all sets, in turn; each round begins with another tool."""
    measured: dict[Key, list[Measured]] = collections.defaultdict(list)
    numbers = itertools.count()

    def once(
        tool: Tool, pages: PageSet, files: Sequence[Path], cores: Sequence[int]
    ) -> tuple[Cost, dict[str, str]]:
        out = folder / str(next(numbers))
        cost, texts = read(tool, pages, files, out, cores)
        shutil.rmtree(out)
        return cost, texts

    ready = {
        (pages.name, tool.name): tool.prepared.write(pages, folder / f"{number}-{tool.name}")
        for number, pages in enumerate(sets)
        for tool in SETTINGS[pages.name]
    }
    small = {pages.name: one_image(pages, folder / pages.name) for pages in sets if pages.name in STARTS}
    for number, cores in itertools.product(range(rounds), CORES):
        starts = {
            (name, tool.name): once(tool, pages, pages.files, cores)[0]
            for name, pages in small.items()
            for tool in turned(SETTINGS[name], number)
        }
        for pages in sets:
            command = pages.name if pages.name in STARTS else FIELDS
            for tool in turned(SETTINGS[pages.name], number):
                prepared = ready[pages.name, tool.name]
                few = tool.name == SLOWEST and pages.name == MIXED
                files = prepared.files[:FEW] if few else prepared.files
                cost, texts = once(tool, prepared, files, cores)
                first = {file.name: texts[file.name] for file in files[:FEW]}
                rates = prepared.cer(texts), prepared.cer(first)
                each = Measured(len(files), cost, starts[command, tool.name], *rates)
                measured[pages.name, tool.name, len(cores)].append(each)
                click.echo(
                    f"round {number + 1}, {len(cores)} cores, {pages.name}, {tool.name}: CER {each.cer:.2%}, "
                    f"{whole(each):.3f} s a page, {reading(each):.3f} s without the start"
                )
    return measured


def turned(tools: Sequence[Tool], by: int) -> list[Tool]:
    """Begin with another tool."""
    return [*tools[by % len(tools) :], *tools[: by % len(tools)]]


def one_image(pages: PageSet, folder: Path) -> PageSet:
    """Copy the first image of a set into a new folder: what a tool takes for it is its start."""
    first = pages.files[0]
    folder.mkdir()
    shutil.copy(first, folder)
    return dataclasses.replace(pages, folder=folder, truth={first.name: pages.truth[first.name]})


def ratios(
    measured: dict[Key, list[Measured]],
    name: str,
    tool: str,
    cores: int,
    seconds: Callable[[Measured], float],
) -> list[float]:
    """Return, for each round, how many times as long a tool takes for a page as Lettermill."""
    pairs = zip(measured[name, tool, cores], measured[name, "Lettermill", cores], strict=True)
    return [seconds(theirs) / seconds(ours) for theirs, ours in pairs]


def tables(measured: dict[Key, list[Measured]]) -> str:
    """Return what was measured, as Markdown."""
    names = list(dict.fromkeys(name for name, _, _ in measured))
    tools = list(dict.fromkeys(tool for _, tool, _ in measured))

    def median(name: str, tool: str, cores: int, value: Callable[[Measured], float]) -> float:
        return statistics.median(value(each) for each in measured[name, tool, cores])

    costs = [
        [
            name,
            tool,
            str(measured[name, tool, 1][0].pages),
            f"{100 * median(name, tool, 1, lambda each: each.cer):.1f}"
            + (
                f" (of {FEW}: {100 * median(name, tool, 1, lambda each: each.few):.1f})"
                if name == MIXED
                else ""
            ),
            *(f"{median(name, tool, cores, value):.3f}" for cores in (1, 2) for value in (whole, reading)),
            f"{median(name, tool, 1, processor):.3f}",
            f"{median(name, tool, 1, lambda each: each.cost.tree):.0f}",
            f"{median(name, tool, 1, lambda each: each.cost.largest):.0f}",
        ]
        for name in names
        for tool in tools
    ]
    slower = [
        [
            name,
            tool,
            *(
                spread(ratios(measured, name, tool, cores, value), ".1f")
                for cores, value in ((1, whole), (1, reading), (1, processor), (2, whole), (2, reading))
            ),
        ]
        for name in names
        for tool in tools[1:]
    ]
    starts = [
        [
            tool,
            *(spread([each.start.seconds for each in measured[FIELDS, tool, cores]]) for cores in (1, 2)),
            f"{statistics.median(each.start.processor for each in measured[FIELDS, tool, 1]):.2f}",
        ]
        for tool in tools
    ]
    letters_start = spread([each.start.seconds for each in measured[LETTERS, "Lettermill", 1]])
    two = [
        [
            name,
            *(
                spread([a / b for a, b in zip(*rates, strict=True)])
                for tool in tools
                for rates in [[[reading(each) for each in measured[name, tool, cores]] for cores in (1, 2)]]
            ),
        ]
        for name in names
    ]
    return "\n\n".join(
        (
            "Seconds are on the clock. *All* is everything from the command to its results, divided by the "
            "pages; *reading* is the same without the start, which is what the same command takes for one "
            "form field or one letter.",
            table(
                [
                    *("pages", "tool", "read", "CER, %"),
                    *(
                        "one core: all, s/page",
                        "reading, s/page",
                        "two cores: all, s/page",
                        "reading, s/page",
                    ),
                    *("processor, s/page", "memory, MB", "largest process, MB"),
                ],
                costs,
            ),
            "How many times as long a page takes as with Lettermill, median and least to most of the rounds:",
            table(
                ["pages", "tool", "one core: all", "reading", "processor", "two cores: all", "reading"],
                slower,
            ),
            "Start: one form field, from the command to its result. Of single letters, Lettermill's start is "
            f"{letters_start} s on one core.",
            table(["tool", "one core, s", "two cores, s", "processor, s"], starts),
            "How many times as fast two cores are as one, without the start:",
            table(["pages", *tools], two),
            "The peers' settings:",
            settings(),
        )
    )


def settings() -> str:
    """Return the peers' settings as Markdown."""
    rows = [[name, *map(str, peers)] for name, (_, *peers) in SETTINGS.items()]
    return table(["pages", "Tesseract", "RapidOCR"], rows)


def plot(measured: dict[Key, list[Measured]], path: Path) -> None:
    """Draw error rates against pages a second on one core, a mark a tool, a panel a set."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    names = list(dict.fromkeys(name for name, _, _ in measured))
    tools = list(dict.fromkeys(tool for _, tool, _ in measured))
    figure = Figure(figsize=(3.1 * len(names), 3.4), layout="constrained")
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    for panel, name in zip(panels, names, strict=True):
        for number, tool in enumerate(tools):
            rows = measured[name, tool, 1]
            rates = [1 / whole(each) for each in rows]
            middle = statistics.median(rates)
            error = 100 * statistics.median(each.few if name == MIXED else each.cer for each in rows)
            panel.errorbar(
                middle,
                error,
                xerr=[[middle - min(rates)], [max(rates) - middle]],
                fmt="os^"[number],
                color=f"C{number}",
                ms=8,
                capsize=3,
                label=tool,
            )
        panel.set(title=name, xscale="log", xlabel="pages a second, one core")
        panel.margins(x=0.25, y=0.15)
        panel.set_ylim(bottom=-0.03 * panel.get_ylim()[1])
        panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.xaxis.set_major_formatter("{x:g}")
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.grid(alpha=0.3, which="both")
    panels[0].set_ylabel("character error rate, %")
    panels[0].legend(fontsize="small")
    figure.savefig(path, dpi=90)


def versions() -> str:
    """Say which versions of the peers were measured.

    Raises:
        click.ClickException: one of them is missing.
    """
    python = PEERS / "bin" / "python"
    if shutil.which("tesseract") is None or not python.exists():
        raise click.ClickException("Tesseract or RapidOCR is missing: make .venv/ready-peers says what to do")
    said = subprocess.run(["tesseract", "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"tesseract (\S+)", said.stdout + said.stderr)
    words = "from importlib.metadata import version; print(version('rapidocr'), version('onnxruntime'))"
    rapid = subprocess.run([python, "-c", words], capture_output=True, text=True, check=True)
    return "Tesseract {}, RapidOCR {} on ONNX Runtime {}".format(
        found[1] if found else "of unknown version", *rapid.stdout.split()
    )


@click.command(help=__doc__)
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
def main(rounds: int) -> None:
    peers = versions()
    with tempfile.TemporaryDirectory(prefix="peers-") as name:
        sets = measured_sets(Path(name) / "pages")
        measured = measure(sets, Path(name), rounds)
    ours = machine("lettermill", "ai-edge-litert", "opencv-python-headless", "numpy")
    when = f"{ours}; {peers}. {rounds} rounds."
    write_part("peers", f"{when}\n\n{tables(measured)}")
    plot(measured, DOCS / "images" / "benchmarks.png")


if __name__ == "__main__":
    main()
