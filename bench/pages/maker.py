"""Makes a page: writing laid out, curved as paper curves, lit, photographed or scanned, with exact truth."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.pages.difficulties import NONE, Difficulties, chance
from bench.pages.hands import Hand
from bench.pages.layouts import KINDS, Kind, Sheet, lay_out, text_for

INKED = 128
"""Where a letter's ink ends: half-covered pixels."""

_INKS = ((25, 25, 30), (20, 25, 70), (45, 45, 45), (10, 10, 10))
_BRIGHT = ((225, 50, 60), (60, 110, 230), (40, 160, 80), (240, 130, 40))
_FORMS = ((235, 120, 130), (110, 190, 130), (120, 160, 230), (240, 200, 90))
_SMALLEST_CAP = 8.0

Colour = NDArray[np.float32]


@dataclasses.dataclass(frozen=True, slots=True)
class Letter:
    """A letter on a made page: its box in pixels of the page as it is seen, its line and its word from 1."""

    character: str
    x: int
    y: int
    width: int
    height: int
    line: int
    word: int


@dataclasses.dataclass(frozen=True, slots=True)
class MadePage:
    """A page and what is written on it.

    Attributes:
        image: uint8, h×w×3, red, green, blue.
        text: its lines, joined by newlines; words with one space between them.
        letters: in reading order.
    """

    image: NDArray[np.uint8]
    text: str
    letters: tuple[Letter, ...]

    @property
    def grey(self) -> NDArray[np.uint8]:
        """The page as the workers decode it: uint8, h×w."""
        return np.asarray(Image.fromarray(self.image).convert("L"))


def make(
    kind: str, hand: Hand, seed: int, difficulties: Difficulties = NONE, lines: Sequence[str] | None = None
) -> MadePage:
    """Make a page. The same arguments give the same bytes.

    Args:
        kind: a key of `layouts.KINDS`.
        hand: who writes.
        seed: decides the text where none is given, and everything else that is left to chance.
        difficulties: how hard the page is.
        lines: what is written, words with one space between them.
    """
    measures = KINDS[kind]
    lines = text_for(measures, seed) if lines is None else list(lines)
    sheet = lay_out(measures, lines, hand, difficulties, seed)
    bend = _Bend(sheet, measures, difficulties, seed)
    image = _scanned(
        _lit(_coloured(sheet, bend, measures, difficulties, seed), difficulties, seed),
        bend.cap,
        difficulties,
        seed,
    )
    height, width = image.shape[:2]
    turns = int(np.ceil(3 * difficulties.turned))
    letters = []
    for written in sheet.letters:
        box = bend.box(written.mask, written.left, written.top, width, height)
        x, y, right, bottom = _turned(box, turns, width, height)
        letters.append(Letter(written.character, x, y, right - x, bottom - y, written.line, written.word))
    return MadePage(np.ascontiguousarray(np.rot90(image, turns)), "\n".join(lines), tuple(letters))


def _turned(box: tuple[int, int, int, int], turns: int, width: int, height: int) -> tuple[int, int, int, int]:
    """Turn left, top, right and bottom on a page of that size by quarters, anticlockwise."""
    left, top, right, bottom = box
    for _ in range(turns):
        left, top, right, bottom = top, width - right, bottom, width - left
        width, height = height, width
    return left, top, right, bottom


class _Bend:
    """The way from the canvas to the page: lines bend, the sheet turns, the camera shrinks it."""

    def __init__(self, sheet: Sheet, kind: Kind, d: Difficulties, seed: int) -> None:
        height, width = sheet.ink.shape
        self._width, self._height = width, height
        self._bow = d.curve * sheet.cap * chance(seed, "curve").choice((-1, 1))
        angle = np.radians(10) * d.skew * chance(seed, "skew").choice((-1, 1))
        self._plain = not (self._bow or angle)
        shrink = (_SMALLEST_CAP / kind.cap) ** d.resolution if kind.cap > _SMALLEST_CAP else 1.0
        self._scale = shrink / kind.scale
        self.cap = kind.cap * shrink
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        edge = np.linspace(0, 1, 50)[:, None] * [width, 0]
        outline = self._bowed(np.concatenate((edge, edge + np.array([0, height])))) @ turn.T
        low, high = outline.min(axis=0), outline.max(axis=0)
        self._turn, self._shift = turn, -low
        size = np.ceil(high - low) if not self._plain else np.array([width, height])
        self._whole = int(size[0]), int(size[1])
        self.size = max(1, round(self._whole[0] * self._scale)), max(1, round(self._whole[1] * self._scale))

    def _bowed(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        across = 2 * points[:, 0] / self._width - 1
        return np.stack((points[:, 0], points[:, 1] + self._bow * across**2), axis=1)

    def forward(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take points of the canvas, n×2, edges of pixels at whole numbers, to the page."""
        stretch = np.array(self.size) / self._whole
        moved: NDArray[np.float64] = (self._bowed(points) @ self._turn.T + self._shift) * stretch
        return moved

    def warp(self, layer: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Bend a layer of the canvas, uint8 h×w or h×w×3, to the page."""
        if not self._plain:
            x, y = np.meshgrid(np.arange(self._whole[0]) + 0.5, np.arange(self._whole[1]) + 0.5)
            source = (np.stack((x, y), axis=-1) - self._shift) @ self._turn
            across = 2 * source[..., 0] / self._width - 1
            source[..., 1] -= self._bow * across**2
            source -= 0.5
            maps = source.astype(np.float32)
            layer = cv2.remap(layer, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR)
        if self.size != (layer.shape[1], layer.shape[0]):
            layer = cv2.resize(layer, self.size, interpolation=cv2.INTER_AREA)
        return layer

    def box(
        self, mask: NDArray[np.uint8], left: int, top: int, width: int, height: int
    ) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom of a letter's ink on a page of that size."""
        ys, xs = np.nonzero(mask >= INKED)
        corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
        cells = np.stack((xs, ys), axis=1)[:, None, :] + corners + [left, top]
        points = self.forward(cells.reshape(-1, 2).astype(np.float64))
        low, high = np.floor(points.min(axis=0) + 0.01), np.ceil(points.max(axis=0) - 0.01)
        x, y = int(np.clip(low[0], 0, width - 1)), int(np.clip(low[1], 0, height - 1))
        return x, y, int(np.clip(high[0], x + 1, width)), int(np.clip(high[1], y + 1, height))


def _coloured(sheet: Sheet, bend: _Bend, kind: Kind, d: Difficulties, seed: int) -> Colour:
    """Lay panel, print, ink and dirt on paper: float32, h×w×3, 0–255, in even light."""
    rng = chance(seed, "colours")
    ink = np.array(_INKS[rng.integers(len(_INKS))], np.float32)
    if kind.paper == 255:
        ink *= 0.1
    bright, form = (np.array(each[rng.integers(4)], np.float32) for each in (_BRIGHT, _FORMS))
    ink += d.coloured_ink * (bright - ink)
    black = np.full(3, 3 if kind.paper == 255 else 30, np.float32)
    white = kind.paper
    tint = d.coloured_form * (form - 250)
    paper = np.zeros((*reversed(bend.size), 3), np.float32) + (white + 0.35 * tint)
    if d.coloured_form:
        panel = np.zeros_like(sheet.ink)
        for left, top, right, bottom in sheet.panels:
            cv2.rectangle(panel, (round(left), round(top)), (round(right), round(bottom)), 255, -1)
        paper = _over(paper, bend.warp(panel), white + 0.8 * tint)
    paper = _over(paper, bend.warp(sheet.printed), black + d.coloured_form * (0.8 * form - black))
    strength = 1 - 0.7 * d.faint
    writing = _uneven(bend.warp(sheet.ink), bend.cap, kind, seed) * strength
    if d.faint:
        patches = _blotches(writing.shape, bend.cap, chance(seed, "faint"))
        writing *= np.clip(1 + 0.5 * d.faint * patches, 0.5, 1)
    paper = _over(paper, writing, ink)
    return _over(paper, bend.warp(sheet.dirt), np.array((40, 38, 35), np.float32))


def _uneven(ink: NDArray[np.uint8], cap: float, kind: Kind, seed: int) -> NDArray[np.float32]:
    """Ink as it comes to paper, float32, 0–255: ragged where a scanner made it black, else uneven."""
    rng = chance(seed, "ink")
    writing = ink.astype(np.float32)
    if kind.paper == 255:
        ragged = writing + 45 * _blotches(ink.shape, 1.5, rng)
        return np.where(ink > 0, np.clip((ragged - 70) * 2, 0, 255), 0).astype(np.float32)
    uneven: NDArray[np.float32] = writing * (0.88 + 0.12 * np.tanh(_blotches(ink.shape, 0.4 * cap, rng)))
    return uneven


def _over(below: Colour, layer: NDArray[np.generic], colour: NDArray[np.float32]) -> Colour:
    cover = np.asarray(layer, np.float32)[..., None] / 255
    covered: Colour = below + cover * (np.asarray(colour, np.float32) - below)
    return covered


def _lit(page: Colour, d: Difficulties, seed: int) -> Colour:
    """Turn the page into chalk on a board, and let light and shadow fall on it."""
    height, width = page.shape[:2]
    if d.chalk:
        page = 30 + (255 - page) * (1 - 0.65 * d.chalk)
    if not (d.light or d.shadow or d.edge):
        return page
    light = np.ones((height, width), np.float32)
    across, down = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    angle = chance(seed, "light").uniform(0, 2 * np.pi)
    slope = np.cos(angle) * across + np.sin(angle) * down
    light *= (1 - 0.7 * d.light * (slope - slope.min()) / np.ptp(slope)).astype(np.float32)
    if d.shadow:
        rng = chance(seed, "shadow")
        behind = across + rng.uniform(-0.3, 0.3) * down > rng.uniform(-0.4, 0.4)
        soft = cv2.GaussianBlur(behind.astype(np.float32), (0, 0), 0.004 * width + 1)
        light *= 1 - 0.67 * d.shadow * soft
    if d.edge:
        rng = chance(seed, "edge")
        width_of = 0.04 * d.edge
        sides = (across - 0.01 * down < -1 + 2 * width_of, down + 0.01 * across > 1 - 2 * width_of)
        desk = np.logical_or(*sides)
        page = np.where(desk[..., None], np.float32(40 + 30 * rng.random()), page)
    return page * light[..., None]


def _scanned(page: Colour, cap: float, d: Difficulties, seed: int) -> NDArray[np.uint8]:
    """Blur the page, add grain and noise, and pack it as JPEG: uint8, h×w×3."""
    page = cv2.GaussianBlur(page, (0, 0), 0.35 + 0.14 * cap * d.blur)
    if d.grain:
        rng = chance(seed, "grain")
        noise = rng.standard_normal(page.shape[:2], np.float32) * 20 + 6 * _blotches(
            page.shape[:2], cap / 3, rng
        )
        page = page + d.grain * noise[..., None]
    image = np.clip(np.rint(page), 0, 255).astype(np.uint8)
    if d.jpeg:
        quality = [cv2.IMWRITE_JPEG_QUALITY, round(90 - 85 * d.jpeg)]
        _, packed = cv2.imencode(".jpg", image[..., ::-1], quality)
        image = np.ascontiguousarray(cv2.imdecode(packed, cv2.IMREAD_COLOR)[..., ::-1])
    return image


def _blotches(shape: tuple[int, ...], size: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Smooth noise with blotches of about `size` pixels: float32, mean 0, standard deviation about 1."""
    coarse = [max(2, round(side / max(1.0, size))) for side in shape]
    noise = rng.standard_normal((coarse[0], coarse[1]), np.float32)
    return np.asarray(cv2.resize(noise, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC))
