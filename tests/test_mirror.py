"""Every module has the test file of its name in the mirrored folder."""

from __future__ import annotations

import pytest

from tests.support import ROOT

ROOMS = ("lettermill", "jobs", "segmentation", "training", "worker")

WITHOUT_A_TEST = {
    "lettermill/__main__.py": "it only calls the command line: every test that starts a process runs it",
}
"""Modules that need no test file of their own, and why."""


def modules() -> list[str]:
    """The paths of the rooms' modules; lettermill/ holds links to the other rooms, which are not followed."""
    return sorted(
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if path.name != "__init__.py" and (room != "lettermill" or path.parent == ROOT / room)
    )


@pytest.mark.parametrize("module", [name for name in modules() if name not in WITHOUT_A_TEST])
def test_a_module_has_a_test_file_of_its_name(module: str) -> None:
    path = ROOT / "tests" / module
    assert path.with_name(f"test_{path.name}").is_file(), (
        f"{module} has no {path.with_name(f'test_{path.name}')}"
    )


def test_every_exception_is_a_module() -> None:
    assert set(WITHOUT_A_TEST) <= set(modules())
