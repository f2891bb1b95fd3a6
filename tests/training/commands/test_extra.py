"""What is said when the extra is missing."""

from __future__ import annotations

import importlib.util

import pytest
from click.testing import CliRunner

from lettermill import cli
from lettermill.jobs.errors import MissingExtra
from lettermill.training.commands.extra import require_extra


def test_an_installed_package_is_enough() -> None:
    require_extra("numpy", "counting")


def test_a_missing_package_says_how_to_install_it() -> None:
    with pytest.raises(MissingExtra, match=r"counting needs no_such_package") as caught:
        require_extra("no_such_package", "counting")
    assert "pip install '.[train]'" in caught.value.next_step


@pytest.mark.parametrize(
    ("command", "package"), [("train", "tensorflow"), ("train", "scipy"), ("evaluate", "scipy")]
)
def test_commands_ask_for_their_packages_first(
    monkeypatch: pytest.MonkeyPatch, command: str, package: str
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else found(name))
    words = ["--data", "nowhere", "--out", "new"]
    with pytest.raises(MissingExtra, match=package):
        CliRunner().invoke(cli.lettermill, [command, *words], catch_exceptions=False)
