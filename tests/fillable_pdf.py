"""Writes a PDF that can be filled in on a screen, byte by byte."""

from __future__ import annotations

from collections.abc import Sequence

CAPTIONS = (
    (50, 740, "Wherrow Parish Library"),
    (400, 740, "Form 12 b"),
    (50, 710, "Please print in capitals, one letter in a box."),
    (50, 360, "Cards are lent for one year. Whoever loses a book replaces it."),
    (50, 300, "Return this card to the desk, or by post to the warden."),
    (50, 250, "Signature"),
)


def fillable_pdf(widgets: Sequence[str], page: str = "") -> bytes:
    """Return a PDF of one page of 612×792 points with captions.

    Args:
        widgets: what is particular of each field's annotation: `/FT/Tx/T(name)/Rect[50 600 250 620]`.
        page: more entries of the page.
    """
    words = "".join(f"BT /F1 16 Tf {x} {y} Td ({text}) Tj ET\n" for x, y, text in CAPTIONS)
    numbers = " ".join(f"{number} 0 R" for number in range(6, 6 + len(widgets)))
    font = "/Font<</F1 5 0 R>>"
    objects = [
        f"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[{numbers}]/DR<<{font}>>/DA(/F1 10 Tf)>>>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]{page}/Contents 4 0 R"
        f"/Resources<<{font}>>/Annots[{numbers}]>>",
        f"<</Length {len(words)}>>stream\n{words}\nendstream",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        *(f"<</Type/Annot/Subtype/Widget/P 3 0 R{widget}>>" for widget in widgets),
    ]
    pdf, places = "%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(pdf))
        pdf += f"{number} 0 obj\n{content}\nendobj\n"
    start = len(pdf)
    pdf += f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n"
    pdf += "".join(f"{place:010} 00000 n \n" for place in places)
    pdf += f"trailer <</Size {len(places) + 1}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF"
    return pdf.encode("latin-1")


WIDGETS = (
    "/FT/Tx/T(Last name)/Ff 16777218/MaxLen 10/Rect[50 600 250 620]",
    "/FT/Btn/T(agree)/Rect[300 600 312 612]",
    "/FT/Ch/Ff 131072/T(answer)/Opt[(Yes)(No)]/Rect[50 500 250 520]",
    "/FT/Sig/T(signed)/Rect[50 400 250 420]",
    "/FT/Btn/Ff 65536/T(reset)/Rect[400 400 450 420]",
    "/FT/Tx/T(hidden)/Rect[0 0 0 0]",
)
"""A comb of ten cells that is required, a tick box, a list, a signature, a button and a field of no size."""
