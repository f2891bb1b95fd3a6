"""Mends broken strokes: draws the ink between two stroke ends that point at each other.

A pen that skips and a scanner that drops pixels leave two ends with one direction and one width. An end is
found where the outline turns back within three strokes (after the k-cosine of Rosenfeld and Johnston 1973,
"Angle detection on digital curves"). The drawn ink is as wide as the page's stroke.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.components import (
    Component,
    Sizes,
    draw_component,
    find_components,
    join_components,
)
from lettermill.segmentation.values import Ink

WHOLE_LETTERS = 0.8
"""Height from which a component may be a whole letter; two whole letters are never joined here."""

HIGHEST_LETTERS = 1.3
"""Highest letter that mending may make."""

LEAST_STROKE_PIXELS = 2.5
"""Thinnest stroke: the outline of a thinner one has too few points to show where its end points."""

LEAST_PART_STROKES = 2.0
"""Longer side of the smallest part that has an end: a smaller one is a dot."""

WIDEST_BREAK_LETTERS = 0.2
"""Widest break: the arms of a C and an E are farther apart."""

WIDEST_BREAK_STROKES = 3.0
"""Widest break: ends farther apart do not show well where the pen went."""

REACH_STROKES = 1.5
"""Distance along the outline to either side at which it has turned back: a flat end is one stroke wide."""

LEAST_TURN_COSINE = -0.1
"""Cosine of the angle at which the outline turns back at an end: a corner of two strokes has 0."""

LEAST_AGREEMENT_COSINE = 0.7
"""Cosine of the angle between an end's direction and the way over the break: about 45°."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Ends:
    """Ends of strokes.

    Attributes:
        places: float64, n×2 (x, y), where they are.
        directions: float64, n×2, unit vectors along which they point.
        owners: intp, n, the number of each end's component.
        whole: bool, n, whether that component is as high as a letter.
    """

    places: NDArray[np.float64]
    directions: NDArray[np.float64]
    owners: NDArray[np.intp]
    whole: NDArray[np.bool_]


_Bridge = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Two points, float64 (x, y), between which ink is drawn."""


def mend_breaks(components: Sequence[Component], sizes: Sizes, ink: Ink) -> tuple[list[Component], Ink]:
    """Draw what is missing between parts of letters.

    Examines only parts lower than a letter and what is near them: two whole letters stay two, and a page
    without broken letters costs next to nothing.

    Args:
        components: of the page.
        sizes: of its letters and strokes.
        ink: the foreground mask in which they were found.

    Returns:
        The components, with those joined that had a break between them, and the ink with what was drawn.
    """
    if sizes.stroke < LEAST_STROKE_PIXELS:
        return list(components), ink
    widest = min(WIDEST_BREAK_LETTERS * sizes.letter, WIDEST_BREAK_STROKES * sizes.stroke) + 1
    ends = _ends(components, _near_parts(components, sizes, widest), sizes)
    groups, bridges, leader = _grouped(components, ends, _facing(ends, widest), sizes)
    if not groups:
        return list(components), ink

    mask = ink.mask.copy()
    mended = []
    for number, component in enumerate(components):
        if number in groups:
            whole = join_components([components[part] for part in groups[number]])
            mended.append(_drawn(whole, bridges[number], sizes.stroke, mask))
        elif leader[number] == number:
            mended.append(component)
    return mended, dataclasses.replace(ink, mask=mask)


def _grouped(
    components: Sequence[Component], ends: _Ends, facing: Sequence[tuple[int, int]], sizes: Sizes
) -> tuple[dict[int, list[int]], dict[int, list[_Bridge]], list[int]]:
    """Group components whose ends face each other, unless the letter would be too high.

    Returns:
        By the group's lowest number: the numbers of its components, and its bridges; and for each component
        the lowest number of its group, its own if it is in none.
    """
    groups: dict[int, list[int]] = {}
    bridges: dict[int, list[_Bridge]] = {}
    leader = list(range(len(components)))
    for one, other in facing:
        low, high = sorted((leader[ends.owners[one]], leader[ends.owners[other]]))
        parts = groups.get(low, [low]) + (groups.get(high, [high]) if high != low else [])
        top = min(components[part].top for part in parts)
        bottom = max(components[part].bottom for part in parts)
        if bottom - top > HIGHEST_LETTERS * sizes.letter:
            continue

        half = sizes.stroke / 2 * ends.directions
        bridge = (ends.places[one] - half[one], ends.places[other] - half[other])
        bridges[low] = [*bridges.get(low, []), *(bridges.pop(high, []) if high != low else []), bridge]
        if high != low:
            groups.pop(high, None)
        groups[low] = parts
        for part in parts:
            leader[part] = low
    return groups, bridges, leader


def _near_parts(components: Sequence[Component], sizes: Sizes, widest: float) -> list[int]:
    """Numbers of the components lower than a letter and of those near one; dots have no strokes."""
    boxes = np.array([(p.left, p.top, p.right, p.bottom) for p in components], np.float64).reshape(-1, 4)
    low = np.flatnonzero(
        (boxes[:, 3] - boxes[:, 1] < WHOLE_LETTERS * sizes.letter)
        & (
            np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
            > LEAST_PART_STROKES * sizes.stroke
        )
    )
    chosen = np.zeros(len(components), np.bool_)
    for number in low.tolist():
        left, top, right, bottom = boxes[number]
        near = (
            (boxes[:, 0] < right + widest)
            & (boxes[:, 2] > left - widest)
            & (boxes[:, 1] < bottom + widest)
            & (boxes[:, 3] > top - widest)
        )
        if near.sum() > 1:
            chosen |= near
    return [int(number) for number in np.flatnonzero(chosen)]


def _facing(ends: _Ends, widest: float) -> list[tuple[int, int]]:
    """Pairs of ends that point at each other, each the other's nearest, and not of two whole letters."""
    if len(ends.places) < 2:
        return []
    order = np.argsort(ends.places[:, 0], kind="stable")
    x = ends.places[order, 0]
    nearest: dict[int, tuple[float, int]] = {}
    for one in range(len(ends.places)):
        first, last = np.searchsorted(x, ends.places[one, 0] + np.array([-widest, widest]))
        others = order[first:last]
        near = (
            (np.abs(ends.places[others, 1] - ends.places[one, 1]) <= widest)
            & (ends.owners[others] != ends.owners[one])
            & ~(ends.whole[others] & ends.whole[one])
        )
        for other in others[near].tolist():
            across = ends.places[other] - ends.places[one]
            length = float(np.hypot(*across))
            agreed = LEAST_AGREEMENT_COSINE * length
            if (
                length <= widest
                and across @ ends.directions[one] >= agreed
                and -across @ ends.directions[other] >= agreed
            ):
                nearest[one] = min(nearest.get(one, (np.inf, -1)), (length, other))
    return [(one, other) for one, (_, other) in nearest.items() if one < other and nearest[other][1] == one]


def _ends(components: Sequence[Component], chosen: Sequence[int], sizes: Sizes) -> _Ends:
    """Find the ends of strokes on the outlines of the chosen components."""
    places: list[NDArray[np.float64]] = []
    directions: list[NDArray[np.float64]] = []
    owners: list[int] = []
    reach = max(2, round(REACH_STROKES * sizes.stroke))
    for number in chosen:
        outline = components[number].contours[0]
        points = _resampled(outline)
        if len(points) < 2 * reach + 2:
            continue
        before, after = np.roll(points, reach, axis=0) - points, np.roll(points, -reach, axis=0) - points
        lengths = np.hypot(*before.T) * np.hypot(*after.T)
        sharp = (before * after).sum(axis=1) / np.maximum(lengths, 1e-6)
        # Outlines run around their ink, so it is on a known side; at a notch it is on the other.
        convex = before[:, 1] * after[:, 0] - before[:, 0] * after[:, 1]
        sharp = np.where(convex <= 0, sharp, -1.0)
        for index in np.flatnonzero(sharp >= LEAST_TURN_COSINE).tolist():
            near = np.take(sharp, range(index - reach, index + reach + 1), mode="wrap")
            if sharp[index] < near.max() or near[:reach].max() == sharp[index]:
                continue
            back = before[index] + after[index]
            out = -back / max(1e-6, float(np.hypot(*back)))
            # The middle of the stroke, not a corner of its end.
            places.append(points[index] + back / 2 - (back @ out) / 2 * out)
            directions.append(out)
            owners.append(number)

    whole = [components[number].height >= WHOLE_LETTERS * sizes.letter for number in owners]
    return _Ends(
        np.array(places, np.float64).reshape(-1, 2),
        np.array(directions, np.float64).reshape(-1, 2),
        np.array(owners, np.intp),
        np.array(whole, np.bool_),
    )


def _resampled(outline: NDArray[np.int32]) -> NDArray[np.float64]:
    """Points along a closed outline, about a pixel apart: float64, n×2."""
    corners = outline.reshape(-1, 2).astype(np.float64)
    closed = np.vstack((corners, corners[:1]))
    along = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))))
    steps = np.linspace(0, along[-1], max(1, round(along[-1])), endpoint=False)
    return np.stack([np.interp(steps, along, closed[:, axis]) for axis in (0, 1)], axis=1)


def _drawn(
    component: Component, bridges: Sequence[_Bridge], stroke: float, mask: NDArray[np.uint8]
) -> Component:
    """Draw bridges into the mask, and return the component that includes them."""
    margin = round(stroke) + 1
    left, top = max(0, component.left - margin), max(0, component.top - margin)
    place = mask[top : component.bottom + margin, left : component.right + margin]
    drawing = np.zeros(place.shape, np.uint8)
    width = max(1, round(stroke))
    for one, other in bridges:
        ends = [tuple(np.rint(16 * (end - (left, top))).astype(int).tolist()) for end in (one, other)]
        cv2.line(drawing, ends[0], ends[1], 255, width, cv2.LINE_AA, shift=4)
    np.maximum(place, drawing, out=place)
    own = draw_component(component, left, top, place.shape[1], place.shape[0])
    found = find_components(np.maximum(own, drawing))
    if not found:
        return component
    whole = join_components(found)
    moved = tuple(contour + np.array([left, top], np.int32) for contour in whole.contours)
    return dataclasses.replace(
        whole,
        left=whole.left + left,
        top=whole.top + top,
        right=whole.right + left,
        bottom=whole.bottom + top,
        contours=moved,
    )
