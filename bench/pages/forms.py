"""Fills the example form in any hand, draws forms like it, and distorts them as scanners and cameras do."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bench.pages.hands import Hand
from bench.pages.layouts import WORDS
from examples import make_form
from lettermill.segmentation.values import Box

Page = NDArray[np.uint8]

Draw = Callable[[np.random.Generator], Page]
"""Draws a form by chance."""

BOXES = [Box(field.x, field.y, field.width, make_form.HIGH) for field in make_form.FIELDS]

TITLES = ("Harbour Office", "Allotment Society", "School Dinners", "Bell Ringers' Guild", "Ferry Company")
CAPTIONS = ("NAME", "FIRST NAME", "STREET", "TOWN", "DATE", "No.", "CLASS", "SCHOOL", "TELEPHONE", "SHELF")
NOTES = ("Write clearly.", "Give this sheet back before Friday.", "Leave this part empty, please.")

_LETTERS, _DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"


def blank() -> Page:
    """The example form as it is printed."""
    return np.asarray(make_form.draw_blank())


def texts(rng: np.random.Generator) -> dict[str, str]:
    """What somebody may write into each field."""

    def some(characters: str, count: int) -> str:
        return "".join(rng.choice(list(characters), count))

    return {
        "surname": str(rng.choice(WORDS)),
        "card": some(_LETTERS, 2) + some(_DIGITS, 5),
        "forename": str(rng.choice(WORDS)),
        "born": str(rng.choice(["19", "20"])) + some(_DIGITS, 2),
        "town": str(rng.choice(make_form.TOWNS)),
        "shelf": some(_LETTERS, 1) + some(_DIGITS, int(rng.integers(1, 4))),
        "lent": some("123456789", 1) + some(_DIGITS, int(rng.integers(0, 2))),
        "remarks": " ".join(rng.choice(WORDS, 3)),
    }


def filled(written: dict[str, str], hand: Hand, rng: np.random.Generator) -> Page:
    """Write into the example form; letters of a comb stand in their cells, a little off the middle."""
    page = blank().copy()
    cap = 50 * rng.uniform(0.9, 1.1)
    pen = cap * rng.uniform(0.08, 0.13)
    ink = int(rng.integers(20, 80))
    for field in make_form.FIELDS:
        foot = field.y + 70
        x = field.x + 24.0
        for place, character in enumerate(written[field.name]):
            if character == " ":
                x += 0.8 * cap
                continue
            glyph = hand.write(character, cap * rng.normal(1, 0.04), pen, rng)
            width = glyph.mask.shape[1]
            if field.comb:
                x = field.x + (place + 0.5) * make_form.CELL - width / 2 + rng.normal(0, 3)
            top = round(foot + rng.normal(0, 2.5) - glyph.foot)
            _write(page, glyph.mask, round(x), top, ink)
            x += width + cap * rng.uniform(0.2, 0.4)
    return page


def _write(page: Page, mask: Page, x: int, y: int, ink: int) -> None:
    part = page[y : y + mask.shape[0], x : x + mask.shape[1]]
    cover = mask[: part.shape[0], : part.shape[1]] / 255
    part[:] = np.minimum(part, 255 + (ink - 255.0) * cover).astype(np.uint8)


def other_form(rng: np.random.Generator) -> Page:
    """A form of the same make: captions, combs and boxes, none where the example form has one."""
    page = Image.new("L", (make_form.WIDTH, make_form.HEIGHT), 255)
    pen = ImageDraw.Draw(page)
    if rng.random() < 0.5:
        pen.rectangle((40, 40, make_form.WIDTH - 41, make_form.HEIGHT - 41), outline=0, width=5)
    pen.text((90, 75), str(rng.choice(TITLES)), font=ImageFont.load_default(74), fill=0)
    y = 200.0
    while y < 900:
        y += rng.uniform(140, 200)
        x = 90 + rng.uniform(0, 80)
        while x < 1300:
            width = int(rng.integers(4, 12)) * make_form.CELL
            right = min(x + width, 1660)
            pen.text((x, y - 34), str(rng.choice(CAPTIONS)), font=ImageFont.load_default(26), fill=0)
            pen.rectangle((x, y, right, y + make_form.HIGH), outline=0, width=3)
            if rng.random() < 0.6:
                for wall in np.arange(x + make_form.CELL, right, make_form.CELL):
                    pen.line((wall, y, wall, y + make_form.HIGH), fill=0, width=2)
            x = right + rng.uniform(50, 120)
    pen.text((90, 1150), str(rng.choice(NOTES)), font=ImageFont.load_default(32), fill=0)
    return np.asarray(page)


def other_edition(rng: np.random.Generator) -> Page:
    """The example form, some of whose fields stand 25 to 60 pixels elsewhere."""
    fields = list(make_form.FIELDS)
    for place in rng.permutation(len(fields))[: rng.integers(1, len(fields))]:
        away, angle = rng.uniform(25, 60), rng.uniform(0, 2 * np.pi)
        x, y = fields[place].x + away * np.cos(angle), fields[place].y + away * np.sin(angle)
        fields[place] = dataclasses.replace(fields[place], x=round(x), y=round(y))
    return np.asarray(make_form.draw_blank(fields))


def distorted(page: Page, rng: np.random.Generator, aside: float = 0.03) -> tuple[Page, NDArray[np.float64]]:
    """Scan or photograph a page.

    Args:
        page: at 300 dpi.
        rng: decides how.
        aside: share of the page by which its corners are moved: how far it is seen from aside.

    Returns:
        The scan, and the homography (3×3) from the page's pixels to the scan's.
    """
    height, width = page.shape
    corners = np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)], np.float64)
    scale, angle = rng.uniform(0.5, 1.5), np.deg2rad(90 * rng.integers(0, 4) + rng.uniform(-5, 5))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    places = (corners + rng.uniform(-aside, aside, (4, 2)) * (width, height)) @ turn.T
    places -= places.min(axis=0) - rng.uniform(0, 0.05 * scale * width, 2)
    size = np.ceil(places.max(axis=0) + rng.uniform(0, 0.05 * scale * width, 2)).astype(int)
    to_scan = cv2.getPerspectiveTransform(corners.astype(np.float32), places.astype(np.float32))
    table = int(rng.choice([60, 235, 255]))
    shrunk = page if scale > 0.9 else cv2.GaussianBlur(page, (0, 0), 0.45 / scale)
    scan = cv2.warpPerspective(
        shrunk, to_scan, size.tolist(), flags=cv2.INTER_CUBIC, borderValue=table
    ).astype(np.float32)
    down, right = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
    light = 1 - rng.uniform(0, 0.4) * right / size[0] - rng.uniform(0, 0.25) * down / size[1]
    contrast = rng.uniform(0.6, 1)
    scan = cv2.GaussianBlur(
        (scan * contrast + 255 * (1 - contrast) * 0.7) * light, (0, 0), rng.uniform(0.3, 1.4)
    )
    scan += rng.normal(0, rng.uniform(0.5, 6), scan.shape)
    _, file = cv2.imencode(
        ".jpg", scan.clip(0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))]
    )
    return np.asarray(cv2.imdecode(file, cv2.IMREAD_GRAYSCALE), np.uint8), np.asarray(to_scan, np.float64)


def field_error(box: Box, found: NDArray[np.float64], true: NDArray[np.float64]) -> float:
    """How far a field's worst corner is off, in pixels of the blank."""
    right, low = box.x + box.width, box.y + box.height
    points = np.array([(box.x, box.y), (right, box.y), (right, low), (box.x, low)], np.float64)
    seen = cv2.perspectiveTransform(points[None], np.linalg.inv(true) @ found)[0]
    return float(np.hypot(*(seen - points).T).max())
