"""Writes the parts of docs/benchmarks.md that come from measurements, each between two markers."""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
import statistics
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "benchmarks.md"


def replace(page: str, part: str, text: str) -> str:
    """Return a page with another text in one of its parts.

    Args:
        page: Markdown with `<!-- PART begins -->` and `<!-- PART ends -->`.
        part: its name.
        text: what stands between the markers from now on.

    Raises:
        ValueError: the page has no such part, or several.
    """
    begins, ends = f"<!-- {part} begins -->", f"<!-- {part} ends -->"
    if page.count(begins) != 1 or page.count(ends) != 1:
        raise ValueError(f"the page must have one {begins} and one {ends}")
    before, rest = page.split(begins)
    _, after = rest.split(ends)
    return f"{before}{begins}\n{text.strip()}\n{ends}{after}"


def write_part(part: str, text: str) -> None:
    """Put a text into its part of docs/benchmarks.md."""
    PAGE.write_text(replace(PAGE.read_text(encoding="utf-8"), part, text), encoding="utf-8")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; all columns but the first are numbers."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """Say the median, and least to most."""
    return f"{statistics.median(values):{form}} ({min(values):{form}}–{max(values):{form}})"


def machine(*packages: str) -> str:
    """Say when and on what it was measured: date, processor, system, versions of packages."""
    named = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    versions = ", ".join(f"{package} {metadata.version(package)}" for package in packages)
    return (
        f"{dt.datetime.now(dt.UTC):%d %B %Y}; {named[1] if named else platform.machine()}, "
        f"{len(os.sched_getaffinity(0))} cores, {_gigabytes():.0f} GB; "
        f"{platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {versions}"
    )


def _gigabytes() -> float:
    total = re.search(r"MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    return int(total[1]) / 2**20 if total else float("nan")
