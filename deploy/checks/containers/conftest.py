from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.checks.containers.engine import VERSION, Project, build, build_newer, check_engine

NEWER = f"{VERSION}.post1"


@pytest.fixture(scope="session")
def image() -> str:
    """The tag of this tree's image."""
    check_engine()
    build("check")
    return "check"


@pytest.fixture(scope="session")
def newer_image(image: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The tag and the version of an image of a newer version."""
    build_newer("check-newer", tmp_path_factory.mktemp("newer"), NEWER)
    return "check-newer", NEWER


@pytest.fixture(scope="module")
def new_project(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Project]]:
    """Make projects; all are removed in the end."""
    projects: list[Project] = []

    def make() -> Project:
        projects.append(Project(Path(tmp_path_factory.mktemp("lettermill-check-")), image))
        return projects[-1]

    yield make
    for project in projects:
        project.remove()
