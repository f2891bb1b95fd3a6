"""Fits the weights of segmentation/machine_print.py on made words in type and by hand.

Words in text faces are print; words in handwriting fonts and words put together from real letters are not.
Each is drawn large, rotated, thickened, blurred, shrunk, sometimes binarised, compressed, and then segmented
into letters by Lettermill itself. Writes OUT (machine_print.npz): see README.md.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rich.progress import track

from bench.pages.layouts import PRINT_FONTS
from lettermill.segmentation.glyph import normalise
from lettermill.segmentation.machine_print import CELLS_PER_SIDE, DIRECTIONS, edge_histograms
from lettermill.segmentation.page import segment

Mask = NDArray[np.uint8]

CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

FREQUENT = "EAISNTRULO"
"""Capitals that occur three times as often as the others."""

LETTER_FILES = ("nist_az_uniform.npz", "nist_az_original.npz", "mohneesh_az.npz")
"""Sets of real letters, white on black, of which words are made."""

TEXT_FACES = ("DejaVuSans", "DejaVuSerif", "STIXGeneral")
"""Matplotlib's fonts that hold letters; the others hold symbols."""

PRINT_SHARE, FONT_SHARE = 0.5, 0.22
"""Shares of words in text faces and in handwriting fonts; real letters make the others."""

CAPITALS_SHARE = {True: 0.55, False: 0.85}
"""Share of words in capitals, of print and of hand; half of the rest are lower case, half digits."""

LOWEST_PIXELS, HIGHEST_PIXELS = 8.0, 48.0
"""Heights of a capital, evenly spread over their logarithm."""

SMALL_PIXELS = 15.0
"""Half of the words are lower than this."""

DRAWN_RATIO = 2.5
"""Height at which a word is drawn divided by its final height; at least 48 pixels are drawn."""

HIDDEN_UNITS, EPOCHS, BATCH_LETTERS, LEARNING_RATE, WEIGHT_DECAY = 32, 25, 256, 2e-3, 1e-4


@click.command(help=__doc__)
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--fonts", required=True, type=click.Path(exists=True, path_type=Path), help="Handwriting fonts."
)
@click.option("--faces", type=click.Path(exists=True, path_type=Path), help="More text faces.")
@click.option("--words", default=18_000, show_default=True, help="Words to make.")
@click.option("--seed", default=7, show_default=True)
def main(out: Path, fonts: Path, faces: Path | None, words: int, seed: int) -> None:
    cv2.setNumThreads(1)
    print_faces = [*_files(PRINT_FONTS, TEXT_FACES), *(_files(faces) if faces else [])]
    makers = Words(print_faces, _files(fonts), Path(os.environ["LETTERMILL_DATA"]) / "letters")
    rng = np.random.default_rng(seed)
    glyphs: list[Mask] = []
    kinds: list[bool] = []
    held: list[bool] = []
    for _ in track(range(words), "words"):
        is_print, is_held, page = makers.make(rng)
        found = segment(page, "line", "keep")
        new = [normalise(one.ink) for line in found.lines for word in line.words for one in word.candidates]
        glyphs += new
        kinds += [is_print] * len(new)
        held += [is_held] * len(new)
    x, y, test = edge_histograms(glyphs), np.array(kinds, np.float32), np.array(held)
    odds = _odds(x[test], fit(x[~test], y[~test], seed))
    right = float(((odds > 0) == y[test]).mean())
    click.echo(
        f"{len(glyphs)} letters; of those in fonts held out {right:.1%} are classified right, each alone"
    )
    np.savez(out, **fit(x, y, seed))


class Words:
    """Makes words in type and by hand."""

    def __init__(self, faces: Sequence[str], fonts: Sequence[str], letters: Path) -> None:
        self.faces, self.fonts = list(faces), list(fonts)
        self.letters = [_letters(letters / name) for name in LETTER_FILES]

    def make(self, rng: np.random.Generator) -> tuple[bool, bool, Mask]:
        """Make a word: whether it is print, whether its font is held out for the test, and its page."""
        final = float(
            np.exp(rng.uniform(np.log(LOWEST_PIXELS), np.log(rng.choice([SMALL_PIXELS, HIGHEST_PIXELS]))))
        )
        cap = max(48, int(final * DRAWN_RATIO))
        kind = rng.random()
        is_print = bool(kind < PRINT_SHARE)
        text = _text(rng, is_print)
        if kind < PRINT_SHARE + FONT_SHARE:
            fonts = self.faces if is_print else self.fonts
            number = int(rng.integers(len(fonts)))
            spaced = rng.random() < (0.15 if is_print else 0.4)
            return (
                is_print,
                number % 6 == 0,
                _spoil(_set(fonts[number], text, cap, spaced, rng), cap, final, rng),
            )
        source = int(rng.integers(len(self.letters)))
        text = "".join(c for c in text.upper() if c in self.letters[source]) or "A"
        return False, False, _spoil(_put(text, self.letters[source], cap, rng), cap, final, rng)


def fit(x: NDArray[np.float32], y: NDArray[np.float32], seed: int) -> dict[str, NDArray[np.float32]]:
    """Train the network; its scaling of the inputs becomes part of the weights."""
    import tensorflow as tf

    tf.keras.utils.set_random_seed(seed)
    mean, spread = x.mean(0), x.std(0) + 1e-6
    layers = [
        tf.keras.layers.Input((CELLS_PER_SIDE * CELLS_PER_SIDE * DIRECTIONS,)),
        tf.keras.layers.Dense(
            HIDDEN_UNITS, "relu", kernel_regularizer=tf.keras.regularizers.l2(WEIGHT_DECAY)
        ),
        tf.keras.layers.Dense(1),
    ]
    model = tf.keras.Sequential(layers)
    schedule = tf.keras.optimizers.schedules.CosineDecay(
        LEARNING_RATE, EPOCHS * max(1, len(x) // BATCH_LETTERS)
    )
    model.compile(tf.keras.optimizers.Adam(schedule), tf.keras.losses.BinaryCrossentropy(from_logits=True))
    model.fit((x - mean) / spread, y, batch_size=BATCH_LETTERS, epochs=EPOCHS, verbose=0)
    hidden, hidden_bias, output, output_bias = (weight.numpy() for weight in model.weights)
    hidden = hidden / spread[:, None]
    return {
        "hidden": hidden.astype(np.float32),
        "hidden_bias": (hidden_bias - mean @ hidden).astype(np.float32),
        "output": output[:, 0].astype(np.float32),
        "output_bias": np.float32(output_bias[0]),
    }


def _odds(x: NDArray[np.float32], weights: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    odds: NDArray[np.float32] = (
        np.maximum(x @ weights["hidden"] + weights["hidden_bias"], 0) @ weights["output"]
        + weights["output_bias"]
    )
    return odds


def _files(folder: Path, names: tuple[str, ...] = ("",)) -> list[str]:
    found = [path for path in folder.rglob("*") if path.suffix in (".ttf", ".otf", ".woff2")]
    return sorted(str(path) for path in found if path.name.startswith(names))


def _letters(path: Path) -> dict[str, NDArray[np.uint8]]:
    with np.load(path) as arrays:
        images, labels = arrays["x"], arrays["y"]
    return {label: images[labels == label] for label in CAPITALS if (labels == label).any()}


def _text(rng: np.random.Generator, is_print: bool) -> str:
    weights = np.array([3.0 if letter in FREQUENT else 1.0 for letter in CAPITALS])
    word = "".join(rng.choice(list(CAPITALS), int(rng.integers(2, 10)), p=weights / weights.sum()))
    kind = (rng.random() - CAPITALS_SHARE[is_print]) / (1 - CAPITALS_SHARE[is_print])
    if kind < 0:
        return word
    return word.capitalize() if kind < 0.25 else word.lower() if kind < 0.5 else _digits(len(word), rng)


def _digits(count: int, rng: np.random.Generator) -> str:
    return "".join(map(str, rng.integers(0, 10, count)))


@functools.lru_cache(400)
def _font(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


def _set(path: str, text: str, cap: int, spaced: bool, rng: np.random.Generator) -> Mask:
    """Set a word in a font: uint8, white on black."""
    font = _font(path, int(cap / 0.72))
    image = Image.new("L", (int(cap * (2 * len(text) + 4)), int(cap * 3.4)))
    draw, x, space = ImageDraw.Draw(image), cap + rng.random(), rng.uniform(0.1, 0.7) * cap
    for part in text if spaced else [text]:
        draw.text((x, 0.8 * cap), part, 255, font)
        x += font.getlength(part) + space
    return np.array(image)


def _put(text: str, letters: dict[str, NDArray[np.uint8]], cap: int, rng: np.random.Generator) -> Mask:
    """Make a word of real letters: uint8, white on black."""
    mask = np.zeros((int(cap * 3.4), int(cap * (2.6 * len(text) + 4))), np.uint8)
    shift, uneven, gap = rng.uniform(0.02, 0.1), rng.uniform(0.03, 0.12), rng.uniform(0.1, 0.6)
    x = float(cap)
    for character in text:
        letter = letters[character][int(rng.integers(len(letters[character])))]
        left, top, width, height = cv2.boundingRect((letter >= 100).astype(np.uint8))
        if not width:
            continue
        letter = letter[top : top + height, left : left + width]
        scale = min(cap * (1 + uneven * rng.standard_normal()) / height, 1.8 * cap / width)
        letter = cv2.resize(
            letter, (max(2, int(width * scale)), max(2, int(height * scale))), interpolation=cv2.INTER_CUBIC
        )
        foot = int(2 * cap + cap * shift * rng.standard_normal())
        place = mask[foot - letter.shape[0] : foot, int(x) : int(x) + letter.shape[1]]
        if place.shape == letter.shape:
            np.maximum(place, letter, out=place)
        x += letter.shape[1] + cap * max(0.04, gap * (1 + 0.5 * rng.standard_normal()))
    return mask


def _spoil(mask: Mask, cap: int, final: float, rng: np.random.Generator) -> Mask:
    """Rotate, thicken, blur, shrink and compress a word as a scanner does: uint8, dark on light."""
    left, top, width, height = cv2.boundingRect((mask > 60).astype(np.uint8))
    margin = cap // 2
    mask = np.pad(mask[top : top + height, left : left + width], margin)
    tall, wide = mask.shape
    turn = cv2.getRotationMatrix2D((wide / 2, tall / 2), rng.uniform(-1.2, 1.2), 1)
    mask = cv2.warpAffine(mask, turn, (wide, tall))
    if rng.random() < 1 / 3:
        side = 1 + max(1, int(cap * rng.uniform(0.01, 0.05)))
        mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    mask = cv2.GaussianBlur(mask, (0, 0), max(0.3, cap * rng.uniform(0.005, 0.06)))
    scale = final / cap
    if rng.random() < 0.5:
        first = min(1.0, scale * rng.uniform(1, 2.2))
        grey = cv2.resize(mask, None, fx=first, fy=first, interpolation=cv2.INTER_AREA)
        grain = rng.normal(0, 10, grey.shape)
        mask = np.where(grey + grain > rng.uniform(90, 160), 255, 0).astype(np.uint8)
        scale /= first
    small = cv2.resize(mask, None, fx=min(1, scale), fy=min(1, scale), interpolation=cv2.INTER_AREA)
    page = 255 - small * rng.uniform(0.6, 1) + rng.normal(0, rng.uniform(0, 5), small.shape)
    _, coded = cv2.imencode(
        ".jpg", np.clip(page, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(50, 96))]
    )
    return cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE).astype(np.uint8)


if __name__ == "__main__":
    main()
