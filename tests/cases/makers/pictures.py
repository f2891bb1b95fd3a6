"""Pictures: a photograph of gravel, the same with a label on it, and a picture printed as dots."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tests.cases.makers.sheet import Image, writer, written

HEIGHT, WIDTH, STONES = 900, 1200, 1500

SCREEN_PIXELS = 7.0
"""Distance between the dots of the screen: 43 lines an inch at 300 dpi, as in a newspaper."""

LABEL = ("ROSE HEDGE", "NORTH GATE", "BED SEVEN")


def gravel(seed: int) -> Image:
    """Stones all over each other, each rough and lit from one side, in the grey levels of a photograph."""
    rng = np.random.default_rng(seed)
    ground = np.full((HEIGHT, WIDTH), 60.0, np.float32)
    for _ in range(STONES):
        middle = rng.uniform((0, 0), (WIDTH, HEIGHT)).round().astype(int).tolist()
        axes = rng.integers(6, 16, 2).tolist()
        angle, grey = float(rng.uniform(0, 180)), float(rng.uniform(70, 210))
        cv2.ellipse(ground, middle, axes, angle, 0, 360, 0.4 * grey, cv2.FILLED, cv2.LINE_AA)
        lit = [middle[0] - 2, middle[1] - 2]
        cv2.ellipse(
            ground, lit, [round(0.8 * axis) for axis in axes], angle, 0, 360, grey, cv2.FILLED, cv2.LINE_AA
        )
    rough = cv2.GaussianBlur(rng.normal(0, 1, ground.shape).astype(np.float32), (0, 0), 1.5)
    seen = cv2.GaussianBlur(ground, (0, 0), 0.8) + 12 * rough / rough.std()
    return np.clip(seen, 0, 255).astype(np.uint8)


def screened(picture: Image, pixels: float) -> Image:
    """A picture printed in black: dots in a screen at 45°, the larger the darker it is there."""
    down, across = np.mgrid[: picture.shape[0], : picture.shape[1]] * (2 * np.pi / pixels / np.sqrt(2))
    screen = (np.cos(across + down) + np.cos(across - down)) / 4 + 0.5
    return np.where(picture / 255 > screen, 255, 0).astype(np.uint8)


def _photograph(path: Path, _: Path) -> None:
    """No writing at all."""
    cv2.imwrite(str(path), gravel(3), [cv2.IMWRITE_JPEG_QUALITY, 55])


def _label(path: Path, fonts: Path) -> None:
    """A label with three lines, photographed where it lies."""
    picture = gravel(4)
    label = written(LABEL, writer(fonts), cap=32, margin=36)
    picture[300 : 300 + label.shape[0], 350 : 350 + label.shape[1]] = label
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 55])


def _screen(path: Path, _: Path) -> None:
    """Soft blotches, printed as dots and scanned black and white."""
    noise = np.random.default_rng(5).normal(0, 1, (1600, 1600)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 60)
    picture = np.clip(128 + 70 * soft / soft.std(), 20, 235).astype(np.uint8)
    cv2.imwrite(str(path), screened(picture, SCREEN_PIXELS), [cv2.IMWRITE_PNG_BILEVEL, 1])


CASES = {
    "pictures/gravel.jpg": _photograph,
    "pictures/label-on-the-ground.jpg": _label,
    "pictures/printed-screen.png": _screen,
}
