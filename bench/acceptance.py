"""What can be accepted unseen: of a set of images that were read, and of their letters."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein


class ReadImage(NamedTuple):
    """An image that was read.

    Attributes:
        truth: the characters that are written there.
        read: those that were read.
        confidences: of the characters that were read.
        flagged: which of them are flagged.
    """

    truth: str
    read: str
    confidences: tuple[float, ...]
    flagged: tuple[bool, ...]


def share_accepted(images: Sequence[ReadImage], rate: float) -> float:
    """Return the largest share of images that can be accepted unseen with at least a rate of them right.

    Images are accepted in order of their least confidence, those of the same confidence together. One is
    right if all of it is; one without letters is never accepted.
    """
    ranked = sorted(
        ((min(one.confidences), one.read == one.truth) for one in images if one.read), reverse=True
    )
    accepted = count = right = 0
    for _, group in itertools.groupby(ranked, key=lambda one: one[0]):
        of_group = [is_right for _, is_right in group]
        count, right = count + len(of_group), right + sum(of_group)
        if right >= rate * count:
            accepted = count
    return accepted / len(images) if images else 0.0


class Unflagged(NamedTuple):
    """What nobody looks at.

    Attributes:
        letters: how many letters were read.
        unflagged: how many of them are not flagged.
        right: how many of these are right.
        missed: letters of the truth that were not read, with no flagged letter beside their place.
    """

    letters: int
    unflagged: int
    right: int
    missed: int

    @property
    def accuracy(self) -> float:
        """Share of the unflagged letters that is right, each missed letter counted as one that is wrong."""
        return self.right / max(1, self.unflagged + self.missed)


def count_unflagged(images: Iterable[ReadImage]) -> Unflagged:
    """Count the unflagged letters of images. All letters of an image that was read as empty are missed."""
    total = Unflagged(0, 0, 0, 0)
    for image in images:
        total = Unflagged(*map(sum, zip(total, _count_one(image), strict=True)))
    return total


def _count_one(image: ReadImage) -> Unflagged:
    right = missed = 0
    for step in Levenshtein.opcodes(image.read, image.truth):
        if step.tag == "equal":
            right += image.flagged[step.src_start : step.src_end].count(False)
        elif step.tag == "insert" and not any(image.flagged[max(0, step.src_start - 1) : step.src_start + 1]):
            missed += step.dest_end - step.dest_start
    return Unflagged(len(image.read), image.flagged.count(False), right, missed)
