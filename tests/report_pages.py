"""Reads the report of a training back: its page, its figures, its tables."""

from __future__ import annotations

import csv
import html.parser
import json
from pathlib import Path
from typing import Any

from lettermill.training.reports.training_report import FIGURES_FILE, PAGE_FILE


def figures_of(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / FIGURES_FILE).read_text(encoding="utf-8"))
    return values


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class Page(html.parser.HTMLParser):
    """Collects what a page shows and refers to."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.heads: list[dict[str, str | None]] = []
        self.levels: list[int] = []
        self.text = ""
        self.feed((folder / PAGE_FILE).read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "img":
            self.images.append(values)
        elif tag == "a":
            self.links.append(values["href"] or "")
        elif tag == "th":
            self.heads.append(values)
        elif tag in ("h1", "h2", "h3"):
            self.levels.append(int(tag[1]))
        if values.get("id"):
            self.ids.add(values["id"] or "")

    def handle_data(self, data: str) -> None:
        self.text += data
