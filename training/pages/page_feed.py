"""Feeds the training of the region network: processes make pages, a pool keeps crops of them."""

from __future__ import annotations

import dataclasses
import multiprocessing as mp
import os
import queue
import signal
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData
from lettermill.segmentation.region_image import REGION_SIDE_PIXELS, REGION_STEP_PIXELS, stretch_contrast
from lettermill.training.pages.made_pages import PageMaker
from lettermill.training.pages.page_scanning import scan_page
from lettermill.training.pages.page_sources import PageSources, load_page_sources

Array = NDArray[np.uint8]

CROP_PIXELS = 384
"""Side of the squares that are trained on."""

_CROPS_OF_PAGE = 6
_POOL_CROPS = 2400
_FIRST_CROPS = 48
_TURNED_SHARE = 0.15
_MOST_WAITING = 16
_ASK_SECONDS = 1.0


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class PageCrop:
    """A square of a page.

    Attributes:
        image: uint8, 384×384, as `region_image` makes it.
        shares: uint8, 4×96×96: how much ink of each region the blocks of 4×4 pixels hold.
    """

    image: Array
    shares: Array


def make_crops(maker: PageMaker, sources: PageSources, rng: np.random.Generator) -> list[PageCrop]:
    """Make a page and cut some squares out of it."""
    short = int(REGION_SIDE_PIXELS * rng.uniform(0.5, 0.85))
    height, width = (REGION_SIDE_PIXELS, short) if rng.random() < 0.8 else (short, REGION_SIDE_PIXELS)
    scanned = scan_page(maker.page(height, width), sources.pictures, rng)
    image = stretch_contrast(scanned.image)
    quarters = int(rng.integers(1, 4)) if rng.random() < _TURNED_SHARE else 0
    crops = []
    for _ in range(_CROPS_OF_PAGE):
        y, x = int(rng.integers(height - CROP_PIXELS + 1)), int(rng.integers(width - CROP_PIXELS + 1))
        square = np.s_[y : y + CROP_PIXELS, x : x + CROP_PIXELS]
        shares = block_shares(scanned.ink[(slice(None), *square)])
        crops.append(
            PageCrop(
                np.ascontiguousarray(np.rot90(image[square], quarters)),
                np.ascontiguousarray(np.rot90(shares, quarters, axes=(1, 2))),
            )
        )
    return crops


def block_shares(ink: Array) -> Array:
    """Return how much ink of each region the blocks of 4×4 pixels hold: uint8, 4×h/4×w/4."""
    height, width = (side // REGION_STEP_PIXELS for side in ink.shape[1:])
    return np.stack(
        [
            np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
            for plane in ink
        ]
    )


class PageFeed:
    """A pool of crops that another process renews.

    Args:
        folders: what pages are made from, as for `load_page_sources`.
        seed: decides the pages.
        first_crops: how many crops there are before the first batch.
    """

    def __init__(self, folders: Sequence[Path], seed: int, first_crops: int = _FIRST_CROPS) -> None:
        load_page_sources(folders)  # Bad folders are said here, not in the other process.
        context = mp.get_context("spawn")
        self._queue: Any = context.Queue(_MOST_WAITING)
        self._process = context.Process(
            target=_make_pages, args=(folders, seed, self._queue, os.getpid()), daemon=True
        )
        self._process.start()
        self._rng = np.random.default_rng(seed)
        self._pool: list[PageCrop] = []
        self._at = 0
        self._first_crops = first_crops
        self.pages = 0

    def __enter__(self) -> PageFeed:
        while len(self._pool) < self._first_crops:
            self._take(wait=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.join()
        self._queue.cancel_join_thread()
        self._queue.close()

    @property
    def is_alive(self) -> bool:
        """Whether pages are being made."""
        return bool(self._process.is_alive())

    def batch(self, count: int) -> tuple[Array, Array]:
        """Draw crops: uint8 n×384×384×1 and uint8 n×96×96×4."""
        while self._take(wait=False):
            pass
        chosen = [self._pool[int(one)] for one in self._rng.integers(len(self._pool), size=count)]
        images = np.stack([crop.image for crop in chosen])[..., None]
        shares = np.stack([crop.shares for crop in chosen]).transpose(0, 2, 3, 1)
        return images, np.ascontiguousarray(shares)

    def _take(self, wait: bool) -> bool:
        """Put the crops of a page into the pool; return whether there were any."""
        while True:
            try:
                crops = self._queue.get(timeout=_ASK_SECONDS) if wait else self._queue.get_nowait()
                break
            except queue.Empty:
                if not self._process.is_alive():
                    raise BadData(
                        "the process that makes pages has ended", "See its message above."
                    ) from None
                if not wait:
                    return False
        self.pages += 1
        for crop in crops:
            if len(self._pool) < _POOL_CROPS:
                self._pool.append(crop)
            else:
                self._pool[self._at] = crop
                self._at = (self._at + 1) % _POOL_CROPS
        return True


def _make_pages(folders: Sequence[Path], seed: int, pages: Any, parent: int) -> None:
    """Make pages until the parent ends this process, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process.
    cv2.setNumThreads(1)
    sources = load_page_sources(folders)
    rng = np.random.default_rng(seed + 1)
    maker = PageMaker(sources, rng)
    while True:
        crops = make_crops(maker, sources, rng)
        while True:
            if os.getppid() != parent:
                pages.cancel_join_thread()
                return
            try:
                pages.put(crops, timeout=_ASK_SECONDS)
                break
            except queue.Full:
                continue
