"""The notebook of examples/ does what it shows; run this file to write its outputs anew.

Its cells are run here as plain Python in one namespace: nbclient would bring ipykernel, tornado and pyzmq.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT

NOTEBOOK = ROOT / "examples" / "read_in_python.ipynb"


def run_cells(notebook: dict[str, Any]) -> list[str]:
    """Run the cells of code in the present folder; return what each prints, then its last value."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    shown = []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
            exec(compile(tree, "cell", "exec"), namespace)
            if isinstance(last, ast.Expr):
                value = eval(compile(ast.Expression(last.value), "cell", "eval"), namespace)
                if value is not None:
                    printed.write(f"{value!r}\n")
        shown.append(printed.getvalue())
    return shown


def stored_outputs(notebook: dict[str, Any]) -> list[str]:
    return [
        "".join(line for output in cell["outputs"] for line in output["text"])
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]


def run_beside_the_examples(notebook: dict[str, Any], folder: Path) -> list[str]:
    for name in ("scans", "form"):
        shutil.copytree(ROOT / "examples" / name, folder / name)
    with contextlib.chdir(folder):
        return run_cells(notebook)


def test_its_cells_run_and_show_what_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LETTERMILL_")]:
        monkeypatch.delenv(name)
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert run_beside_the_examples(notebook, tmp_path) == stored_outputs(notebook)


def test_it_is_a_notebook_of_the_fourth_format() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in notebook["cells"]:
        assert cell["cell_type"] in ("code", "markdown")
        assert (cell["cell_type"] == "code") == ("outputs" in cell)


if __name__ == "__main__":
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as temporary:
        outputs = run_beside_the_examples(content, Path(temporary))
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    for number, (cell, text) in enumerate(zip(cells, outputs, strict=True), 1):
        cell["execution_count"] = number
        stream = {"name": "stdout", "output_type": "stream", "text": text.splitlines(keepends=True)}
        cell["outputs"] = [stream] if text else []
    NOTEBOOK.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
