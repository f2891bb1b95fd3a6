"""Runs Lettermill and its peers: how each reads images, and with which settings.

Each tool takes a share of the images for each core, in one process per core; Lettermill's `run` starts its
own.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2

from bench.cost import Cost, measure
from bench.peer_pages import PageSet
from lettermill.jobs.settings import ALPHABETS
from lettermill.segmentation.page import segment
from tests.support import LETTERMILL

PEERS = Path(__file__).parents[1] / ".venv" / "peers"
"""The environment of RapidOCR, and other data for Tesseract; `make .venv/ready-peers` fills it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Prepared:
    """What is done to images before a peer reads them; its time counts for nobody.

    Attributes:
        cleaned: whether Lettermill's segmentation binarises and deskews them and takes rules and boxes out.
        scale: to what size they are brought then.
    """

    cleaned: bool = False
    scale: float = 1.0

    def write(self, pages: PageSet, folder: Path) -> PageSet:
        """Write the images as they are wanted into a new folder, as PNG."""
        if self == Prepared():
            return pages
        folder.mkdir(parents=True)
        truth = {}
        for path in pages.files:
            pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            if self.cleaned and (ink := segment(pixels).ink) is not None:
                pixels = 255 - ink.mask
            way = cv2.INTER_AREA if self.scale < 1 else cv2.INTER_CUBIC
            pixels = cv2.resize(pixels, None, fx=self.scale, fy=self.scale, interpolation=way)
            truth[f"{path.stem}.png"] = pages.truth[path.name]
            cv2.imwrite(str(folder / f"{path.stem}.png"), pixels)
        return dataclasses.replace(pages, folder=folder, truth=truth)

    def __str__(self) -> str:
        words = ["cleaned"] * self.cleaned + [f"× {self.scale:g}"] * (self.scale != 1)
        return ", ".join(words) or "as they are"


class Tool(Protocol):
    """Reads images."""

    name: str
    prepared: Prepared

    def commands(self, pages: PageSet, files: Sequence[Path], out: Path, cores: int) -> list[list[object]]:
        """Return commands that read files of a set into an empty folder, to be run at once."""

    def texts(self, out: Path) -> dict[str, str]:
        """Return what they read: file name → text."""


def read(
    tool: Tool, pages: PageSet, files: Sequence[Path], out: Path, cores: Sequence[int]
) -> tuple[Cost, dict[str, str]]:
    """Let a tool read files of a set on these cores: what it cost, and file name → text."""
    out.mkdir(parents=True)
    cost = measure(tool.commands(pages, files, out, len(cores)), cores)
    texts = tool.texts(out)
    if set(texts) != {file.name for file in files}:
        raise RuntimeError(f"{tool.name} gave {len(texts)} texts for {len(files)} images, see {out}")
    return cost, texts


def shares(files: Sequence[Path], cores: int) -> list[list[Path]]:
    """Deal files out to cores; no share is empty."""
    return [list(files[core::cores]) for core in range(min(cores, len(files)))]


@dataclasses.dataclass(frozen=True, slots=True)
class Lettermill:
    """`lettermill run`, for single letters `lettermill predict`; a page that fails has no text.

    Attributes:
        layout: of `run`; `predict` where it is empty.
    """

    layout: str = "auto"
    name: str = "Lettermill"
    prepared: Prepared = Prepared()

    def commands(self, pages: PageSet, files: Sequence[Path], out: Path, cores: int) -> list[list[object]]:
        if not self.layout:
            return [
                [*LETTERMILL, "predict", *share, "--csv", out / f"{number}.csv"]
                for number, share in enumerate(shares(files, cores))
            ]
        if list(files) != pages.files:
            raise ValueError("lettermill run reads a whole folder")
        options = ["--workers", cores, "--layout", self.layout, "--alphabet", pages.alphabet]
        if not os.environ.get("LETTERMILL_DATA"):
            options += ["--printed", "keep"]  # Fonts wrote the pages.
        return [[*LETTERMILL, "run", pages.folder, "--out", out, *options]]

    def texts(self, out: Path) -> dict[str, str]:
        if not self.layout:
            rows = [row for path in out.glob("*.csv") for row in _rows(path)]
            return {Path(row["file"]).name: row["letter"] for row in rows}
        (path,) = out.glob("*-*/pages.csv")
        return {row["scan"]: row["text"] for row in _rows(path)}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@dataclasses.dataclass(frozen=True, slots=True)
class Tesseract:
    """Tesseract's command line: a list of files, one process.

    Attributes:
        mode: its page segmentation mode.
        engine: 1 its network, 0 the older engine, for which Debian has no data.
        data: a folder of other data than Debian's.
        whitelist: whether it may only answer the alphabet's characters.
        prepared: what is done to the images before.
    """

    mode: int
    prepared: Prepared = Prepared()
    whitelist: bool = True
    engine: int = 1
    data: Path | None = None
    name: str = "Tesseract"

    def commands(self, pages: PageSet, files: Sequence[Path], out: Path, cores: int) -> list[list[object]]:
        commands: list[list[object]] = []
        for number, share in enumerate(shares(files, cores)):
            listed = out / f"{number}.list"
            listed.write_text("".join(f"{file}\n" for file in share), encoding="utf-8")
            options: list[object] = ["--psm", self.mode, "--oem", self.engine, "-l", "eng"]
            options += ["--tessdata-dir", self.data] if self.data else []
            options += (
                ["-c", f"tessedit_char_whitelist={ALPHABETS[pages.alphabet]}"] if self.whitelist else []
            )
            commands.append(["tesseract", listed, out / str(number), *options])
        return commands

    def texts(self, out: Path) -> dict[str, str]:
        texts = {}
        for listed in out.glob("*.list"):
            files = listed.read_text(encoding="utf-8").splitlines()
            # A form feed parts pages; some versions end the last one with it, too.
            read = listed.with_suffix(".txt").read_text(encoding="utf-8").split("\f")[: len(files)]
            texts.update((Path(file).name, text) for file, text in zip(files, read, strict=True))
        return texts

    def __str__(self) -> str:
        data = f", data {self.data.name}" if self.data else ""
        only = "" if self.whitelist else ", no whitelist"
        old = ", older engine" if self.engine == 0 else ""
        return f"--psm {self.mode}{only}{old}{data}; images {self.prepared}"


NO_DETECTOR = ("max", 0)
"""An image is one line."""


@dataclasses.dataclass(frozen=True, slots=True)
class RapidOcr:
    """RapidOCR with the models of its wheel, without its classifier of upside-down lines.

    Attributes:
        limit: what the detector brings an image to: its shorter ("min") or longer side ("max"), in pixels.
        least: the confidence below which it drops a line.
        prepared: what is done to the images before.
    """

    limit: tuple[str, int] = ("min", 736)
    prepared: Prepared = Prepared()
    least: float = 0.5
    name: str = "RapidOCR"

    def commands(self, pages: PageSet, files: Sequence[Path], out: Path, cores: int) -> list[list[object]]:
        kind, side = self.limit
        options = {
            "Global.use_cls": False,
            "Global.use_det": side > 0,
            "Global.text_score": self.least,
            # Otherwise pages are brought to 2,000 pixels before the detector brings them to what it wants.
            "Global.max_side_len": 4000,
        }
        options |= {"Det.limit_type": kind, "Det.limit_side_len": side} if side else {}
        script = Path(__file__).with_name("rapidocr_reader.py")
        return [
            [PEERS / "bin" / "python", script, json.dumps(options), out / f"{number}.json", *share]
            for number, share in enumerate(shares(files, cores))
        ]

    def texts(self, out: Path) -> dict[str, str]:
        texts: dict[str, str] = {}
        for path in out.glob("*.json"):
            texts |= json.loads(path.read_text(encoding="utf-8"))
        return texts

    def __str__(self) -> str:
        kind, side = self.limit
        detector = f"detector {kind} {side}, lines from {self.least:g}" if side else "no detector"
        return f"{detector}; images {self.prepared}"
