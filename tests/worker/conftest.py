"""What the tests of the worker share."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.support import Command

Findings = dict[str, tuple[str, str]]


@pytest.fixture
def findings(lettermill: Command) -> Callable[..., Findings]:
    """Run `lettermill doctor`: the level and the sentence of each check."""

    def run(*words: object, status: int) -> Findings:
        printed = json.loads(lettermill("doctor", *words, "--json", status=status).stdout)
        assert printed["wrong"] == sum(one["level"] == "wrong" for one in printed["findings"])
        return {one["check"]: (one["level"], one["said"]) for one in printed["findings"]}

    return run
