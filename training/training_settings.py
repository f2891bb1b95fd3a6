"""What a training run depends on: one frozen object that the model card records."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from lettermill.jobs.inputs.model import NOT_A_LETTER
from lettermill.jobs.settings import DIGITS, LETTERS

LABELS = tuple(LETTERS + DIGITS)
"""The characters that the CNN knows: A–Z, then 0–9."""

CLASSES = (*LABELS, NOT_A_LETTER)
"""The classes of the CNN, in the order of its outputs. A model of a published split has the
split's classes instead; its card says which."""


SPLITS = ("letters", "balanced", "byclass", "bymerge", "digits", "mnist")
"""EMNIST's splits, by the names that its files have."""


@dataclasses.dataclass(frozen=True, slots=True)
class Augmentation:
    """How far a training glyph may be bent; lengths are shares of the letter's longer side."""

    rotation_degrees: float = 6.0
    """Standard deviation. Pages are deskewed before they are read, so larger angles are rare."""

    slant: float = 0.2
    """Standard deviation of the horizontal shear; writers lean to both sides."""

    stretch: float = 0.18
    """Standard deviation of the logarithm of width against height."""

    perspective: float = 0.05
    """Standard deviation of each corner's shift."""

    elastic: float = 0.028
    """Standard deviation of the smooth displacement (Simard 2003) on a 5×5 grid."""

    stroke_probability: float = 0.5
    """How often the stroke is made thicker or thinner: pens differ more between sources than shapes do."""

    remnant_probability: float = 0.15
    """How often a rest of a box or of a neighbour stands at a side, as on forms."""

    cut_probability: float = 0.12
    """How often one side is cut off, as in crops that are too tight."""

    deepest_cut: float = 0.22
    """The most that a cut takes, as a share of the letter's extent."""

    faint_probability: float = 0.05
    """How often the stroke fades in places, as pencil does on rough paper."""

    coarse_probability: float = 0.15
    """How often the glyph passes through a low resolution, half of these through two levels only."""

    speck_probability: float = 0.05
    """How often a few specks are added or holes are punched."""


@dataclasses.dataclass(frozen=True, slots=True)
class TrainingSettings:
    """What decides, together with the data, which model comes out."""

    seed: int = 7
    """Of the initial weights, of the order of glyphs and of every augmentation."""

    epochs: int = 30
    """At most; the last that is within a standard error of the lowest validation loss is kept."""

    patience: int = 10
    """After so many epochs without a lower validation loss the training ends. The learning rate falls to 0
    with the last epoch, and most runs improve until then: this stops those that have long gone wrong."""

    glyphs_per_epoch: int = 24_000
    """An epoch is a draw of this many, so that its time does not depend on how much data there is."""

    batch: int = 128
    """Glyphs a step."""

    learning_rate: float = 3e-3
    """The highest; it rises over the first twentieth of the run and falls to 0 as a cosine."""

    weight_decay: float = 2e-2
    """Of AdamW, on kernels only."""

    label_smoothing: float = 0.05
    """The sets hold 1–4 % wrong labels, which a hard target would make the CNN learn by heart."""

    source_balance: float = 0.5
    """A source's share of a class grows with its count to this power, so that few glyphs of many
    writers are not drowned by many glyphs of few writers."""

    digit_share: float = 0.4
    """How often a digit's class is drawn against a letter's; letters are the task."""

    lower_case_as_capitals: str = "acefikmnopstuvwxyz"
    """Lower-case labels whose shapes also train the capital, where they have no class of their own."""

    validation_writers: tuple[str, ...] = ("005", "013", "021", "029", "037", "045")
    """Writers of Chars74K that watch the training."""

    test_writers: tuple[str, ...] = ("002", "007", "012", "017", "022", "027", "032", "042", "047", "052")
    """Writers of Chars74K that choose nothing: neither an epoch nor a setting has seen them."""

    validate_on: str = ""
    """A whole source to validate on instead of writers of Chars74K."""

    test_on: str = ""
    """A whole source to test on instead of writers of Chars74K."""

    non_letter_share: float = 0.15
    """How much of a batch is no letter, where the CNN has an output for that."""

    split: str = ""
    """EMNIST's published split that the run is about (`letters`, `balanced`, …); empty for any other data."""

    augmentation: Augmentation = Augmentation()

    def to_json(self) -> dict[str, Any]:
        """Return plain values for the model card."""
        values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return values
