"""Draws letters with OpenCV, as glyphs, as training sets, and as answers about them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.settings import DIGITS, LETTERS
from lettermill.segmentation.glyph import ink_of, normalise
from lettermill.training.letters import sources
from lettermill.training.letters.sources import Letters, canvas_of
from lettermill.training.measure import Answers
from lettermill.training.training_settings import LABELS

Array = NDArray[np.uint8]


def drawn(character: str, height: int = 28, width: int = 28, thickness: int = 2) -> Array:
    """White on black, unlike its mirror image and its transpose."""
    image = np.zeros((height, width), np.uint8)
    scale = height / 34
    cv2.putText(
        image,
        character,
        (width // 5, height * 4 // 5),
        cv2.FONT_HERSHEY_SIMPLEX,
        scale,
        255,
        thickness,
        cv2.LINE_AA,
    )
    return image


def png(image: Array) -> bytes:
    return bytes(cv2.imencode(".png", image)[1].tobytes())


def canvases(text: str = "ABCDEFGHIJ") -> np.ndarray:
    """Draw letters as training's canvases."""
    drawn = []
    for letter in text:
        image = np.zeros((80, 80), np.uint8)
        cv2.putText(image, letter, (14, 62), cv2.FONT_HERSHEY_SIMPLEX, 2, 255, 5, cv2.LINE_AA)
        drawn.append(sources.canvas_of(image))
    return np.stack(drawn)


def some_letters() -> Letters:
    """A of source one (4), A of source two (1), an a, a digit, and three writers of Chars74K."""
    image = np.zeros((48, 48), np.uint8)
    cv2.putText(image, "A", (8, 40), cv2.FONT_HERSHEY_SIMPLEX, 1.3, 255, 3)
    rows = [("A", "one", "")] * 4 + [("A", "two", ""), ("a", "two", ""), ("7", "two", "")]
    rows += [("A", "chars74k", writer) for writer in ("002", "005", "001")]
    labels, sources, writers = (np.array(column) for column in zip(*rows, strict=True))
    canvases = np.stack([canvas_of(image)] * len(rows))
    return Letters(np.zeros((len(rows), 28, 28), np.uint8), canvases, labels, sources, writers)


def drawn_letters(source: str, faces: tuple[int, ...]) -> Letters:
    """Draw every label once in each face."""
    images = []
    for face in faces:
        for label in LABELS:
            image = np.zeros((60, 60), np.uint8)
            cv2.putText(image, label, (14, 46), face, 1.6, 255, 3, cv2.LINE_AA)
            images.append(image)
    count = len(images)
    return Letters(
        np.stack([normalise(image) for image in images]),
        np.stack([canvas_of(image) for image in images]),
        np.array(LABELS * len(faces)),
        np.full(count, source),
        np.full(count, ""),
    )


FACES = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_PLAIN)


def write_set(path: Path, seed: int, copies: int) -> None:
    """Draw every label some times, slightly moved and turned."""
    rng = np.random.default_rng(seed)
    images, labels = [], []
    for label in LABELS:
        for number in range(copies):
            image = np.zeros((60, 60), np.uint8)
            face = FACES[number % len(FACES)]
            scale = 3.4 if face == cv2.FONT_HERSHEY_PLAIN else 1.6
            cv2.putText(image, label, (14, 46), face, scale, 255, int(rng.integers(2, 5)), cv2.LINE_AA)
            turn = cv2.getRotationMatrix2D((30, 30), float(rng.normal(0, 6)), float(rng.uniform(0.7, 1)))
            images.append(cv2.warpAffine(image, turn, (60, 60)))
            labels.append(label)
    np.savez(path, x=np.stack(images), y=np.array(labels))


def answers_of(rows: list[tuple[str, str, float]], labels: tuple[str, ...] = ("A", "B", "C")) -> Answers:
    """Make answers from rows of truth, answer and confidence; the rest is shared by the other labels."""
    probabilities = np.empty((len(rows), len(labels)))
    for place, (_, read, confidence) in enumerate(rows):
        probabilities[place] = (1 - confidence) / (len(labels) - 1)
        probabilities[place, labels.index(read)] = confidence
    classes = np.array([labels.index(truth) for truth, _, _ in rows])
    return Answers(
        labels, probabilities, classes, np.zeros((len(rows), 28, 28), np.uint8), np.full(len(rows), "one")
    )


def drawn_in_face(face: int, characters: str) -> np.ndarray:
    """Draw characters, white on black."""
    images = np.zeros((len(characters), 60, 60), np.uint8)
    for image, character in zip(images, characters, strict=True):
        cv2.putText(image, character, (10, 46), face, 1.5, 255, 2, cv2.LINE_AA)
    return images


def letters_of(source: str, face: int, characters: str = LETTERS + DIGITS) -> Letters:
    """Return the glyphs of characters drawn in a face, without canvases."""
    glyphs = np.stack([normalise(ink_of(image)) for image in drawn_in_face(face, characters)])
    count = len(characters)
    return Letters(
        glyphs,
        np.zeros((count, 48, 48), np.uint8),
        np.array(list(characters)),
        np.full(count, source),
        np.full(count, ""),
    )
