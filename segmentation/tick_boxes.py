"""Finds closed squares of four straight walls, and tells tick boxes from cells that hold a letter.

A square no larger than the page's letters is a tick box: it is dropped together with its tick, whether that
touches or crosses the walls. A letter is written into a larger square, or into one of a row of them, a cell:
only the walls are dropped. No hand draws an O, a D or an 8 whose four sides are straight up to all four
corners, nor an O as round as a printed circle.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.components import Component, Sizes, draw_component, find_components
from lettermill.segmentation.trace import UNSEEN, Trace
from lettermill.segmentation.values import Box

LEAST_SIDE_LETTERS, LARGEST_SIDE_LETTERS = 0.55, 3.5
"""Sides of a square; larger boxes are form lines."""

LEAST_CROSSED_LETTERS = 0.8
"""Least side of a square that something sticks out of: smaller ones are loops of an 8 or a 9."""

LEAST_WHOLE_SHARE = 0.75
"""Share of its component's height and width that a square has if nothing sticks out."""

LARGEST_TICK_BOX_LETTERS = 1.4
"""Side of the largest tick box: a letter with room around it needs more."""

LEAST_HOLE_SHARE = 0.15
"""Share of its component's box that is within a square, even if a tick leaves it on all sides."""

TICK_PROBABILITY = 0.4
"""Probability that what is written in a lone cell is a tick: a V or an X there is flagged."""

THICKEST_WALL_LETTERS = 0.25
"""Widest wall, and how far it may rise or fall along its length."""

LEAST_SIDE_PIXELS = 18
"""Smallest square: of fewer pixels a round letter is a square."""

LEAST_RUN_LETTERS = 0.4
"""Length of the straight runs that walls are made of."""

LONG_RUN_SHARE = 0.7
"""Length of the runs that are looked for first, as a share of the component's shorter side."""

CORNER_SHARE, BEYOND_SHARE = 0.12, 0.3
"""How far before or behind its corner a wall may end, as a share of the side: a round letter is straight for
less, and a tick that crosses a corner makes a wall look longer."""

SHARP_SHARE = 0.07
"""Distance of ink from a corner across and down, as a share of the side; a circle leaves twice as much."""

STRAIGHT_SHARE, LEAST_STRAIGHT_SHARE = 0.02, 0.85
"""How far a wall may leave a straight line, as a share of the side, and for how much of it at least."""

BEYOND_PIXELS, MOST_BEYOND_SHARE = 2, 0.25
"""Distance beyond a wall at which there is paper, and the share of it that a tick may cover."""

BOLDEST_SHARE = 0.2
"""Widest stroke of a box as a share of its side: bold letters look square."""

SQUARE_RATIO = 1.3
"""Longer side of a square divided by the shorter, at most."""

WIDEST_CELL_GAP_SHARE, UNEVEN_CELLS_SHARE = 0.6, 0.2
"""Gap between cells of one row, and how far they may differ in height and place, as shares of the side."""

ROUND_SHARE = 0.026
"""Deviation of a circle's radius as a share of it; of 3,600 letters O of NIST none is below 0.038."""

CIRCLE_GAP_LETTERS = 0.6
"""Paper beside a circle to tick; the letters of a word are nearer to an O."""

EVEN_CIRCLES_SHARE = 0.08
"""How much circles to tick may differ in size."""

CIRCLE_RATIO = 1.15
"""Longer side of a circle divided by the shorter, at most: the camera looks at it from the side."""

_Wall = tuple[int, int, int, int]
"""First and last column, first and last row of a straight level wall."""


def drop_boxes(
    components: Sequence[Component], sizes: Sizes, trace: Trace = UNSEEN
) -> tuple[list[Component], list[Box]]:
    """Drop tick boxes with their ticks, circles to tick, and the walls of cells.

    Args:
        components: of the page.
        sizes: of its letters and strokes.
        trace: receives what is dropped.

    Returns:
        The other components, and what touched the walls of cells; and the cells that have none beside them,
        so that a tick in them looks like a letter.
    """
    squares = [_find_square(component, sizes.letter) for component in components]
    found = [square for square in squares if square]
    lone = [square for square in found if not any(_are_beside(square, other) for other in found)]
    largest = LARGEST_TICK_BOX_LETTERS * sizes.letter
    tick_boxes = [square for square in lone if max(square.width, square.height) <= largest]
    tick_boxes += _circles_to_tick(components, sizes.letter)

    kept: list[Component] = []
    dropped: list[Component] = []
    for component, square in zip(components, squares, strict=True):
        if any(is_inside(component, box) for box in tick_boxes) or square in tick_boxes:
            dropped.append(component)
        elif square:
            dropped.append(component)
            kept += _without_walls(component, square, sizes.letter)
        else:
            kept.append(component)
    trace.note("left out", dropped, "boxes")
    return kept, [square for square in lone if square not in tick_boxes]


def _are_beside(square: Box, other: Box) -> bool:
    """Whether two squares are cells of one row."""
    side = max(square.width, square.height)
    gap = max(square.x - other.x - other.width, other.x - square.x - square.width)
    return (
        square is not other
        and abs(square.height - other.height) <= UNEVEN_CELLS_SHARE * side
        and abs(square.y - other.y) <= UNEVEN_CELLS_SHARE * side
        and gap <= WIDEST_CELL_GAP_SHARE * side
    )


def _circles_to_tick(components: Sequence[Component], letter: float) -> list[Box]:
    """Circles away from letters, of which at least two are of one size: an O has letters beside it."""
    circles = [one for one in components if _is_circle(one, letter)]
    if len(circles) < 2:
        return []
    edges = np.array([(one.left, one.top, one.right, one.bottom) for one in components])
    boxes = [
        Box(one.left, one.top, one.width, one.height)
        for one in circles
        if not _has_neighbour(one, edges, letter)
    ]
    same = EVEN_CIRCLES_SHARE
    return [
        box
        for box in boxes
        if any(abs(box.height - other.height) <= same * box.height for other in boxes if other is not box)
    ]


def _has_neighbour(circle: Component, edges: NDArray[np.int64], letter: float) -> bool:
    """Whether a component is so near beside a circle that both are letters of a word.

    Args:
        circle: the circle.
        edges: int64, n×4: left, top, right and bottom of all components.
        letter: height of a letter in pixels.
    """
    left, top, right, bottom = edges.T
    gap = np.maximum(circle.left - right, left - circle.right)
    overlap = np.minimum(circle.bottom, bottom) - np.maximum(circle.top, top)
    return bool(((gap >= 0) & (gap < CIRCLE_GAP_LETTERS * letter) & (overlap > 0)).any())


def _is_circle(component: Component, letter: float) -> bool:
    """Whether a component is a circle rounder than a hand draws an O."""
    low, high = sorted((component.width, component.height))
    if len(component.contours) < 2 or low < max(LEAST_SIDE_PIXELS, LEAST_SIDE_LETTERS * letter):
        return False
    if high > LARGEST_TICK_BOX_LETTERS * letter or high > CIRCLE_RATIO * low:
        return False
    outline = np.zeros((component.height, component.width), np.uint8)
    cv2.drawContours(outline, component.contours[:1], 0, 255, 1, offset=(-component.left, -component.top))
    points = np.argwhere(outline).astype(np.float64)
    radii = np.hypot(*(points - points.mean(axis=0)).T)
    return bool(radii.std() <= ROUND_SHARE * radii.mean())


def is_inside(component: Component, box: Box) -> bool:
    """Whether the middle of a component lies in a box."""
    x, y = (component.left + component.right) / 2, (component.top + component.bottom) / 2
    return box.x <= x <= box.x + box.width and box.y <= y <= box.y + box.height


def _find_square(component: Component, letter: float) -> Box | None:
    """The square of four straight walls in a component, in pixels of the ink frame; None without one."""
    least = max(LEAST_SIDE_PIXELS, LEAST_SIDE_LETTERS * letter)
    if len(component.contours) < 2 or min(component.width, component.height) < least:
        return None
    if max(component.width, component.height) > 2 * LARGEST_SIDE_LETTERS * letter:
        return None
    holes = sum([cv2.contourArea(contour) for contour in component.contours[1:]])
    if holes < LEAST_HOLE_SHARE * component.width * component.height:
        return None
    margin = BEYOND_PIXELS
    ink = draw_component(
        component,
        component.left - margin,
        component.top - margin,
        component.width + 2 * margin,
        component.height + 2 * margin,
    )
    # Long runs are the walls alone; short ones fit a square that a tick makes a small part of its component.
    for length in (LONG_RUN_SHARE * min(component.width, component.height), LEAST_RUN_LETTERS * letter):
        level = _level_walls(ink, round(length), letter)
        if len(level) < 2:
            continue
        turned = _level_walls(ink.T.copy(), round(length), letter)
        upright = [(top, bottom, left, right) for left, right, top, bottom in turned]
        for top, bottom in itertools.combinations(sorted(level, key=lambda wall: wall[2]), 2):
            for left, right in itertools.combinations(sorted(upright), 2):
                x, y, width, height = left[0], top[2], right[1] + 1 - left[0], bottom[3] + 1 - top[2]
                is_whole = min(width / component.width, height / component.height) >= LEAST_WHOLE_SHARE
                side = min(width, height)
                if side < (least if is_whole else LEAST_CROSSED_LETTERS * letter):
                    continue
                if component.stroke > BOLDEST_SHARE * side:
                    continue
                if _is_square(top, bottom, left, right) and _is_sharp(ink, top, bottom, left, right):
                    return Box(component.left - margin + x, component.top - margin + y, width, height)
    return None


def _level_walls(ink: NDArray[np.uint8], length: int, letter: float) -> list[_Wall]:
    """Find straight level strokes that are as long as `length` pixels."""
    # A wall that is a pixel thin and falls a little continues in the next row.
    thicker = cv2.dilate(ink, np.ones((3, 1), np.uint8))
    runs = cv2.morphologyEx(thicker, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    contours, _ = cv2.findContours(runs, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    boxes = [cv2.boundingRect(contour) for contour in contours]
    thickest = THICKEST_WALL_LETTERS * letter + 2
    return [(x, x + width - 1, y + 1, y + height - 2) for x, y, width, height in boxes if height <= thickest]


def _is_square(top: _Wall, bottom: _Wall, left: _Wall, right: _Wall) -> bool:
    """Whether four walls are the sides of a square: each ends where the next ones begin."""
    width, height = right[1] - left[0] + 1, bottom[3] - top[2] + 1
    if max(width, height) > SQUARE_RATIO * min(width, height):
        return False
    side = min(width, height)
    ends = (
        *((left[0] - wall[0], wall[1] - right[1]) for wall in (top, bottom)),
        *((top[2] - wall[2], wall[3] - bottom[3]) for wall in (left, right)),
    )
    before, beyond = max(2.0, CORNER_SHARE * side), BEYOND_SHARE * side
    return all(-before <= end <= beyond for pair in ends for end in pair)


def _is_sharp(ink: NDArray[np.uint8], top: _Wall, bottom: _Wall, left: _Wall, right: _Wall) -> bool:
    """Whether ink reaches all four corners of a square, and its outer edges are straight between them."""
    x, y, last_x, last_y = left[0], top[2], right[1], bottom[3]
    side = min(last_x - x, last_y - y)
    reach = max(1, round(SHARP_SHARE * side))
    for across, down in itertools.product((x, last_x), (y, last_y)):
        corner = np.s_[max(0, down - reach) : down + reach + 1, max(0, across - reach) : across + reach + 1]
        if not ink[corner].any():
            return False
    beyond = (
        ink[y - BEYOND_PIXELS, x : last_x + 1],
        ink[last_y + BEYOND_PIXELS, x : last_x + 1],
        ink[y : last_y + 1, x - BEYOND_PIXELS],
        ink[y : last_y + 1, last_x + BEYOND_PIXELS],
    )
    if any((line > 0).mean() > MOST_BEYOND_SHARE for line in beyond):
        return False
    square = ink[y : last_y + 1, x : last_x + 1]
    straight = [_is_straight(turned, side) for turned in (square, square[::-1], square.T, square.T[::-1])]
    return all(straight)


def _is_straight(square: NDArray[np.uint8], side: int) -> bool:
    """Whether the upper edge of a square's ink is straight, but for what crosses it."""
    corner = max(1, round(CORNER_SHARE * side))
    depth = square[:, corner:-corner].argmax(axis=0).astype(np.float64)
    third = max(1, len(depth) // 3)
    ends = float(np.median(depth[:third])), float(np.median(depth[-third:]))
    places = (np.arange(len(depth)) - (third - 1) / 2) / max(1, len(depth) - third)
    away = np.abs(depth - ends[0] - places * (ends[1] - ends[0]))
    return bool((away <= max(1.0, STRAIGHT_SHARE * side)).mean() >= LEAST_STRAIGHT_SHARE)


def _without_walls(component: Component, square: Box, letter: float) -> Iterator[Component]:
    """The ink of a component that is left without the four walls of its square."""
    ink = draw_component(component, component.left, component.top, component.width, component.height)
    wall = round(THICKEST_WALL_LETTERS * letter)
    x, y = square.x - component.left, square.y - component.top
    inner = np.zeros_like(ink)
    inside = slice(y + wall, y + square.height - wall), slice(x + wall, x + square.width - wall)
    inner[inside] = ink[inside]
    for part in find_components(inner):
        yield replace(
            part,
            left=part.left + component.left,
            top=part.top + component.top,
            right=part.right + component.left,
            bottom=part.bottom + component.top,
            contours=tuple(
                contour + np.array([component.left, component.top], np.int32) for contour in part.contours
            ),
        )
