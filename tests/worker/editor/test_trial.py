"""A template tried on the example's scans reads what a run reads."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from lettermill.jobs.errors import ScanError
from lettermill.jobs.scans.reader import read_page
from lettermill.jobs.settings import Limits
from lettermill.worker.editor.template_file import TemplateFile
from lettermill.worker.editor.trial import try_template
from tests.support import ROOT
from tests.worker.editor.conftest import FORM

SCANS = sorted((FORM / "scans" / "desk").iterdir())


def test_what_is_read_and_how_the_field_looks(template: Path) -> None:
    """The lent field is made an amount, and it has no decimal mark."""
    file = TemplateFile(template)
    values, _ = file.values()
    values["rules"] = ["lent > 100"]
    values["fields"][6] = {"name": "lent", "kind": "amount", "box": [1300, 620, 358, 90]}
    tried = try_template(file.checked(values), read_page(SCANS[1], 1, 300, Limits()))
    fields = {field.name: field for field in tried.fields}
    assert list(fields) == ["surname", "card", "forename", "born", "town", "shelf", "lent", "remarks"]
    assert fields["surname"].text.isalpha() and fields["surname"].value == ""
    assert fields["lent"].text and fields["lent"].broken == "has no decimal mark (.)"
    assert fields["lent"].look_at and tried.broken_rules == "lent has no decimal mark (.)"
    with Image.open(io.BytesIO(base64.b64decode(fields["surname"].picture))) as picture:
        # As wide as the field with its margin, or larger, and not empty.
        assert picture.width / picture.height == pytest.approx((1008 + 54) / (90 + 54), rel=0.02)
        least, _ = picture.convert("L").getextrema()
        assert float(str(least)) < 100


def test_a_page_that_is_not_the_form(template: Path) -> None:
    page = read_page(ROOT / "examples" / "scans" / "register.jpg", 1, 300, Limits())
    with pytest.raises(ScanError, match="not the form"):
        try_template(TemplateFile(template).checked(TemplateFile(template).values()[0]), page)
