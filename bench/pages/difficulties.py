"""Names what can be hard about a page, each with a strength from 0 to 1."""

from __future__ import annotations

import dataclasses
import zlib

import numpy as np


@dataclasses.dataclass(frozen=True, slots=True)
class Difficulties:
    """Strengths from 0 (not there) to 1 (as bad as scans of filled-in forms get).

    "Cap" is the height of a capital. What a strength of 1 means stands beside each.
    """

    # writing
    size: float = 0.0  # letters a third smaller or larger than their neighbours
    baseline: float = 0.0  # a fifth of a cap above or below the line
    slant: float = 0.0  # the page leans by 25°, each letter by 10° more or less
    pen: float = 0.0  # some strokes half as wide as others, some twice
    tight: float = 0.0  # 0.06 cap of paper between letters, so their boxes overlap
    touching: float = 0.0  # three neighbours in four share ink; pairs always do, here by two pens' width
    broken: float = 0.0  # three gaps a letter, up to 0.12 cap wide
    faint: float = 0.0  # a quarter of the contrast, in patches less
    # what else is on the form
    rules: float = 0.0  # dark lines right through the letters' feet
    dotted: float = 0.0  # the same, dotted
    boxes: float = 0.0  # frames that run through the letters' edges; walls of combs and grids likewise
    captions: float = 0.0  # a printed caption as large as the letters before every line
    neighbours: float = 0.0  # three fifths of the lines above and below reach in at the image's edges
    specks: float = 0.0  # two specks a letter, up to 0.16 cap wide
    staples: float = 0.0  # three staples
    holes: float = 0.0  # punched holes as large as the margin, black
    coloured_ink: float = 0.0  # red, green, light blue or orange
    coloured_form: float = 0.0  # tinted paper and a stronger panel behind each line
    # paper and light
    grain: float = 0.0  # noise with a standard deviation of 20 grey levels, and blotches
    light: float = 0.0  # 70 % less light on one side than on the other
    shadow: float = 0.0  # an edge behind which two thirds of the light are gone
    edge: float = 0.0  # a dark desk on two sides
    chalk: float = 0.0  # light on dark, a third of the contrast
    # camera and scanner
    turned: float = 0.0  # a quarter turn; from a third on upside down; from two thirds on a quarter back
    skew: float = 0.0  # 10°
    curve: float = 0.0  # lines bend by one cap
    blur: float = 0.0  # a Gaussian of 0.14 cap
    resolution: float = 0.0  # capitals of 8 pixels
    jpeg: float = 0.0  # quality 5

    def __post_init__(self) -> None:
        for name, strength in dataclasses.asdict(self).items():
            if not 0 <= strength <= 1:
                raise ValueError(f"the strength of {name} must lie between 0 and 1, not at {strength}")


NONE = Difficulties()

GROUPS: dict[str, tuple[str, ...]] = {
    "Writing": ("size", "baseline", "slant", "pen", "tight", "touching", "broken", "faint"),
    "What else is on the form": (
        *("rules", "dotted", "boxes", "captions", "neighbours", "specks", "staples", "holes"),
        *("coloured_ink", "coloured_form"),
    ),
    "Paper and light": ("grain", "light", "shadow", "edge", "chalk"),
    "Camera and scanner": ("turned", "skew", "curve", "blur", "resolution", "jpeg"),
}

NAMES = tuple(field.name for field in dataclasses.fields(Difficulties))


def chance(seed: int, name: str) -> np.random.Generator:
    """Return a stream of chance of its own, so that one difficulty leaves the others' page as it is."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def at_most(most: Difficulties, seed: int) -> Difficulties:
    """Draw each strength between 0 and its value in `most`; two in five are 0."""
    rng = chance(seed, "strengths")
    return Difficulties(
        **{
            name: float(most_of_it * rng.random() * (rng.random() < 0.6))
            for name, most_of_it in dataclasses.asdict(most).items()
        }
    )
