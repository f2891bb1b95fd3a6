"""What the editor answers: the template, a save, errors at their field, a try."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

from tests.worker.editor.conftest import FORM, Editing

EditingOf = Callable[..., Editing]


def test_the_page_and_the_template(editing: EditingOf, template: Path) -> None:
    browser = editing("--scans", FORM / "scans" / "desk")
    page = browser.open("/")
    assert "<h1>form.toml</h1>" in page and "/static/editor.js" in page
    found = browser.get("/template")
    assert found["values"] == tomllib.loads(template.read_text())
    assert (found["width"], found["height"]) == (1748, 1240)
    assert list(found["kinds"])[:3] == ["text", "name", "date"]
    assert found["sheets"] == sorted(path.name for path in (FORM / "scans" / "desk").iterdir())


def test_a_save_and_what_is_refused(editing: EditingOf, template: Path) -> None:
    browser = editing()
    found = browser.get("/template")
    values, digest = found["values"], found["digest"]
    values["fields"][3] = {"name": "born", "kind": "date", "order": "DMY", "box": [1154, 450, 288, 90]}
    answer = browser.send("/template", {"values": values, "digest": digest})
    assert answer["status"] == 200 and answer["digest"] != digest
    assert tomllib.loads(template.read_text())["fields"][3]["kind"] == "date"
    saved = template.read_bytes()
    # Another tab, with what was there before.
    stale = browser.send("/template", {"values": values, "digest": digest})
    assert stale["status"] == 422 and "was changed elsewhere" in stale["what"]

    def refused(change: Callable[[list[dict[str, object]]], object]) -> tuple[int, str, str]:
        fields = [dict(field) for field in values["fields"]]
        change(fields)
        sent = {"values": {**values, "fields": fields}, "digest": answer["digest"]}
        said = browser.send("/template", sent)
        assert said["status"] == 422
        return said["field"], said["key"], said["what"]

    assert refused(lambda fields: fields[3].pop("order")) == (3, "order", "order is missing")
    field, key, what = refused(lambda fields: fields[1].update(name="last name"))
    assert (field, key) == (1, "name") and what.endswith("(last_name)")
    assert refused(lambda fields: fields[2].update(name="card"))[:2] == (2, "name")
    field, key, what = refused(lambda fields: fields[1].update(box=[100, 300, 200, 50]))
    assert (field, key) == (1, "box") and "overlap" in what
    assert refused(lambda fields: fields[0].update(comb=0))[:2] == (0, "comb")
    assert refused(lambda fields: fields.clear())[:2] == (None, "fields")
    sent = {"values": {**values, "rules": ["born > lent"]}, "digest": answer["digest"]}
    said = browser.send("/template", sent)
    assert (said["field"], said["key"]) == (None, "rules")
    assert template.read_bytes() == saved


def test_what_makes_no_sense(editing: EditingOf) -> None:
    browser = editing()
    assert browser.send("/template", b"{")["status"] == 400
    assert browser.send("/template", {"values": {"blank": 3, "fields": []}, "digest": ""})["status"] == 400
    assert browser.send("/sheets/notes.txt", b"x")["status"] == 422
    values = browser.get("/template")["values"]
    assert browser.send("/try", {"values": values, "sheet": "gone.png", "page": 1})["status"] == 404
    assert browser.send("/sheets/a.png", b"no picture")["sheets"] == ["a.png"]
    said = browser.send("/try", {"values": values, "sheet": "a.png", "page": 1})
    assert said["status"] == 422 and "not a PNG" in said["what"]


def test_a_try_on_a_scan_that_is_sent(editing: EditingOf, template: Path) -> None:
    """The template need not be saved."""
    browser = editing()
    before = template.read_bytes()
    scan = sorted((FORM / "scans" / "desk").iterdir())[0]
    assert browser.send(f"/sheets/{scan.name}", scan.read_bytes())["sheets"] == [scan.name]
    values = browser.get("/template")["values"]
    values["fields"] = values["fields"][:1]
    values["fields"][0]["name"] = "family"
    said = browser.send("/try", {"values": values, "sheet": scan.name, "page": 1})
    assert [field["name"] for field in said["fields"]] == ["family"]
    assert said["fields"][0]["text"]
    assert template.read_bytes() == before and list(template.parent.glob("*versions")) == []
