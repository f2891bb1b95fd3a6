"""The layers of the region network."""

from __future__ import annotations

import numpy as np

from lettermill.segmentation.regions import Region
from lettermill.training.fitting.region_network_layers import SIDE_STEP_PIXELS, build


def test_it_answers_for_blocks_of_four_pixels_of_any_page() -> None:
    model = build()
    for height, width in ((SIDE_STEP_PIXELS, 2 * SIDE_STEP_PIXELS), (96, 64)):
        logits = model(np.full((1, height, width, 1), 255, np.uint8), training=False)
        assert tuple(logits.shape) == (1, height // 4, width // 4, len(Region))


def test_it_is_small() -> None:
    assert build().count_params() == 198_132
