"""Draws what a network sees: its first filters, and which ink its answers depend on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.storage.display import display_path
from lettermill.training.measure import Answers, per_class, worst_errors
from lettermill.training.reports import plots
from lettermill.worker.reading.explain import Probabilities, occlusion_map

_SHOWN_LETTERS = 18
"""Letters of each kind, right and wrong, of which occlusion maps are drawn."""


def draw_what_it_sees(
    answers: Answers, network: Path, probabilities: Probabilities, folder: Path
) -> dict[str, bool]:
    """Draw filters.png, looked-right.png and looked-wrong.png into a folder.

    Args:
        answers: what was measured.
        network: the network file.
        probabilities: reads glyphs (uint8, n×28×28) as the answers were read.
        folder: where the pictures are written.

    Returns:
        Which of the three ("filters", "right", "wrong") there is something to draw for.
    """
    typical = typical_letters(answers)
    worst = worst_errors(answers)[:_SHOWN_LETTERS].tolist()
    kernels = first_kernels(network)
    if kernels is not None:
        glyph = answers.glyphs[typical[0] if typical else 0]
        plots.draw_filters(kernels, glyph, folder / "filters.png")
    return {
        "filters": kernels is not None,
        "right": _draw_occlusion(answers, probabilities, typical, folder / "looked-right.png"),
        "wrong": _draw_occlusion(answers, probabilities, worst, folder / "looked-wrong.png"),
    }


def first_kernels(network: Path) -> NDArray[np.float32] | None:
    """Return the kernels of a network file's first convolution: float32, m×h×w.

    Returns:
        None if the network has no convolution of grey images, or if its weights are not float32.

    Raises:
        ModelProblem: the file cannot be read.
    """
    from ai_edge_litert.schema_py_generated import BuiltinOperator, TensorType
    from ai_edge_litert.tools import flatbuffer_utils

    try:
        model = flatbuffer_utils.read_model_from_bytearray(bytearray(network.read_bytes()))
        graph = model.subgraphs[0]
        for step in graph.operators:
            kind = flatbuffer_utils.get_builtin_code_from_operator_code(model.operatorCodes[step.opcodeIndex])
            if kind == BuiltinOperator.CONV_2D:
                weights = graph.tensors[step.inputs[1]]
                if weights.type != TensorType.FLOAT32:
                    return None
                numbers = np.asarray(model.buffers[weights.buffer].data, np.uint8).view(np.float32)
                kernels = numbers.reshape(weights.shape)
                return kernels[..., 0] if kernels.shape[-1] == 1 else None
    except Exception as error:  # A damaged file can fail anywhere in its tables.
        raise ModelProblem(f"cannot read the network {display_path(network)}: {error}") from error
    return None


def typical_letters(answers: Answers) -> list[int]:
    """Index right letters of median confidence, one per class, from the classes that are read worst."""
    chosen: list[int] = []
    for row in per_class(answers):
        place = answers.labels.index(row.label)
        own = np.flatnonzero((answers.classes == place) & answers.right)
        if own.size and len(chosen) < _SHOWN_LETTERS:
            chosen.append(int(own[np.argsort(answers.confidence[own], kind="stable")[own.size // 2]]))
    return sorted(chosen, key=lambda index: int(answers.classes[index]))


def _draw_occlusion(answers: Answers, probabilities: Probabilities, chosen: list[int], path: Path) -> bool:
    """Draw the occlusion maps of some letters; return whether there are any."""
    maps = []
    for index in chosen:
        answerable = answers.probabilities[index] > 0  # Only labels that could be answered compete.

        def among(
            glyphs: NDArray[np.uint8], answerable: NDArray[np.bool_] = answerable
        ) -> NDArray[np.float32]:
            return probabilities(glyphs)[:, answerable]

        maps.append(occlusion_map(among, answers.glyphs[index]))
    if maps:
        titles = [_title(answers, index) for index in chosen]
        plots.draw_where(answers.glyphs[chosen], maps, titles, path)
    return bool(maps)


def _title(answers: Answers, index: int) -> str:
    truth, (read, confidence) = answers.labels[answers.classes[index]], answers.ranking(index)[0]
    return f"{truth} {confidence:.1%}" if read == truth else f"{truth} as {read} {confidence:.1%}"
