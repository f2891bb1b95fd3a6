"""Holds the settings of a training in one frozen object, which the model card records."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from lettermill.jobs.inputs.model import NOT_A_LETTER
from lettermill.jobs.settings import DIGITS, LETTERS

LABELS = tuple(LETTERS + DIGITS)
"""The characters that the CNN knows: A–Z, then 0–9."""

CLASSES = (*LABELS, NOT_A_LETTER)
"""The classes of the CNN, in the order of its outputs; the last one is the reject class. A model trained on a
published split has the split's classes instead; its card lists them."""

VALIDATION_SITES, TEST_SITES = ("aga", "uqb"), ("val",)
"""Sites of UNIPEN whose characters no network is trained on, so that others are left to measure on."""

VALIDATION_WRITERS = ("005", "013", "021", "029", "037", "045")
TEST_WRITERS = ("002", "007", "012", "017", "022", "027", "032", "042", "047", "052")
"""Writers of Chars74K who are held out where it trains."""

SPLITS = ("letters", "balanced", "byclass", "bymerge", "digits", "mnist")
"""EMNIST's splits, named as its files are."""


@dataclasses.dataclass(frozen=True, slots=True)
class Augmentation:
    """The strength of the augmentation; lengths are shares of the letter's longer side."""

    rotation_degrees: float = 6.0
    """Standard deviation. Pages are deskewed before they are read, so larger angles are rare."""

    slant: float = 0.2
    """Standard deviation of the horizontal shear: writers lean to both sides."""

    stretch: float = 0.18
    """Standard deviation of the logarithm of width over height."""

    perspective: float = 0.05
    """Standard deviation of each corner's shift."""

    elastic: float = 0.028
    """Standard deviation of the smooth displacement (Simard 2003) on a 5×5 grid."""

    stroke_probability: float = 0.5
    """How often the stroke is made thicker or thinner: between sources, pens differ more than shapes."""

    remnant_probability: float = 0.15
    """How often a remnant of a box or of a neighbouring letter is at one side, as on forms."""

    cut_probability: float = 0.12
    """How often one side is cut off, as in crops that are too tight."""

    deepest_cut: float = 0.22
    """The deepest cut, as a share of the letter's extent."""

    faint_probability: float = 0.05
    """How often the stroke fades in places, as pencil does on rough paper."""

    coarse_probability: float = 0.15
    """How often the glyph passes through a low resolution, half of the time through black and white only."""

    speck_probability: float = 0.05
    """How often a few specks or holes are added."""


@dataclasses.dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Decides, together with the data, which model comes out."""

    seed: int = 7
    """Decides the initial weights, the order of the glyphs and every augmentation."""

    epochs: int = 30
    """The most epochs; the last one within a standard error of the lowest validation loss is kept."""

    patience: int = 10
    """Epochs without a lower validation loss after which training ends. The learning rate falls to 0 with the
    last epoch, and most trainings improve until then: this stops only those that have long gone wrong."""

    glyphs_per_epoch: int = 24_000
    """Glyphs that an epoch draws, so that its time does not depend on the amount of data."""

    batch: int = 256
    """Glyphs per step."""

    learning_rate: float = 4e-3
    """The highest rate: it rises over the first twentieth of the training, then falls to 0 as a cosine."""

    weight_decay: float = 2e-2
    """Weight decay of AdamW, on kernels only."""

    label_smoothing: float = 0.02
    """The sets have 1–4 % wrong labels, which the CNN would learn by heart from hard targets."""

    source_balance: float = 0.5
    """A source's share of a class grows with its count to this power, so that many glyphs of few writers do
    not outweigh few glyphs of many writers."""

    digit_share: float = 0.4
    """How often a digit's class is drawn, relative to a letter's: letters are the task."""

    lower_case_as_capitals: str = "acefikmnopstuvwxyz"
    """Lower-case letters that also train their capital, if they have no class of their own."""

    validation_writers: tuple[str, ...] = (*VALIDATION_SITES, *VALIDATION_WRITERS)
    """Sites of UNIPEN and writers of Chars74K that are validated on."""

    test_writers: tuple[str, ...] = (*TEST_SITES, *TEST_WRITERS)
    """Those that are tested on: no epoch and no setting was chosen with their letters."""

    validate_on: str = ""
    """A whole source to validate on instead of sites and writers; "" for none."""

    test_on: str = ""
    """A whole source to test on instead of sites and writers; "" for none."""

    non_letter_share: float = 0.15
    """Share of a batch that belongs to the reject class, if the CNN has one."""

    split: str = ""
    """The published split of EMNIST that is trained on (`letters`, `balanced`, …); "" for any other data."""

    augmentation: Augmentation = Augmentation()

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain values for the model card."""
        values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return values


FURTHER_SETTINGS = TrainingSettings(epochs=2, glyphs_per_epoch=12_000, learning_rate=3e-4)
"""How a CNN is trained further on a few letters: at a thirteenth of the usual rate, for two short epochs."""
