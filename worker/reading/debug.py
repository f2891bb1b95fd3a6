"""Draws what each stage found on a page: one panel per stage, then what each reader read, then the letters.

The drawing consists of what the stages report to `segmentation.trace`, so a new stage appears automatically.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.records.readings import Letter, LineReading
from lettermill.jobs.storage.atomic import atomic_write
from lettermill.segmentation.components import INK_LEVEL, Component
from lettermill.segmentation.trace import Blot, ReadAt, Seen, Trace
from lettermill.segmentation.values import Ink

LETTER_PIXELS = 40.0
"""Height of a letter in a panel: its parts can be distinguished and its reading fits beside it."""

MAX_ZOOM = 8
"""Panel pixels per pixel of the ink."""

MAX_SIDE_PIXELS = 2400
"""Longer side of a panel: the letters of a full A4 page are then about 30 pixels high."""

MIN_WIDTH_PIXELS = 760
"""Width of a panel: its title fits."""

PALE_SHARE = 0.3
"""Share of its darkness that the page keeps behind colours."""

ASPECT_RATIO = 1.4
"""Width by height that the whole drawing comes near to: about a screen's."""

TITLE_PIXELS = 30
"""Height of the title above a panel."""

# The colours of Okabe and Ito, which colour-blind people can tell apart: blue, green, red.
_COLOURS = ((178, 114, 0), (0, 94, 213), (115, 158, 0), (167, 121, 204), (0, 159, 230), (233, 180, 86))
_SURE_COLOUR, _FLAGGED_COLOUR, _TEXT_COLOUR = (115, 120, 0), (0, 60, 213), (40, 40, 40)
_AGREED_COLOUR = (130, 130, 130)
_FONT = cv2.FONT_HERSHEY_SIMPLEX

_CAPITAL_PIXELS = 21.0
"""Height of a capital in that font at scale 1."""

Picture = NDArray[np.uint8]
"""uint8, h×w×3: blue, green, red."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Note:
    """Something that a stage found, and the words for it in the panel's title."""

    seen: Seen
    what: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Readings:
    """What each reader read in one line, as in `Trace.note_readings`."""

    top: float
    bottom: float
    by_reader: Mapping[str, ReadAt]


class Drawing(Trace):
    """Records what the stages report and draws it.

    Args:
        page: uint8, h×w, grey: the page that is read.
    """

    def __init__(self, page: NDArray[np.uint8]) -> None:
        self._page = page
        self._ink: Ink | None = None
        self._stages: dict[str, list[_Note]] = {}
        self._readings: list[_Readings] = []

    def note(self, stage: str, seen: Seen, what: str = "") -> None:
        """Record what a stage found."""
        if isinstance(seen, Ink):
            # New ink: the page is segmented again, another way up.
            self._ink, self._stages, self._readings = seen, {}, []
        self._stages.setdefault(stage, []).append(_Note(seen, what))

    def note_readings(self, top: float, bottom: float, readings: Mapping[str, ReadAt]) -> None:
        """Record what the readers read in one line."""
        self._readings.append(_Readings(top, bottom, readings))

    def picture(self, lines: Sequence[LineReading]) -> Picture:
        """Draw all panels: the page, the stages in the order of their first notes, the readers, the letters.

        Args:
            lines: the result of reading, boxes in pixels of the page.
        """
        upright = self._upright()
        zoom = self._zoom(upright, lines)
        pale = _coloured((255 - PALE_SHARE * (255.0 - upright)).astype(np.uint8))

        height, width = self._page.shape
        words = [(f"page, {width} x {height} pixels", _TEXT_COLOUR)]
        panels = [_titled(_zoomed(_coloured(upright), zoom), words)]
        for stage, notes in self._stages.items():
            panel, words = pale.copy(), [(stage, _TEXT_COLOUR)]
            for colour, note in enumerate(notes):
                words += _draw_note(panel, note, colour)
            panels.append(_titled(_zoomed(panel, zoom), words))

        if self._readings:
            panel = _zoomed(pale, zoom)
            words = _draw_readings(panel, self._readings, zoom)
            panels.append(_titled(panel, words))

        letters = [letter for line in lines for letter in line.letters]
        panel = _zoomed(pale, zoom)
        self._draw_letters(panel, letters, zoom)
        words = [
            (f"letters {len(letters)}, confidence in %", _TEXT_COLOUR),
            ("sure", _SURE_COLOUR),
            ("flagged", _FLAGGED_COLOUR),
        ]
        panels.append(_titled(panel, words))
        return _arrange(panels)

    def _upright(self) -> NDArray[np.uint8]:
        """Return the page in the frame of the ink."""
        if self._ink is None:
            return self._page
        height, width = self._ink.mask.shape
        flags = cv2.INTER_AREA | cv2.WARP_INVERSE_MAP
        return cast(
            NDArray[np.uint8],
            cv2.warpAffine(self._page, self._ink.to_page, (width, height), flags=flags, borderValue=255),
        )

    def _zoom(self, upright: NDArray[np.uint8], lines: Sequence[LineReading]) -> float:
        """Return panel pixels per ink pixel: a whole number from 1 on, so that pixels stay squares."""
        heights = [letter.box.height for line in lines for letter in line.letters]
        scale = self._ink.scale if self._ink else 1.0
        readable = LETTER_PIXELS / (float(np.median(heights)) * scale) if heights else 0.0
        wanted = max(readable, MIN_WIDTH_PIXELS / upright.shape[1])
        zoom = min(float(MAX_ZOOM), wanted, MAX_SIDE_PIXELS / max(upright.shape))
        return float(round(zoom)) if zoom >= 1 else zoom

    def _draw_letters(self, panel: Picture, letters: Sequence[Letter], zoom: float) -> None:
        """Draw each letter's box, its reading above the box and its confidence below."""
        if not letters:
            return
        boxes = [letter.box for letter in letters]
        lows = np.array([(box.x, box.y) for box in boxes], np.float64)
        sides = np.array([(box.width, box.height) for box in boxes], np.float64)
        outlines = lows[:, None] + sides[:, None] * [(0, 0), (1, 0), (1, 1), (0, 1)]
        if self._ink is not None:
            back = cv2.invertAffineTransform(self._ink.to_page)
            outlines = (outlines - 0.5) @ back[:, :2].T + back[:, 2] + 0.5
        outlines *= zoom
        size = min(LETTER_PIXELS, float(np.median(np.ptp(outlines[..., 1], axis=1)))) / _CAPITAL_PIXELS
        for letter, outline in zip(letters, outlines, strict=True):
            colour = _FLAGGED_COLOUR if letter.flagged else _SURE_COLOUR
            cv2.polylines(panel, [np.rint(outline).astype(np.int32)], True, colour, 1)
            left, top = (round(float(side)) for side in outline.min(axis=0))
            above = max(round(_CAPITAL_PIXELS * 0.42 * size), top - 3)
            below = round(float(outline[:, 1].max()) + _CAPITAL_PIXELS * 0.34 * size)
            below = min(panel.shape[0] - 2, below)
            cv2.putText(panel, letter.letter, (left, above), _FONT, 0.42 * size, colour, 1, cv2.LINE_AA)
            sure = f"{100 * letter.confidence:.0f}"
            cv2.putText(panel, sure, (left, below), _FONT, 0.28 * size, colour, 1, cv2.LINE_AA)


def write_drawing(path: Path, picture: Picture) -> None:
    """Write a drawing as PNG.

    Raises:
        ResultsNotWritable: the file cannot be written.
    """
    _, packed = cv2.imencode(".png", picture)
    with atomic_write(path) as file:
        file.buffer.write(packed.tobytes())


def _draw_note(panel: Picture, note: _Note, number: int) -> list[tuple[str, tuple[int, int, int]]]:
    """Draw what a stage found on a panel in the frame of the ink, and return the words for its title."""
    seen, colour = note.seen, _COLOURS[number % len(_COLOURS)]
    if isinstance(seen, Ink):
        panel[:] = 255 - seen.mask[..., None]
        return [(f"turned by {seen.skew_degrees:.1f} degrees", _TEXT_COLOUR)] if seen.skew_degrees else []
    if isinstance(seen, np.ndarray):
        panel[seen != 0] = colour
        return [(note.what, colour)]
    groups = cast("Sequence[Blot | Sequence[Blot]]", seen)
    for index, group in enumerate(groups):
        alike = note.what or isinstance(group, Blot)
        shade = colour if alike else _COLOURS[index % len(_COLOURS)]
        for blot in [group] if isinstance(group, Blot) else group:
            _fill(panel, blot, shade)
    in_groups = not note.what and bool(groups) and not isinstance(groups[0], Blot)
    return [(f"{note.what} {len(groups)}".strip(), _TEXT_COLOUR if in_groups else colour)]


def _draw_readings(
    panel: Picture, lines: Sequence[_Readings], zoom: float
) -> list[tuple[str, tuple[int, int, int]]]:
    """Draw the readers' characters over each line, one row per reader, and return the words for the title.

    Where all read the same, there is one grey row.
    """
    names = dict.fromkeys(name for line in lines for name in line.by_reader)
    colours = dict(zip(names, _COLOURS, strict=False))
    for line in lines:
        rows = [(colours[name], read) for name, read in line.by_reader.items()]
        if len({"".join(character for character, _ in read) for _, read in rows}) == 1:
            rows = [(_AGREED_COLOUR, rows[-1][1])]
        pitch = (line.bottom - line.top) * zoom / len(line.by_reader)
        size = 0.8 * pitch / _CAPITAL_PIXELS
        for number, (colour, read) in enumerate(rows, len(line.by_reader) - len(rows)):
            base = round(line.top * zoom + (number + 0.9) * pitch)
            for character, column in read:
                width = cv2.getTextSize(character, _FONT, size, 1)[0][0]
                place = (round(column * zoom - width / 2), base)
                cv2.putText(panel, character, place, _FONT, size, colour, 1, cv2.LINE_AA)
    return [("readers", _TEXT_COLOUR), *colours.items(), ("all agree", _AGREED_COLOUR)]


def _fill(panel: Picture, blot: Blot, colour: tuple[int, int, int]) -> None:
    if isinstance(blot, Component):
        cv2.drawContours(panel, list(blot.contours), -1, colour, cv2.FILLED)
    else:
        height, width = blot.ink.shape
        under = panel[blot.top : blot.top + height, blot.left : blot.left + width]
        under[blot.ink[: under.shape[0], : under.shape[1]] >= INK_LEVEL] = colour


def _coloured(grey: NDArray[np.uint8]) -> Picture:
    return cast(Picture, cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))


def _zoomed(panel: Picture, zoom: float) -> Picture:
    height, width = panel.shape[:2]
    size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
    how = cv2.INTER_NEAREST if zoom >= 1 else cv2.INTER_AREA
    return cast(Picture, cv2.resize(panel, size, interpolation=how))


def _titled(panel: Picture, words: Sequence[tuple[str, tuple[int, int, int]]]) -> Picture:
    """Put a panel in a frame, below a title of words in their colours."""
    height, width = panel.shape[:2]
    framed = np.full((height + TITLE_PIXELS + 2, max(width, MIN_WIDTH_PIXELS) + 2, 3), 255, np.uint8)
    framed[TITLE_PIXELS + 1 : TITLE_PIXELS + 1 + height, 1 : 1 + width] = panel
    framed[TITLE_PIXELS], framed[-1] = 160, 160
    framed[TITLE_PIXELS:, [0, -1]] = 160
    x = 6
    for text, colour in words:
        cv2.putText(framed, text, (x, TITLE_PIXELS - 9), _FONT, 0.55, colour, 1, cv2.LINE_AA)
        x += cv2.getTextSize(text, _FONT, 0.55, 1)[0][0] + 22
    return framed


def _arrange(panels: Sequence[Picture]) -> Picture:
    """Put panels of one size below and beside each other, in reading order."""
    height, width = panels[0].shape[:2]

    def aspect_with(columns: int) -> float:
        rows = -(-len(panels) // columns)
        return abs(float(np.log(columns * width / (rows * height) / ASPECT_RATIO)))

    columns = min(range(1, len(panels) + 1), key=aspect_with)
    empty: Any = [np.full_like(panels[0], 255)] * (-len(panels) % columns)
    cells = [*panels, *empty]
    rows = [np.hstack(cells[start : start + columns]) for start in range(0, len(cells), columns)]
    return np.vstack(rows)
