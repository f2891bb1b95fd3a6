"""Measures how close reading an A4 page comes to what one core can do: each stage beside its floor.

    LETTERMILL_DATA=DATA python -m bench.ceiling

Each round first measures the machine's rates (products of matrices through LiteRT in int8, decoding through
Pillow, copying memory), then reads the page. The floor of a stage is the least work that it has to do,
counted, at the best of these rates. It writes its part of docs/benchmarks.md.
"""

from __future__ import annotations

import collections
import io
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils
from numpy.typing import NDArray
from PIL import Image

from bench.docs_parts import machine, spread, table, write_part
from bench.peer_pages import a4_page, writers_of_pages
from lettermill.jobs.inputs.model import Model, installed_model_folder, load_model
from lettermill.jobs.scans.reader import read_page
from lettermill.jobs.settings import Settings
from lettermill.worker.reading import read_lines as reading
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.litert_network import BATCH_GLYPHS, Network

LETTERS = 1000

PASSES = 5
"""The least passes over the page's pixels, a byte each: it is read to measure its letters, read again beside
its paper and written as ink, the ink is read for its contours, and once more for the letters' own ink."""

COPIED = 1 << 28
"""Bytes of the array that is copied: far more than the caches hold."""

STAGES = {
    "segment": "segmentation",
    "find_quarter_turns": "which way up",
    "over_segment": "over-segmentation",
    "score_line": "lattice",
}
"""Functions that worker/reading/read_lines.py calls, and what the table calls them."""

REST = "glyphs, paths and the rest"

CONVOLUTION, PRODUCT = "CONV_2D", "FULLY_CONNECTED"
OTHER_PRODUCTS = {"BATCH_MATMUL", "CONV_3D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"}
"""Operators that would have to be counted, and are in no model of ours."""

BIG = (1024, 1024, 1024)
"""A product that suits the caches: what the core can do at best."""

FORMATS = {"PNG": ".png", "JPEG": ".jpg"}

READS = 3
"""Reads of the page a round; the fastest counts, as for the rates."""


class Stopwatch:
    """Processor seconds by stage; what a stage calls of another counts for the other."""

    def __init__(self) -> None:
        self.seconds: collections.Counter[str] = collections.Counter()
        self._within: list[str] = []
        self._since = 0.0

    def timed(self, stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that counts for a stage."""

        def call(*arguments: Any, **named: Any) -> Any:
            self._turn()
            self._within.append(stage)
            try:
                return work(*arguments, **named)
            finally:
                self._turn()
                self._within.pop()

        return call

    def _turn(self) -> None:
        now = time.process_time()
        if self._within:
            self.seconds[self._within[-1]] += now - self._since
        self._since = now


def products_of(network: bytes) -> list[tuple[int, int, int]]:
    """List the products of matrices that a network takes for one glyph, from the shapes in its graph.

    Returns:
        For each convolution and each product: rows, inner side, columns. A convolution's rows are the pixels
        of its output, its inner side is the pixels under its kernel times its input's channels.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(network))
    graph = model.subgraphs[0]
    found = []
    for operator in graph.operators:
        kind = flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex)
        if kind in OTHER_PRODUCTS:
            raise ValueError(f"{kind} multiplies, too: count it here")
        if kind in (CONVOLUTION, PRODUCT):
            columns, *kernel = graph.tensors[operator.inputs[1]].shape
            _, *pixels, _ = graph.tensors[operator.outputs[0]].shape
            found.append((math.prod(pixels), math.prod(kernel), columns))
    return found


def product(rows: int, inner: int, columns: int) -> Interpreter:
    """Return a network that is one product of matrices, rows×inner times inner×columns, in int8 as ours."""
    import keras
    import tensorflow as tf

    given = keras.Input((inner,))
    model = keras.Model(given, keras.layers.Dense(columns, use_bias=False)(given))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "product.tflite"
        model.export(path, format="litert", verbose=False, optimizations=[tf.lite.Optimize.DEFAULT])
        network = Interpreter(model_content=path.read_bytes(), num_threads=1)
    network.resize_tensor_input(network.get_input_details()[0]["index"], (rows, inner))
    network.allocate_tensors()
    return network


def best_of(work: Callable[[], object], times: int = 5) -> float:
    """Return the fewest processor seconds that some work took; the first time does not count."""
    work()
    took = []
    for _ in range(times):
        begun = time.process_time()
        work()
        took.append(time.process_time() - begun)
    return min(took)


def rates(loaded: dict[tuple[int, int, int], Interpreter], pages: dict[str, bytes]) -> dict[str, float]:
    """Measure what one core can do.

    Args:
        loaded: products to run: rows, inner side, columns.
        pages: encoded pages by the name of their format.

    Returns:
        Multiply-adds a second by "product R×I×C"; pixels a second by "decode FORMAT"; bytes read and written
        a second by "copy".
    """
    random = np.random.default_rng(0)
    found = {}
    for size, each in loaded.items():
        left = random.standard_normal(size[:2]).astype(np.float32)
        each.set_tensor(each.get_input_details()[0]["index"], left)
        seconds = best_of(each.invoke)
        found["product " + "×".join(map(str, size))] = math.prod(size) / seconds
    for name, content in pages.items():
        seconds = best_of(lambda content=content: Image.open(io.BytesIO(content)).load())
        found[f"decode {name}"] = math.prod(Image.open(io.BytesIO(content)).size) / seconds
    source = np.ones(COPIED, np.uint8)
    target = np.empty_like(source)
    found["copy"] = 2 * COPIED / best_of(lambda: np.copyto(target, source))
    return found


class CountedNetwork:
    """A network whose time is the CNN's, and that counts what it is shown."""

    def __init__(self, network: Network, watch: Stopwatch) -> None:
        self._logits = watch.timed("CNN", network.logits)
        self.glyphs = 0

    def logits(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.glyphs += len(glyphs)
        logits: NDArray[np.float32] = self._logits(glyphs)
        return logits


def read_once(path: Path, model: Model) -> tuple[dict[str, float], tuple[int, int]]:
    """Read a page in this process.

    Returns:
        Processor seconds by stage; how many glyphs the CNN's first network saw, and how many the large one.
    """
    settings, watch = Settings(), Stopwatch()
    classifier = Classifier(model, settings.characters)
    cascade: Any = classifier._network
    cascade._first, cascade._large = counted = (
        CountedNetwork(cascade._first, watch),
        CountedNetwork(cascade._large, watch),
    )
    originals = {name: getattr(reading, name) for name in STAGES}
    try:
        for name, stage in STAGES.items():
            setattr(reading, name, watch.timed(stage, originals[name]))
        page = watch.timed("decode", read_page)(path, 1, settings.dpi, settings.limits)
        watch.timed(REST, reading.read_lines)(page, settings, classifier)
    finally:
        for name, work in originals.items():
            setattr(reading, name, work)
    return {stage: watch.seconds[stage] for stage in ("decode", *STAGES.values(), "CNN", REST)}, (
        counted[0].glyphs,
        counted[1].glyphs,
    )


def floors(rate: dict[str, float], pixels: int, multiply_adds: int) -> dict[str, float]:
    """Return the least seconds of each stage that has a floor.

    Args:
        rate: what the core can do, as `rates` gives it.
        pixels: of the page.
        multiply_adds: of all the glyphs that the CNN saw.
    """
    return {
        "decode": pixels / rate["decode PNG"],
        "segmentation": PASSES * pixels / rate["copy"],
        "CNN": multiply_adds / max(value for name, value in rate.items() if name.startswith("product")),
    }


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
def main(rounds: int) -> None:
    cv2.setNumThreads(1)
    model = load_model(installed_model_folder())
    each_glyph = [products_of(network) for network in (model.first_network, model.network) if network]
    multiply_adds = [sum(map(math.prod, products)) for products in each_glyph]
    loaded = {BIG: product(*BIG)}
    loaded |= {
        (BATCH_GLYPHS * rows, inner, out): product(BATCH_GLYPHS * rows, inner, out)
        for products in each_glyph
        for rows, inner, out in products
    }
    pixels, _ = a4_page(writers_of_pages()[0], 0, LETTERS)
    pages = {kind: cv2.imencode(ending, pixels)[1].tobytes() for kind, ending in FORMATS.items()}
    rows = []
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(pages["PNG"])
        file.flush()
        read_once(Path(file.name), model)
        for _ in range(rounds):
            rate = rates(loaded, pages)
            reads = [read_once(Path(file.name), model) for _ in range(READS)]
            seconds, glyphs = min(reads, key=lambda each: sum(each[0].values()))
            of_page = sum(map(math.prod, zip(glyphs, multiply_adds, strict=True)))
            rows.append((rate, seconds, floors(rate, pixels.size, of_page)))
            click.echo({stage: round(value, 4) for stage, value in seconds.items()})
    counted = (
        f"{pixels.size / 1e6:.1f} megapixels; the CNN's first network saw {glyphs[0]:,} glyphs, each "
        f"{multiply_adds[0] / 1e6:.2f} million multiply-adds, the large one {glyphs[1]:,}, each "
        f"{multiply_adds[1] / 1e6:.2f} million. {rounds} rounds."
    )
    when = machine("ai-edge-litert", "pillow", "opencv-python-headless", "numpy")
    write_part("ceiling", f"{when}. {counted}\n\n{rates_table(rows)}\n\n{stages_table(rows)}")


Round = tuple[dict[str, float], dict[str, float], dict[str, float]]
"""Rates, seconds by stage, floors by stage."""


def rates_table(rows: Sequence[Round]) -> str:
    """Return what the core can do, as Markdown."""
    units = {"product": "multiply-adds", "decode": "pixels", "copy": "bytes read and written"}
    return table(
        ["one core", "billions a second", "of"],
        [
            [name, spread([rate[name] / 1e9 for rate, _, _ in rows], ".3g"), units[name.split()[0]]]
            for name in rows[0][0]
        ],
    )


def stages_table(rows: Sequence[Round]) -> str:
    """Return each stage's time beside its floor, as Markdown."""
    lines = []
    for stage in rows[0][1]:
        took = [1000 * seconds[stage] for _, seconds, _ in rows]
        least = [1000 * floor.get(stage, 0.0) for _, _, floor in rows]
        lines.append([stage, *beside(took, least)])
    took = [1000 * sum(seconds.values()) for _, seconds, _ in rows]
    least = [1000 * sum(floor.values()) for _, _, floor in rows]
    return table(
        ["stage", "measured, ms", "floor, ms", "measured / floor"],
        [*lines, ["the whole page", *beside(took, least)]],
    )


def beside(took: Sequence[float], least: Sequence[float]) -> list[str]:
    """Return cells: what was measured, its floor, and how many times the floor that is."""
    if not any(least):
        return [spread(took, ".0f"), "–", "–"]
    ratios = [measured / floor for measured, floor in zip(took, least, strict=True)]
    return [spread(took, ".0f"), spread(least, ".1f"), spread(ratios)]


if __name__ == "__main__":
    main()
