"""Draws a form with a field of each kind, fills it in any hand, and says what each value is."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from bench.pages.forms import Page
from bench.pages.hands import Hand
from examples import make_form
from examples.make_form import CELL, HIGH, Field

TICK_SIDE = 44
"""Side of a tick box in pixels: 3.7 mm."""

FIELDS = (
    Field("born", "DATE OF BIRTH", 90, 280, 8 * CELL, "", more=('kind = "date"', 'order = "DMY"')),
    Field("day", "TODAY", 740, 280, 500, "", comb=False, more=('kind = "date"', 'order = "DMY"')),
    Field("hour", "TIME", 1300, 280, 358, "", comb=False, more=('kind = "time"',)),
    Field("total", "TOTAL", 90, 450, 430, "", comb=False, more=('kind = "amount"',)),
    Field("fee", "FEE", 550, 450, 7 * CELL, "", more=('kind = "amount"',)),
    Field("phone", "TELEPHONE", 1080, 450, 578, "", comb=False, more=('kind = "phone"',)),
    Field("member", "MEMBER No.", 90, 620, 8 * CELL, "", more=('kind = "code"', 'check = "luhn"')),
    Field("isbn", "ISBN", 740, 620, 918, "", comb=False, more=('kind = "code"', 'check = "isbn"')),
    Field(
        "answer",
        "YES, NO OR UNKNOWN",
        90,
        790,
        560,
        "",
        False,
        ('kind = "choice"', 'choices = ["Yes", "No", "Unknown"]'),
    ),
    Field("signed", "SIGNATURE", 740, 790, 918, "", comb=False, more=('kind = "signature"',)),
)

TICKS = {f"tick_{number}": (700 + 130 * number, 175) for number in range(5)}
"""The left top corner of each tick box."""


def blank() -> Page:
    """The form as it is printed."""
    page = make_form.draw_blank(FIELDS)
    pen = ImageDraw.Draw(page)
    pen.rectangle((690, 160, 1398, 230), fill=255)
    for x, y in TICKS.values():
        pen.rectangle((x - 3, y - 3, x + TICK_SIDE + 2, y + TICK_SIDE + 2), outline=0, width=3)
    return np.asarray(page)


def write_template(folder: Path) -> Path:
    """Write the template and its blank into a folder, and return the template's path."""
    Image.fromarray(blank()).save(folder / "blank.png")
    lines = ['blank = "blank.png"']
    for field in FIELDS:
        lines += [
            "[[fields]]",
            f'name = "{field.name}"',
            f"box = [{field.x}, {field.y}, {field.width}, {HIGH}]",
        ]
        lines += [f"comb = {field.width // CELL}"] if field.comb else []
        lines += field.more
    for name, (x, y) in TICKS.items():
        lines += [
            "[[fields]]",
            f'name = "{name}"',
            'kind = "tick"',
            f"box = [{x}, {y}, {TICK_SIDE}, {TICK_SIDE}]",
        ]
    path = folder / "kinds.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def texts(rng: np.random.Generator) -> dict[str, tuple[str, str]]:
    """What somebody may write into each field, and its value."""

    def digits(count: int) -> str:
        return "".join(str(digit) for digit in rng.integers(0, 10, count))

    def day(earliest: int) -> dt.date:
        return dt.date(earliest, 1, 1) + dt.timedelta(int(rng.integers(0, 365 * 70)))

    born, today = day(1930), day(1950)
    mark = str(rng.choice(["/", "-", ".", ""]))
    written = today.strftime(f"%d{mark}%m{mark}%Y")
    if mark and rng.random() < 0.5:
        written = f"{today.day}{mark}{today.month}{mark}{today.year}"
    hour, minute = int(rng.integers(0, 24)), int(rng.integers(0, 60))
    total, fee = (int(10 ** rng.uniform(2, 6.2)) for _ in range(2))
    thousands = "," if rng.random() < 0.5 else ""
    phone, member, isbn = digits(int(rng.integers(7, 11))), digits(7), "978" + digits(9)
    member += str(next(end for end in range(10) if _luhn(member + str(end))))
    weighed = sum(int(char) * (1, 3)[at % 2] for at, char in enumerate(isbn))
    isbn += str(-weighed % 10)
    answer = str(rng.choice(["Yes", "No", "Unknown"]))
    found = {
        "born": (born.strftime("%d%m%Y"), born.isoformat()),
        "day": (written, today.isoformat()),
        "hour": (f"{hour:02}.{minute:02}", f"{hour:02}:{minute:02}"),
        "total": (f"{total // 100:{thousands}}.{total % 100:02}", f"{total // 100}.{total % 100:02}"),
        "fee": (f"{fee}".rjust(7), f"{fee // 100}.{fee % 100:02}"),
        "phone": (phone, phone),
        "member": (member, member),
        "isbn": (isbn, isbn),
        "answer": (answer.upper(), answer),
        "signed": ("SIGNED" if rng.random() < 0.7 else "", "1"),
    }
    found["signed"] = (found["signed"][0], "1" if found["signed"][0] else "0")
    return found | {name: (mark, "1" if mark else "0") for name in TICKS for mark in [_tick(rng)]}


def _tick(rng: np.random.Generator) -> str:
    return str(rng.choice(["", "x", "v"], p=[0.5, 0.3, 0.2]))


def _luhn(text: str) -> bool:
    digits = [int(char) for char in reversed(text)]
    return (sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])) % 10 == 0


def filled(written: dict[str, str], hand: Hand, rng: np.random.Generator) -> Page:
    """Write into the form; letters of a comb stand in their cells, a little off the middle."""
    page = blank().copy()
    cap = 50 * rng.uniform(0.9, 1.1)
    pen = cap * rng.uniform(0.08, 0.13)
    ink = int(rng.integers(20, 80))
    for field in FIELDS:
        foot, x = field.y + 70.0, field.x + 24.0
        if field.name == "signed" and written["signed"]:
            _sign(page, x + rng.uniform(0, 200), foot, cap, pen, ink, rng)
            continue
        for place, character in enumerate(written[field.name]):
            if character == " ":
                continue
            if character in "/-.,":
                x = _mark(page, character, x, foot + rng.normal(0, 2), cap, pen, ink, rng)
                continue
            glyph = hand.write(character, cap * rng.normal(1, 0.04), pen, rng)
            height, width = glyph.mask.shape
            if field.comb:
                x = field.x + (place + 0.5) * CELL - width / 2 + rng.normal(0, 3)
            top = round(foot + rng.normal(0, 2.5) - glyph.foot)
            part = page[top : top + height, round(x) : round(x) + width]
            cover = glyph.mask[: part.shape[0], : part.shape[1]] / 255
            part[:] = np.minimum(part, 255 + (ink - 255.0) * cover).astype(np.uint8)
            x += width + cap * rng.uniform(0.15, 0.3)
    for name, (x, y) in TICKS.items():
        points = {
            "x": [(0.1, 0.1), (0.9, 0.9), None, (0.9, 0.1), (0.1, 0.9)],
            "v": [(0.1, 0.5), (0.4, 0.9), (1.1, -0.3)],
        }
        if shape := points.get(written[name]):
            size, place = TICK_SIDE * rng.uniform(0.7, 1.3), TICK_SIDE * rng.normal(0, 0.1, 2)
            _stroke(
                page,
                [p and (x + place[0] + p[0] * size, y + place[1] + p[1] * size) for p in shape],
                pen,
                ink,
                rng,
            )
    return page


def _mark(
    page: Page, mark: str, x: float, foot: float, cap: float, pen: float, ink: int, rng: np.random.Generator
) -> float:
    """Draw a mark and return where the next character begins."""
    wide = {"/": 0.4, "-": 0.35, ".": 0.02, ",": 0.1}[mark] * cap * rng.uniform(0.8, 1.2)
    points = {
        "/": [(x, foot + 0.1 * cap), (x + wide, foot - cap)],
        "-": [(x, foot - 0.45 * cap), (x + wide, foot - 0.45 * cap)],
        ".": [(x, foot), (x + wide, foot)],
        ",": [(x + wide, foot - 0.05 * cap), (x, foot + 0.2 * cap)],
    }[mark]
    _stroke(page, points, pen, ink, rng)
    return x + wide + pen + cap * rng.uniform(0.15, 0.3)


def _sign(
    page: Page, x: float, foot: float, cap: float, pen: float, ink: int, rng: np.random.Generator
) -> None:
    """Draw loops, as many a signature is."""
    along = np.linspace(0, 1, 60)
    wide, loops = cap * rng.uniform(2, 6), rng.uniform(2, 6)
    xs = x + wide * along + 0.3 * cap * np.sin(2 * np.pi * loops * along)
    ys = foot - 0.4 * cap - 0.35 * cap * np.cos(2 * np.pi * loops * along)
    _stroke(page, list(zip(xs.tolist(), ys.tolist(), strict=True)), pen * 0.6, ink, rng)


def _stroke(
    page: Page,
    points: list[tuple[float, float]] | list[tuple[float, float] | None],
    pen: float,
    ink: int,
    rng: np.random.Generator,
) -> None:
    """Draw lines between points that are moved a little; None lifts the pen."""
    cover = np.zeros_like(page)
    lines: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            lines.append([])
        else:
            lines[-1].append((point[0] + rng.normal(0, 1), point[1] + rng.normal(0, 1)))
    for line in lines:
        fixed = np.rint(np.array(line) * 16).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(cover, [fixed], False, 255, max(1, round(pen)), cv2.LINE_AA, shift=4)
    page[:] = np.minimum(page, 255 + (ink - 255.0) * (cover / 255)).astype(np.uint8)
