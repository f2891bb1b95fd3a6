"""A Docker engine for the checks: images of this tree, and docker-compose.yml under a name of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support import wait_for

ROOT = Path(__file__).parents[3]
IMAGE = "lettermill"
BASE = "python:3.11-slim-bookworm"
VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
CLERK = os.getuid() or 12345
"""Whom scans and results belong to."""


def docker(*words: object, status: int | None = 0) -> str:
    """Run docker and return what it prints."""
    return _run(["docker", *map(str, words)], status)


def check_engine() -> None:
    """End the checks with what is missing, if anything is."""
    if shutil.which("docker") is None:
        pytest.exit("docker is not on the PATH: these checks need a Docker engine", returncode=1)
    answer = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
    if answer.returncode:
        pytest.exit(f"no Docker engine answers `docker info`: {answer.stderr.strip()}", returncode=1)
    _compose_command()


def inspect(thing: str) -> dict[str, Any]:
    """What the engine knows of a container or an image."""
    (known,) = json.loads(docker("inspect", thing))
    return dict(known)


def build(tag: str, folder: Path = ROOT, version: str = VERSION) -> None:
    """Build the default target; with this machine's network, for its registry of packages."""
    target = ["--target", "lettermill", "--build-arg", f"VERSION={version}"]
    docker("build", "--quiet", "--network", "host", *target, "--tag", f"{IMAGE}:{tag}", folder)


def build_newer(tag: str, folder: Path, version: str) -> None:
    """Build this tree as if it were of another version."""
    for name in ("Dockerfile", ".dockerignore", "constraints.txt", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, folder / name)
    for room in ("lettermill", "jobs", "segmentation", "training", "worker"):
        # lettermill/ holds links to the other rooms.
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / room, folder / room, symlinks=True, ignore=ignored)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    written = project.replace(f'\nversion = "{VERSION}"\n', f'\nversion = "{version}"\n')
    assert written != project
    (folder / "pyproject.toml").write_text(written, encoding="utf-8")
    build(tag, folder, version)


class Project:
    """docker-compose.yml in a folder of its own, with scans and results beside it as a clerk has them.

    Args:
        folder: an empty folder; its name is the project's.
        tag: the tag of the images.
    """

    def __init__(self, folder: Path, tag: str) -> None:
        self.folder = folder
        self.scans, self.results = folder / "scans", folder / "results"
        shutil.copy2(ROOT / "docker-compose.yml", folder)
        shutil.copytree(ROOT / "deploy", folder / "deploy")
        self.scans.mkdir()
        self.results.mkdir()
        os.chown(self.results, CLERK, -1)
        self.use(tag)

    def use(self, tag: str) -> None:
        """Say which images are used from now on."""
        (self.folder / ".env").write_text(f"LETTERMILL_UID={CLERK}\nLETTERMILL_TAG={tag}\n")

    def compose(self, *words: object, status: int | None = 0) -> str:
        """Run docker-compose and return what it prints."""
        name = ["--project-name", self.folder.name]
        return _run([*_compose_command(), *name, *map(str, words)], status, self.folder)

    def lettermill(self, *words: object, status: int | None = 0) -> str:
        """Run a command of Lettermill beside the workers and return what it prints."""
        return self.compose("run", "--rm", "-T", "lettermill", *words, status=status)

    def containers(self, service: str | None = None) -> list[str]:
        """The ids of a service's containers, or of all, those that do not run included."""
        labels = [f"label=com.docker.compose.project={self.folder.name}"]
        if service:
            labels.append(f"label=com.docker.compose.service={service}")
        filters = [word for label in labels for word in ("--filter", label)]
        return docker("ps", "--all", "--quiet", "--no-trunc", *filters).split()

    def end_of(self, service: str) -> int:
        """Wait until a service's one container has ended and return its exit status."""
        (container,) = self.containers(service)
        wait_for(lambda: inspect(container)["State"]["Status"] == "exited", 300, f"the end of {service}")
        return int(inspect(container)["State"]["ExitCode"])

    def python(self, container: str, code: str, status: int | None = 0) -> str:
        """Run Python in a container, as the user that the container runs as."""
        return docker("exec", container, "python3", "-c", code, status=status)

    def health(self, container: str) -> str:
        """What the engine says of a container's health."""
        return str(inspect(container)["State"]["Health"]["Status"])

    def remove(self) -> None:
        """Remove all that the project has left in the engine."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "20")
        assert self.containers() == []


def _compose_command() -> list[str]:
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if not plugin.returncode:
        return ["docker", "compose"]
    if not shutil.which("docker-compose"):
        pytest.exit("neither `docker compose` nor `docker-compose` is there", returncode=1)
    return ["docker-compose"]


def _run(words: list[str], status: int | None, folder: Path = ROOT) -> str:
    # Variables of whoever runs the checks would redirect the projects.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LETTERMILL_")}
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, cwd=folder, env=environment, timeout=1200
    )
    if status is not None:
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
