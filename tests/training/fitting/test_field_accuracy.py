"""Fields read by a model, against their labels."""

from __future__ import annotations

from lettermill.jobs.inputs.model import installed_model_folder
from lettermill.training.fitting.field_accuracy import FieldAccuracy, measure_fields
from lettermill.training.lines.real_fields import Field
from tests.training.written_fields import field_image


def test_a_field_that_is_read_right_is_exact_and_a_wrong_label_costs_edits() -> None:
    fields = [Field("one", field_image("HAT"), "HAT"), Field("two", field_image("HAT"), "HATXY")]
    accuracy = measure_fields(installed_model_folder(), fields, "letters")
    assert accuracy == FieldAccuracy(fields=2, exact=1, characters=8, edits=2)
    assert accuracy.cer == 0.25
    assert str(accuracy) == "exact 50.0% (1 of 2), CER 25.00% (2 of 8)"


def test_marks_and_characters_of_another_alphabet_do_not_count() -> None:
    fields = [Field("one", field_image("HAT"), "H-A.T9")]
    assert measure_fields(installed_model_folder(), fields, "letters").characters == 3


def test_nothing_to_compare_divides_by_nothing() -> None:
    assert str(FieldAccuracy(0, 0, 0, 0)) == "exact 0.0% (0 of 0), CER 0.00% (0 of 0)"
