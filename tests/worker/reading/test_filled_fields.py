"""Which fields of a form somebody filled in, and what becomes of a blank that is filled."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.pages import forms
from bench.pages.write import default_hands
from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.inputs.form_template import read_template
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.settings import ALPHABETS, Settings
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.filled_fields import filled_fields
from lettermill.worker.reading.forms import Form
from tests.support import ROOT

WRITTEN = {"surname": "", "card": "AB12345", "forename": "", "born": "", "town": "TARNFORD", "shelf": ""}


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load_model(installed_model_folder()), ALPHABETS["alnum"])


@pytest.fixture(scope="module")
def page() -> forms.Page:
    written = {**WRITTEN, "lent": "", "remarks": ""}
    return forms.filled(written, default_hands(None)[0], np.random.default_rng(1))


def test_fields_with_writing(classifier: Classifier, page: forms.Page) -> None:
    network = classifier.region_network
    assert network is not None
    assert filled_fields(page, forms.BOXES, network) == [1, 4]
    assert filled_fields(forms.blank(), forms.BOXES, network) == []


@pytest.mark.parametrize("suffix", ["png", "jpeg"])
def test_a_blank_that_is_filled_does_not_come_out_empty(
    tmp_path: Path, classifier: Classifier, page: forms.Page, suffix: str
) -> None:
    toml = (ROOT / "examples" / "form" / "form.toml").read_text(encoding="utf-8")
    (tmp_path / "form.toml").write_text(toml.replace('lexicon = "towns.txt"\n', ""), encoding="utf-8")
    Image.fromarray(page).save(tmp_path / "blank.png")
    form = Form(read_template(tmp_path / "form.toml"), classifier)
    saved = io.BytesIO()
    Image.fromarray(page).save(saved, suffix)
    with pytest.raises(ScanError, match="card, town") as caught:
        form.read(np.asarray(Image.open(saved)), Settings(alphabet="alnum"))
    assert caught.value.code is ErrorCode.BLANK_IS_FILLED
    # The same sheet, on which somebody then wrote something more.
    written = {**WRITTEN, "lent": "7", "remarks": ""}
    more = forms.filled(written, default_hands(None)[0], np.random.default_rng(1))
    lines, _ = form.read(more, Settings(alphabet="alnum"))
    assert [(line.field, line.text) for line in lines] == [("lent", "7")]
