"""hOCR files keep the rules of their specification."""

from __future__ import annotations

from lettermill.jobs.job.folder import Job
from tests.exports import NAMESPACES, trees


def test_hocr_keeps_the_rules_of_its_specification(job: Job) -> None:
    for tree in trees(job, "hocr"):
        head = {
            meta.get("name"): str(meta.get("content")) for meta in tree.findall(".//hocr:meta", NAMESPACES)
        }
        assert head["ocr-system"] == "Lettermill 0.1.0"
        assert tree.findtext(".//hocr:style", namespaces=NAMESPACES) == ".ocr_line { display: block }"
        elements = [one for one in tree.getroot().iter() if str(one.get("class")).startswith("ocr")]
        assert {str(one.get("class")) for one in elements} <= set(head["ocr-capabilities"].split())
        for one in elements:
            kind, properties = str(one.get("class")), str(one.get("title")).split("; ")
            names = [each.split(" ", 1)[0] for each in properties]
            assert len(names) == len(set(names))
            box = next(each for each in properties if each.split()[0] in ("bbox", "x_bboxes"))
            left, top, right, bottom = (int(value) for value in box.split()[1:])
            assert 0 <= left < right <= 60
            assert 0 <= top < bottom <= 40
            parent = one.getparent()
            assert parent is not None
            if kind == "ocr_page":
                assert {"image", "bbox", "ppageno"} <= set(names)
            else:
                inside = {"ocr_line": "ocr_page", "ocrx_word": "ocr_line", "ocrx_cinfo": "ocrx_word"}
                assert parent.get("class") == inside[kind]
    lines = trees(job, "hocr")[-1].findall(".//hocr:span[@class='ocr_line']", NAMESPACES)
    assert ["".join(line.itertext()).strip() for line in lines] == ["NO A", "0"]
    word = lines[0][0]
    assert word.get("title") == "bbox 4 4 22 15; x_wconf 99"
    assert word[0].get("title") == "x_bboxes 4 4 12 15; x_confs 98.77"
