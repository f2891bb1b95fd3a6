"""Training the line network: it learns, averages, stops and resumes."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lettermill.jobs.errors import BadData, ModelProblem, UsageProblem
from lettermill.segmentation.line_image import line_image
from lettermill.training.fitting import checkpoint
from lettermill.training.fitting.line_fit import LineSettings, LineTrainer, Progress, rate_at, train_lines
from lettermill.training.fitting.line_network_layers import build
from lettermill.training.fitting.network_weights import named_weights
from lettermill.training.lines.line_feed import LineBatch, mask_of
from tests.training.written_fields import field_image

CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-.,'"


def batch() -> LineBatch:
    texts = ["AB", "CAB", "BACA"]
    images = np.zeros((3, 32, 96, 1), np.uint8)
    for image, text in zip(images, texts, strict=True):
        line = line_image(field_image(text))[:, :96]
        image[:, : line.shape[1], 0] = line
    return LineBatch(images, texts, np.stack([mask_of(CHARACTERS)] * 3))


class OneBatch:
    """A feed that stops the training, as Ctrl-C does, after some batches."""

    def __init__(self, stop_after: int = 0) -> None:
        self.stop_after = stop_after
        self.drawn = self.refreshed = 0

    def batch(self) -> LineBatch:
        self.drawn += 1
        if self.drawn == self.stop_after:
            signal.raise_signal(signal.SIGINT)
        return batch()

    def refresh(self) -> None:
        self.refreshed += 1


def model(seed: int = 1) -> Any:
    import keras

    keras.utils.set_random_seed(seed)
    return build()


def test_a_few_steps_lower_the_loss() -> None:
    trainer = LineTrainer(model())
    losses = [trainer.step(batch(), 2e-3) for _ in range(12)]
    assert losses[-1] < 0.5 * losses[0]
    assert np.isfinite(losses).all()


def test_the_average_follows_the_weights() -> None:
    trainer = LineTrainer(model())
    bias = named_weights(trainer.model)["steps/bias"]
    bias.assign(np.ones(bias.shape, np.float32))
    trainer.average(0.75)
    trainer.use_average()
    np.testing.assert_allclose(bias.value.numpy(), 0.25)


def test_the_rate_rises_then_falls_to_a_hundredth() -> None:
    assert rate_at(0.0, 0, 1.0) == 0 and rate_at(0.0, 150, 1.0) == 0.5
    rates = [rate_at(share, 1000, 1.0) for share in np.linspace(0, 1, 9)]
    assert rates[0] == pytest.approx(1) and rates[-1] == pytest.approx(0.01)
    assert rates == sorted(rates, reverse=True)


def test_a_masked_character_is_not_learnt_from() -> None:
    one = batch()
    only_digits = LineBatch(one.images, ["1"] * 3, np.stack([mask_of("0123456789")] * 3))
    every = LineBatch(one.images, ["1"] * 3, one.masks)
    trainer = LineTrainer(model())
    assert trainer.step(only_digits, 0.0) < trainer.step(every, 0.0)


def test_a_stopped_training_resumes_where_it_was(tmp_path: Path) -> None:
    settings, file = LineSettings(60.0), tmp_path / "checkpoint.bin"
    lines: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        train_lines(model(), OneBatch(5), settings, file, "lines", False, lines.append)
    assert "--resume" in lines[-1]
    saved = checkpoint.read(file)
    progress = Progress(**saved.history[0])
    assert progress.steps == 5 and progress.lines == 15 and progress.seconds > 0

    with pytest.raises(UsageProblem, match="has not ended"):
        train_lines(model(), OneBatch(), settings, file, "lines", False, lines.append)
    with pytest.raises(BadData, match="other letters"):
        train_lines(model(), OneBatch(), settings, file, "other lines", True, lines.append)
    with pytest.raises(UsageProblem, match="seed"):
        train_lines(model(), OneBatch(), LineSettings(60.0, seed=8), file, "lines", True, lines.append)

    with pytest.raises(KeyboardInterrupt):
        train_lines(model(seed=2), OneBatch(1), settings, file, "lines", True, lines.append)
    again = Progress(**checkpoint.read(file).history[0])
    assert again.steps == 6 and again.seconds > progress.seconds


def test_restoring_gives_the_same_next_step(tmp_path: Path) -> None:
    trainer = LineTrainer(model())
    for _ in range(3):
        trainer.step(batch(), 1e-3)
    state, average = trainer.state()
    expected = [trainer.step(batch(), 1e-3) for _ in range(3)]
    other = LineTrainer(model(seed=2))
    other.restore(state, average, tmp_path)
    np.testing.assert_allclose([other.step(batch(), 1e-3) for _ in range(3)], expected, rtol=1e-3)
    with pytest.raises(ModelProblem, match="another network"):
        other.restore(state[:-1], average, tmp_path)


def test_a_training_ends_with_its_time(tmp_path: Path) -> None:
    lines: list[str] = []
    progress = train_lines(
        model(), OneBatch(), LineSettings(0.02), tmp_path / "file", "lines", False, lines.append
    )
    assert progress.seconds >= 1.2 and progress.steps > 0 and "loss" in lines[-1]
    assert not (tmp_path / "file").exists()


def test_a_loss_that_is_no_number_ends_the_training(tmp_path: Path) -> None:
    broken = model()
    bias = named_weights(broken)["steps/bias"]
    bias.assign(np.full(bias.shape, np.nan, np.float32))
    with pytest.raises(ModelProblem, match="diverged"):
        train_lines(broken, OneBatch(), LineSettings(1.0), tmp_path / "file", "", False, print)
