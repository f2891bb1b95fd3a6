"""ALTO files are valid and hold what was read."""

from __future__ import annotations

from lettermill.jobs.job.folder import Job
from tests.exports import NAMESPACES, alto_schema, trees


def test_alto_has_letters_variants_and_confidences(job: Job) -> None:
    schema = alto_schema()
    for tree in trees(job, "alto"):
        schema.assertValid(tree)
    tree = trees(job, "alto")[-1]
    words = tree.findall(".//alto:String", NAMESPACES)
    assert [word.get("CONTENT") for word in words] == ["NO", "A", "0"]
    assert dict(words[0].attrib).items() >= {"HPOS": "4", "WIDTH": "18", "WC": "0.9877"}.items()
    glyph = words[0][0]
    assert dict(glyph.attrib).items() >= {"CONTENT": "N", "GC": "0.9877", "HPOS": "4", "HEIGHT": "11"}.items()
    assert [dict(one.attrib) for one in glyph] == [
        {"CONTENT": "M", "VC": "0.0100"},
        {"CONTENT": "H", "VC": "0.0023"},
    ]
    page = tree.find(".//alto:Page", NAMESPACES)
    assert page is not None
    assert (page.get("WIDTH"), page.get("HEIGHT")) == ("60", "40")
