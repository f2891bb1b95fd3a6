"""What is installed: the package `lettermill`, whose sub-packages are the rooms of the repository."""

from __future__ import annotations

import importlib.metadata
import shutil
import stat
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import celery
import grimp
import pytest
import setuptools

from tests.support import ROOT, clean_environment

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


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the tracked files, built with the setuptools of this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    names = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(names, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\0"
    ):
        if name and (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    words = [
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
        "--wheel-dir",
        "dist",
        ".",
    ]
    subprocess.run([sys.executable, "-m", "pip", *words], cwd=folder, check=True)
    (built,) = (folder / "dist").glob("*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_has_the_rooms_as_files_with_their_data(wheel: Path) -> None:
    names = ["git", "ls-files", "-z", "--", *ROOMS]
    tracked = subprocess.run(names, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    wanted = {f"lettermill/{name}" for name in tracked if name and (ROOT / name).exists()}
    with zipfile.ZipFile(wheel) as files:
        assert not [one.filename for one in files.infolist() if stat.S_ISLNK(one.external_attr >> 16)]
        held = {name for name in files.namelist() if ".dist-info/" not in name}
    assert held == wanted | {
        f"lettermill/{path.name}" for path in (ROOT / "lettermill").iterdir() if path.is_file()
    }


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel; the libraries are those of this environment, by a path."""
    fresh = tmp_path_factory.mktemp("fresh")
    venv.create(fresh, symlinks=True)
    words = ["--python", fresh / "bin" / "python", "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True)
    (packages,) = fresh.glob("lib/python*/site-packages")
    (packages / "libraries.pth").write_text(f"{Path(celery.__file__).parents[1]}\n")
    return fresh


@pytest.mark.slow
def test_an_installed_wheel_works_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    def run(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*map(str, words)],
            cwd=tmp_path,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    done = run(installed / "bin" / "lettermill", "run", ROOT / "examples" / "scans" / "index-card.png")
    assert (done.returncode, "40\n" in done.stdout) == (0, True), done.stderr
    (report,) = (tmp_path / "results").glob("*-*/summary.html")
    assert "index-card.png" in report.read_text(encoding="utf-8")
    (packages,) = installed.glob("lib/python*/site-packages")
    code = (
        "import sys, lettermill, lettermill.jobs.web.server\n"
        "print(lettermill.read(sys.argv[1]).lines[0].text)\n"
        "ours = [one.__file__ for name, one in sys.modules.items() if name.split('.')[0] == 'lettermill']\n"
        f"assert all(file.startswith({str(packages)!r}) for file in ours), ours\n"
    )
    done = run(installed / "bin" / "python", "-c", code, ROOT / "examples" / "scans" / "index-card.png")
    assert (done.returncode, done.stdout) == (0, "MOSS AND LICHEN\n"), done.stderr


TYPED = """
from typing import assert_type
import lettermill
page = lettermill.read("a.png", alphabet="alnum", page=2)
assert_type(page, lettermill.Page)
assert_type(page.words[0].box.x, int)
lettermill.read("a.png", alphabet="greek")
lettermill.run("scans", colour=3)
"""


@pytest.mark.slow
def test_an_installed_wheel_is_typed(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "use.py").write_text(TYPED)
    words = ["-m", "mypy", "--strict", "--python-executable", installed / "bin" / "python", "use.py"]
    done = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    wrong = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert len(wrong) == 2, done.stdout
    assert 'Argument "alphabet" to "read"' in wrong[0]
    assert 'Unexpected keyword argument "colour" for "run"' in wrong[1]


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
