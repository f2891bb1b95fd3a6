"""What is installed: the package `lettermill`, whose sub-packages are the rooms of the repository."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import setuptools

from tests.support import ROOT

ROOMS = ("jobs", "segmentation", "training", "worker")


def test_every_folder_of_modules_is_installed() -> None:
    find = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    installed = set(setuptools.find_packages(str(ROOT), include=find["include"]))
    folders = {path.parent.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    assert installed == {"lettermill", *("lettermill." + str(path).replace("/", ".") for path in folders)}


def test_nothing_but_lettermill_is_importable() -> None:
    assert importlib.metadata.distribution("lettermill").read_text("top_level.txt") == "lettermill\n"


def test_a_module_of_the_users_own_is_neither_used_nor_hidden(tmp_path: Path) -> None:
    for room in ROOMS:
        (tmp_path / f"{room}.py").write_text("MINE = True\n")
    code = "import jobs, segmentation, training, worker, lettermill.worker.reading.read_lines as ours\n"
    code += "assert jobs.MINE and segmentation.MINE and training.MINE and worker.MINE\n"
    code += "assert ours.read_lines.__module__ == 'lettermill.worker.reading.read_lines'\n"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


def test_no_imports_run_in_a_circle() -> None:
    """Imports within functions count: they would only hide a circle."""
    graph = grimp.build_graph("lettermill", cache_dir=None)
    below = {module: graph.find_upstream_modules(module) for module in graph.modules}
    assert not [
        f"{module} and {imported} import each other"
        for module in sorted(graph.modules)
        for imported in graph.find_modules_directly_imported_by(module)
        if module in below[imported]
    ]
