"""The image: what it holds, whom it runs as, what it says of itself."""

from __future__ import annotations

import pytest

from deploy.checks.containers.engine import BASE, IMAGE, VERSION, docker, inspect

CONFINED = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]


pytestmark = pytest.mark.timeout(1800)  # The first one builds the image.


@pytest.fixture
def name(image: str) -> str:
    return f"{IMAGE}:{image}"


def test_it_says_what_it_is(name: str) -> None:
    config = inspect(name)["Config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["lettermill"]
    assert config["Cmd"] == ["worker"]
    assert config["Labels"]["org.opencontainers.image.version"] == VERSION
    assert docker("run", "--rm", name, "--version") == f"lettermill, version {VERSION}\n"


def test_it_is_at_most_600_megabytes_larger_than_its_base(name: str) -> None:
    assert inspect(name)["Size"] - inspect(BASE)["Size"] <= 600e6


def test_it_cannot_be_built_under_another_version(name: str) -> None:
    wrong = ["--target", "lettermill", "--build-arg", "VERSION=9.9.9"]
    docker("build", "--force-rm", "--network", "host", *wrong, ".", status=1)


def test_it_holds_byte_code_and_no_tensorflow_or_pip(name: str) -> None:
    code = """
import importlib.util, pathlib, sys, sysconfig
packages = pathlib.Path(sysconfig.get_paths()["purelib"])
stale = []
for source in packages.rglob("*.py"):
    cached = pathlib.Path(importlib.util.cache_from_source(str(source)))
    header = cached.read_bytes()[:16] if cached.exists() else b""
    stat = source.stat()
    # What Python compares before it uses byte code: no flags, time and size of the source.
    if header[4:] != bytes(4) + int(stat.st_mtime).to_bytes(4, "little") + stat.st_size.to_bytes(4, "little"):
        stale.append(str(source))
names = {path.name for path in packages.iterdir()}
assert {"jobs", "worker", "segmentation", "training"} <= names
assert not names & {"tensorflow", "pip", "setuptools", "pyarrow"}, names
print(len(stale), *stale[:20])
"""
    count, *stale = docker("run", "--rm", "--entrypoint", "python3", name, "-c", code).split()
    assert count == "0", stale


@pytest.mark.parametrize("user", ["10001:10001", "4711:10001", "4711:4711"])
def test_it_reads_a_letter_confined_as_any_user(name: str, user: str) -> None:
    code = """
from PIL import Image, ImageDraw, ImageFont
page = Image.new("L", (120, 120), 255)
ImageDraw.Draw(page).text((30, 10), "H", font=ImageFont.load_default(90), fill=0)
page.save("/tmp/letter.png")
"""
    script = f"python3 -c '{code}' && lettermill predict /tmp/letter.png"
    words = ["run", "--rm", *CONFINED, "--network", "none", "--user", user, "--entrypoint", "sh"]
    assert " H " in docker(*words, name, "-c", script)
