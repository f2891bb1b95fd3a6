"""What a draft says of the boxes of a form and of the fields of a PDF."""

from __future__ import annotations

import tomllib

from lettermill.jobs.inputs.template_text import template_text
from lettermill.jobs.scans.pdf_fields import PdfField
from lettermill.segmentation.fields import FoundField
from lettermill.segmentation.values import Box
from lettermill.worker.commands.template_draft import draft_of_boxes, draft_of_pdf


def test_boxes_and_combs() -> None:
    found = [FoundField(Box(1, 2, 30, 40), None), FoundField(Box(50, 2, 90, 40), 3)]
    draft = draft_of_boxes(found, ["town", "field_2"])
    assert tomllib.loads(template_text(draft.values('a "b".png', 300))) == {
        "blank": 'a "b".png',
        "fields": [
            {"name": "town", "box": [1, 2, 30, 40], "alphabet": "alnum"},
            {"name": "field_2", "box": [50, 2, 90, 40], "alphabet": "alnum", "comb": 3},
        ],
    }


def test_the_fields_of_a_pdf() -> None:
    draft, left_out = draft_of_pdf(
        [
            PdfField("Prénom (1)", "text", (0, 0, 100, 20), cells=5, required=True),
            PdfField("sex", "radio", (0, 30, 10, 10), value="m"),
            PdfField("sex", "radio", (20, 30, 10, 10), value="f"),
            PdfField("land", "choice", (0, 50, 90, 20), choices=("Österreich", "Wales")),
            PdfField("size", "choice", (0, 80, 90, 20), choices=("L", "XL")),
            PdfField("2", "signature", (0, 110, 90, 20)),
            PdfField("size", "text", (0, 140, 90, 20)),
            PdfField("over", "text", (50, 150, 90, 20)),
            PdfField("thin", "text", (0, 200, 90, 2)),
            PdfField("net_value", "text", (0, 230, 90, 20)),
        ]
    )
    assert left_out == ["over", "thin"]
    written = tomllib.loads(template_text(draft.values("form.pdf", 200)))
    assert (written["dpi"], written["rules"]) == (200, ["at most one of sex_m, sex_f"])
    found = {field.pop("name"): field for field in written["fields"]}
    for field in found.values():
        field.pop("box")
    assert found == {
        "Pr_nom_1": {"alphabet": "alnum", "required": True, "comb": 5},
        "sex_m": {"kind": "tick"},
        "sex_f": {"kind": "tick"},
        "land": {"alphabet": "alnum"},
        "size": {"kind": "choice", "choices": ["L", "XL"]},
        "field_6": {"kind": "signature"},
        "size_7": {"alphabet": "alnum"},
        "net_value_10": {"alphabet": "alnum"},
    }
