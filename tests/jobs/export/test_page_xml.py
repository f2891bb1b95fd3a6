"""PAGE-XML files are valid and hold what was read."""

from __future__ import annotations

from lettermill.jobs.job.folder import Job
from tests.exports import NAMESPACES, page_schema, trees


def test_page_xml_is_valid_by_its_published_schema(job: Job) -> None:
    schema = page_schema()
    for tree in trees(job, "page-xml"):
        schema.assertValid(tree)
    tree = trees(job, "page-xml")[-1]
    glyph = tree.find(".//page:Glyph", NAMESPACES)
    assert glyph is not None
    assert [
        (one.get("index"), one.get("conf"), one.findtext("page:Unicode", namespaces=NAMESPACES))
        for one in glyph.findall("page:TextEquiv", NAMESPACES)
    ] == [("0", "0.9877", "N"), ("1", "0.0100", "M"), ("2", "0.0023", "H")]
    assert tree.findtext(".//page:TextRegion/page:TextEquiv/page:Unicode", namespaces=NAMESPACES) == "NO A\n0"
