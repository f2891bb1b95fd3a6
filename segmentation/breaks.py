"""Breaks of letters mended: where two ends of strokes point at each other, the ink between is drawn.

A pen that skips and a scanner that drops pixels leave two ends with one direction and one width. An end is
found where the outline turns back within three strokes (after the k-cosine of Rosenfeld and Johnston 1973,
"Angle detection on digital curves"). What is drawn is as wide as the page's stroke.
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

WHOLE = 0.8
"""What is so high in letter heights may be a letter; two such components are never put together here."""

HIGHEST = 1.3
"""Highest letter in letter heights that mending may make."""

LEAST_STROKE = 2.5
"""Pixels: the outline of a thinner stroke has too few points to tell where its end points."""

LEAST_PART = 2.0
"""Longer side in strokes of the least part that has an end: less is a dot."""

WIDEST_BREAK = 0.2
"""Widest break in letter heights: the arms of a C and an E are farther apart."""

LONGEST_BREAK = 3.0
"""Widest break in strokes: ends farther apart tell too little of where the pen went."""

REACH = 1.5
"""Strokes along the outline to either side that tell whether it turns back: a flat end is one wide."""

SHARPEST = -0.1
"""Cosine of the angle at which the outline turns back at an end: a corner of two strokes has 0."""

AGREEMENT = 0.7
"""Cosine of the angle between an end's direction and the way over the break: 35°."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Ends:
    """Ends of strokes: where they are and where they point, float64 n×2 (x, y).

    `owners` numbers the component of each, `whole` says whether that is as high as a letter.
    """

    places: NDArray[np.float64]
    directions: NDArray[np.float64]
    owners: NDArray[np.intp]
    whole: NDArray[np.bool_]


_Bridge = tuple[NDArray[np.float64], NDArray[np.float64]]


def mend_breaks(components: Sequence[Component], sizes: Sizes, ink: Ink) -> tuple[list[Component], Ink]:
    """Draw what is missing between parts of letters.

    Only parts lower than a letter are looked at, with what is near them: two whole letters stay two, and a
    page without broken letters costs next to nothing.

    Args:
        components: of the page.
        sizes: of its letters and strokes.
        ink: what they were found in.

    Returns:
        The components, those with a break between them as one, and the ink with what was drawn.
    """
    if sizes.stroke < LEAST_STROKE:
        return list(components), ink
    widest = min(WIDEST_BREAK * sizes.letter, LONGEST_BREAK * sizes.stroke) + 1
    ends = _ends(components, _near_parts(components, sizes, widest), sizes)
    groups: dict[int, list[int]] = {}
    bridges: dict[int, list[_Bridge]] = {}
    leader = list(range(len(components)))
    for one, other in _facing(ends, widest):
        low, high = sorted((leader[ends.owners[one]], leader[ends.owners[other]]))
        parts = groups.get(low, [low]) + (groups.pop(high, [high]) if high != low else [])
        top, bottom = (
            min(components[part].top for part in parts),
            max(components[part].bottom for part in parts),
        )
        if bottom - top > HIGHEST * sizes.letter:
            continue
        half = sizes.stroke / 2 * ends.directions
        bridge = (ends.places[one] - half[one], ends.places[other] - half[other])
        bridges[low] = [*bridges.get(low, []), *(bridges.pop(high, []) if high != low else []), bridge]
        groups[low] = parts
        for part in parts:
            leader[part] = low
    if not groups:
        return list(components), ink
    mask = ink.mask.copy()
    mended = [
        _drawn(
            join_components([components[part] for part in groups[number]]),
            bridges[number],
            sizes.stroke,
            mask,
        )
        if number in groups
        else component
        for number, component in enumerate(components)
        if leader[number] == number
    ]
    return mended, dataclasses.replace(ink, mask=mask)


def _near_parts(components: Sequence[Component], sizes: Sizes, widest: float) -> list[int]:
    """Which components are lower than a letter, or near one that is; dots and specks have no strokes."""
    boxes = np.array([(p.left, p.top, p.right, p.bottom) for p in components], np.float64).reshape(-1, 4)
    low = np.flatnonzero(
        (boxes[:, 3] - boxes[:, 1] < WHOLE * sizes.letter)
        & (np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) > LEAST_PART * sizes.stroke)
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
    """Pairs of ends that point at each other, each the other's nearest, and not two whole letters."""
    if len(ends.places) < 2:
        return []
    order = np.argsort(ends.places[:, 0], kind="stable")
    x = ends.places[order, 0]
    nearest: dict[int, tuple[float, int]] = {}
    for one in range(len(ends.places)):
        first, last = np.searchsorted(x, ends.places[one, 0] + np.array([-widest, widest]))
        for other in order[first:last].tolist():
            if ends.owners[one] == ends.owners[other] or (ends.whole[one] and ends.whole[other]):
                continue
            across = ends.places[other] - ends.places[one]
            length = float(np.hypot(*across))
            agreed = AGREEMENT * length
            if (
                length <= widest
                and across @ ends.directions[one] >= agreed
                and -across @ ends.directions[other] >= agreed
            ):
                nearest[one] = min(nearest.get(one, (np.inf, -1)), (length, other))
    return [(one, other) for one, (_, other) in nearest.items() if one < other and nearest[other][1] == one]


def _ends(components: Sequence[Component], chosen: Sequence[int], sizes: Sizes) -> _Ends:
    """Find the ends of strokes on the outlines of some components."""
    places: list[NDArray[np.float64]] = []
    directions: list[NDArray[np.float64]] = []
    owners: list[int] = []
    reach = max(2, round(REACH * sizes.stroke))
    for number in chosen:
        outline = components[number].contours[0]
        points = _resampled(outline)
        if len(points) < 2 * reach + 2:
            continue
        before, after = np.roll(points, reach, axis=0) - points, np.roll(points, -reach, axis=0) - points
        lengths = np.hypot(*before.T) * np.hypot(*after.T)
        sharp = (before * after).sum(axis=1) / np.maximum(lengths, 1e-6)
        # Outlines run around their ink, so it lies on one known side; a notch has it on the other.
        convex = before[:, 1] * after[:, 0] - before[:, 0] * after[:, 1]
        sharp = np.where(convex <= 0, sharp, -1.0)
        for index in np.flatnonzero(sharp >= SHARPEST).tolist():
            near = np.take(sharp, range(index - reach, index + reach + 1), mode="wrap")
            if sharp[index] < near.max() or near[:reach].max() == sharp[index]:
                continue
            back = before[index] + after[index]
            out = -back / max(1e-6, float(np.hypot(*back)))
            # In the middle of the stroke, not at a corner of its end.
            places.append(points[index] + back / 2 - (back @ out) / 2 * out)
            directions.append(out)
            owners.append(number)
    whole = [components[number].height >= WHOLE * sizes.letter for number in owners]
    return _Ends(
        np.array(places, np.float64).reshape(-1, 2),
        np.array(directions, np.float64).reshape(-1, 2),
        np.array(owners, np.intp),
        np.array(whole, np.bool_),
    )


def _resampled(outline: NDArray[np.int32]) -> NDArray[np.float64]:
    """Points along a closed outline, about a pixel apart: float64 n×2."""
    corners = outline.reshape(-1, 2).astype(np.float64)
    closed = np.vstack((corners, corners[:1]))
    along = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))))
    steps = np.linspace(0, along[-1], max(1, round(along[-1])), endpoint=False)
    return np.stack([np.interp(steps, along, closed[:, axis]) for axis in (0, 1)], axis=1)


def _drawn(
    component: Component, bridges: Sequence[_Bridge], stroke: float, mask: NDArray[np.uint8]
) -> Component:
    """Draw bridges into the mask, and give the component with them."""
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
