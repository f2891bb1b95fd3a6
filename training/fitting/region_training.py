"""Trains the region network on made pages: `python -m lettermill.training.fitting.region_training`."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

from lettermill.jobs.inputs.model import REGION_FILE
from lettermill.segmentation.regions import Region
from lettermill.training.fitting.network_weights import read_weights, weights_file
from lettermill.training.fitting.region_network_layers import build
from lettermill.training.pages.page_feed import PageFeed

# Read when TensorFlow is imported, which happens inside the functions below.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

_BATCH_CROPS = 8
_LEARNING_RATE, _LAST_RATE_SHARE, _WARM_UP_STEPS = 4e-3, 0.01, 100
_WEIGHT_DECAY, _CLIP_NORM = 0.01, 5.0
_CHECKPOINT_SECONDS, _REPORT_SECONDS = 180.0, 60.0
_FULL_INK = 64.0
"""Ink of a block, of 255, from which it counts fully."""

_AREA_WEIGHT = 0.15
"""Weight of a block that is all ink: large areas are easy, and would outweigh strokes."""

_WRITING_WEIGHT = 2.0
"""Weight of a block with writing: writing that is lost is worse than print that is kept."""


def loss_weights(shares: Any) -> Any:
    """Return the weight of each block: float32, n×h×w; 0 for paper, less for areas, more for writing."""
    import tensorflow as tf

    amounts = tf.cast(shares, tf.float32)
    total = tf.reduce_max(amounts, axis=-1)
    weights = tf.where(total >= 250, _AREA_WEIGHT, tf.minimum(1.0, total / _FULL_INK))
    has_writing = amounts[..., Region.WRITING] > 0.25 * total
    return tf.where(has_writing, _WRITING_WEIGHT * weights, weights)


def train(
    folders: list[Path], out: Path, minutes: float, seed: int = 7, start: Path | None = None
) -> dict[str, Any]:
    """Train the region network for some minutes and write its weights.

    Args:
        folders: what pages are made from.
        out: the file of weights to write, `….weights.h5`; it is written every three minutes, too.
        minutes: how long; the learning rate falls as a cosine until then.
        seed: decides the pages and the initial weights.
        start: a model folder; its weights are the first ones.

    Returns:
        Steps, crops and pages trained on, and the mean loss of the last minute.
    """
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    model = build()
    if start is not None:
        read_weights(model, start / weights_file(REGION_FILE))
    optimizer = keras.optimizers.AdamW(_LEARNING_RATE, weight_decay=_WEIGHT_DECAY, clipnorm=_CLIP_NORM)
    optimizer.build(model.trainable_variables)

    def learn(images: Any, shares: Any) -> Any:
        targets = tf.cast(shares, tf.float32)
        targets /= tf.maximum(1.0, tf.reduce_sum(targets, axis=-1, keepdims=True))
        weights = loss_weights(shares)
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits) * weights
            loss = tf.reduce_sum(losses) / (tf.reduce_sum(weights) + 1.0)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    step = tf.function(learn)
    steps, losses = 0, []
    mean = math.nan
    with PageFeed(folders, seed) as feed:
        started = reported = saved = time.monotonic()
        while (now := time.monotonic()) - started < 60 * minutes:
            share = (now - started) / (60 * minutes)
            rate = _LAST_RATE_SHARE + (1 - _LAST_RATE_SHARE) * (1 + math.cos(math.pi * share)) / 2
            optimizer.learning_rate = _LEARNING_RATE * rate * min(1.0, (steps + 1) / _WARM_UP_STEPS)
            losses.append(float(step(*feed.batch(_BATCH_CROPS))))
            steps += 1
            if now - reported > _REPORT_SECONDS:
                mean, losses, reported = float(np.mean(losses)), [], now
                click.echo(
                    f"{(now - started) / 60:.0f} min, {steps} steps, {feed.pages} pages, loss {mean:.4f}"
                )
            if now - saved > _CHECKPOINT_SECONDS:
                model.save_weights(out)
                saved = now
        pages = feed.pages
    model.save_weights(out)
    return {"steps": steps, "crops": steps * _BATCH_CROPS, "pages": pages, "loss": round(mean, 4)}


@click.command()
@click.option("--data", "folders", multiple=True, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File of weights, ….weights.h5.")
@click.option("--minutes", default=60.0, show_default=True)
@click.option("--seed", default=7, show_default=True)
@click.option(
    "--start",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Model folder whose region network is trained further.",
)
def main(folders: tuple[Path, ...], out: Path, minutes: float, seed: int, start: Path | None) -> None:
    """Train the region network on pages made of what lies in the folders of --data."""
    click.echo(train(list(folders), out, minutes, seed, start))


if __name__ == "__main__":
    main()
