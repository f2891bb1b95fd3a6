"""What nobody is to look at."""

from __future__ import annotations

import pytest

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.settings import Settings


def test_fields_are_accepted_only_where_there_are_fields() -> None:
    by_field = Acceptance(0.98, by_field=True)
    by_field.check(Settings(layout="line"))
    Acceptance(0.98).check(Settings())
    with pytest.raises(UsageProblem, match="--accept-fields-at needs fields"):
        by_field.check(Settings())


def test_each_has_an_option() -> None:
    assert Acceptance(0.9).option == "--accept-at"
    assert Acceptance(0.9, by_field=True).option == "--accept-fields-at"
