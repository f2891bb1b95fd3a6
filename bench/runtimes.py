"""Compares runtimes and number formats for the CNN: what they cost, and how they change its answers.

`make bench` runs it with random weights, which is enough for size, speed, start-up and memory. To compare the
answers, name a folder that `lettermill train` wrote, and the folder of the training sets:
`LETTERMILL_DATA=DATA .venv/bin/python -m bench.runtimes MODEL_DIR`.
It prints Markdown tables; docs/decisions/0013-int8-weights.md says what was decided with them.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

FORMATS = {
    "float32.onnx": "ONNX Runtime, float32",
    "int8.onnx": "ONNX Runtime, int8",
    "float32.tflite": "LiteRT, float32",
    "int8.tflite": "LiteRT, int8",
    "handprint.tflite": "LiteRT, int8 weights: the shipped format",
}
"""The files that are compared; the first one is what the others are measured against."""

BATCH_GLYPHS = 64
ROUNDS = 25
BATCHES_PER_ROUND = 4
STARTS = 3
CALIBRATION_GLYPHS = 600

Glyphs = NDArray[np.uint8]
Logits = NDArray[np.float32]


def convert(model_dir: Path | None, folder: Path, calibration: Glyphs) -> None:
    """Write every format of one CNN into a folder."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import tensorflow as tf
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    from lettermill.training.fitting.fold import folded
    from lettermill.training.fitting.litert_export import write_network
    from lettermill.training.fitting.network import build
    from lettermill.training.training_settings import LABELS

    keras.utils.set_random_seed(0)
    trained = (
        keras.models.load_model(model_dir / "model.keras", compile=False) if model_dir else build(len(LABELS))
    )
    plain = folded(trained)
    plain(calibration[:1])  # Keras exports a model to ONNX only after it was called.

    class OneByOne(CalibrationDataReader):
        left = iter(calibration)

        def get_next(self) -> dict[str, Glyphs] | None:
            return next(({"glyphs": glyph[None]} for glyph in self.left), None)

    def one_by_one() -> Iterator[list[Glyphs]]:
        return ([glyph[None]] for glyph in calibration)

    prepared = folder / "prepared.onnx"
    with contextlib.redirect_stdout(sys.stderr):
        plain.export(str(folder / "float32.onnx"), format="onnx", verbose=False)
        quant_pre_process(folder / "float32.onnx", prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            folder / "int8.onnx",
            OneByOne(),
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
        )
    write_network(trained, folder / "handprint.tflite")
    plain.export(folder / "float32.tflite", format="litert", verbose=False)
    smaller = [tf.lite.Optimize.DEFAULT]
    plain.export(
        folder / "int8.tflite",
        format="litert",
        verbose=False,
        optimizations=smaller,
        representative_dataset=one_by_one,
    )


def opened(path: Path) -> Callable[[Glyphs], Logits]:
    """Load a file on one thread; return a function that reads a whole batch."""
    if path.suffix == ".onnx":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda glyphs: session.run(None, {"glyphs": glyphs})[0]

    from lettermill.worker.reading.litert_network import Network

    return Network(path.read_bytes()).logits


def start(path: Path) -> tuple[float, float]:
    """Return the seconds for importing, loading and a first batch, and this process's peak memory in MB."""
    begun = time.perf_counter()
    opened(path)(np.zeros((BATCH_GLYPHS, 28, 28), np.uint8))
    seconds = time.perf_counter() - begun
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return seconds, int(peak.group(1)) / 1024 if peak else float("nan")


def rates(folder: Path) -> dict[str, list[float]]:
    """Return each format's glyphs per second of processor time in each round."""
    glyphs = np.random.default_rng(0).integers(0, 256, (BATCH_GLYPHS, 28, 28), np.uint8)
    readers = {name: opened(folder / name) for name in FORMATS}
    rounds: dict[str, list[float]] = {name: [] for name in FORMATS}
    for read in readers.values():
        read(glyphs)
    for _ in range(ROUNDS):
        for name, read in readers.items():
            begun = time.process_time()  # Not wall-clock time: the machine is shared.
            for _ in range(BATCHES_PER_ROUND):
                read(glyphs)
            rounds[name].append(BATCHES_PER_ROUND * BATCH_GLYPHS / (time.process_time() - begun))
    return rounds


def probabilities(path: Path, glyphs: Glyphs, allowed: list[int], temperature: float) -> NDArray[np.float64]:
    """Return the probabilities of a job of capitals: float64, n×26."""
    read = opened(path)
    parts = [read(glyphs[first : first + BATCH_GLYPHS]) for first in range(0, len(glyphs), BATCH_GLYPHS)]
    scaled = np.concatenate(parts)[:, allowed].astype(np.float64) / temperature
    odds = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def capitals() -> Any:
    """Return the capitals below LETTERMILL_DATA (lettermill.training.letters.sources.Letters)."""
    from lettermill.jobs.settings import LETTERS
    from lettermill.training.letters import sources

    found, _ = sources.find([Path(os.environ["LETTERMILL_DATA"]) / "letters"])
    letters = sources.load(found)
    return letters[np.isin(letters.labels, list(LETTERS))]


def answers(model_dir: Path, folder: Path, letters: Any) -> Iterator[str]:
    """Yield the table of answers: for writers that training has not seen, and for all capitals."""
    from lettermill.jobs.settings import LETTERS
    from lettermill.training.training_settings import TrainingSettings

    card = json.loads((model_dir / "handprint.json").read_text(encoding="utf-8"))
    allowed = [card["labels"].index(letter) for letter in LETTERS]
    truth = np.array([LETTERS.index(label) for label in letters.labels])
    unseen = np.isin(letters.writers, TrainingSettings().test_writers)
    yield (
        f"| | {unseen.sum()} of unseen writers: right | loss | all {len(truth):,}: right | loss "
        "| same letter as float32 | largest difference of a probability |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|"
    exact = None
    for name, words in FORMATS.items():
        found = probabilities(folder / name, letters.glyphs, allowed, card["temperature"])
        exact = found if exact is None else exact
        best, losses = found.argmax(axis=1), -np.log(np.maximum(found[np.arange(len(truth)), truth], 1e-12))
        yield (
            f"| {words} | {(best == truth)[unseen].mean():.2%} | {losses[unseen].mean():.4f} "
            f"| {(best == truth).mean():.2%} | {losses.mean():.4f} "
            f"| {(best == exact.argmax(axis=1)).mean():.2%} | {np.abs(found - exact).max():.3f} |"
        )


def costs(folder: Path, alone: Callable[..., Any]) -> Iterator[str]:
    """Yield the table of size, speed, start-up and memory."""
    yield "| | file KB | glyphs/s | ratio (10–90 %) | start-up s | peak MB |"
    yield "|---|---:|---:|---:|---:|---:|"
    rounds = alone(rates, folder)
    for name, words in FORMATS.items():
        starts = [alone(start, folder / name) for _ in range(STARTS)]
        ratios = [a / b for a, b in zip(rounds[name], rounds[next(iter(FORMATS))], strict=True)]
        low, *_, high = statistics.quantiles(ratios, n=10)
        size = (folder / name).stat().st_size / 1000
        yield (
            f"| {words} | {size:,.0f} | {statistics.median(rounds[name]):,.0f} "
            f"| {statistics.median(ratios):.2f} ({low:.2f}–{high:.2f}) "
            f"| {statistics.median(seconds for seconds, _ in starts):.2f} "
            f"| {statistics.median(peak for _, peak in starts):.0f} |"
        )


@click.command(help=__doc__)
@click.argument("model_dir", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(model_dir: Path | None) -> None:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # ONNX Runtime 1.32 sends telemetry as soon as it is imported.
    letters = capitals() if model_dir and "LETTERMILL_DATA" in os.environ else None
    numbers = np.random.default_rng(0)
    calibration = (
        numbers.integers(0, 256, (CALIBRATION_GLYPHS, 28, 28), np.uint8)
        if letters is None
        else letters.glyphs[numbers.permutation(len(letters))[:CALIBRATION_GLYPHS]]
    )

    def alone(work: Callable[..., Any], *arguments: Any) -> Any:
        """Do some work in a process of its own."""
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            return pool.submit(work, *arguments).result()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        alone(convert, model_dir, folder, calibration)
        for line in costs(folder, alone):
            click.echo(line)
        if model_dir and letters is not None:
            click.echo()
            for line in answers(model_dir, folder, letters):
                click.echo(line)


if __name__ == "__main__":
    main()
