"""What filled sheets have in common is the blank form."""

from __future__ import annotations

import numpy as np
import pytest

from bench.pages import forms
from bench.pages.write import default_hands
from lettermill.segmentation.fields import find_fields
from lettermill.segmentation.shared_print import AnotherForm, shared_print


def test_print_stays_and_writing_goes() -> None:
    hands, rng = default_hands(None), np.random.default_rng(4)
    pages = [forms.filled(forms.texts(rng), hands[at % len(hands)], rng) for at in range(4)]
    sheets = [pages[0], *(forms.distorted(page, rng, 0.01)[0] for page in pages[1:])]
    made, blank = shared_print(sheets) < 128, forms.blank() < 128
    written = (pages[0] < 128) & ~blank
    assert made[blank].mean() > 0.99
    assert made[written].mean() < 0.05
    assert len(find_fields(shared_print(sheets))) == 8


def test_another_form_among_the_sheets_is_named() -> None:
    rng = np.random.default_rng(3)
    with pytest.raises(AnotherForm) as caught:
        shared_print([forms.blank(), forms.blank(), forms.other_form(rng)])
    assert caught.value.number == 2
