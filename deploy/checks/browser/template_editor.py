"""The template editor in a real browser: mouse, keys, errors at their field, a try, narrow windows, axe."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.support import ROOT, Starter, wait_for

FORM = ROOT / "examples" / "form"


@pytest.fixture
def template(tmp_path: Path) -> Path:
    for name in ("blank.png", "form.toml", "towns.txt"):
        shutil.copy(FORM / name, tmp_path)
    return tmp_path / "form.toml"


@pytest.fixture
def edited(start: Starter, tmp_path: Path, template: Path, page: Page) -> Callable[[Page], Page]:
    """Start the editor; opens its address in a page."""
    start("template", "edit", template, "--no-browser", "--scans", FORM / "scans" / "desk")
    log = tmp_path / "process-0.log"
    wait_for(lambda: "editor: " in log.read_text(), what="the address")
    address = re.findall(r"^editor: (\S+)$", log.read_text(), re.MULTILINE)[0]

    def opened(page: Page) -> Page:
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        return page

    return opened


def fields(template: Path) -> list[dict[str, Any]]:
    return list(tomllib.loads(template.read_text())["fields"])


def field(page: Page, name: str) -> Locator:
    return page.locator("#drawing").get_by_role("button", name=re.compile(rf"^{name}, "))


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag on the form, in pixels of the blank."""
    for act, (x, y) in ((page.mouse.down, start), (page.mouse.up, end)):
        at = page.evaluate(
            "([x, y]) => { const at = new DOMPoint(x, y).matrixTransform(drawing.getScreenCTM());"
            " return [at.x, at.y]; }",
            [x, y],
        )
        page.mouse.move(*at, steps=3)
        act()


def save(page: Page) -> None:
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("All is saved.")).to_be_visible()


def test_with_the_mouse(template: Path, edited: Callable[[Page], Page], page: Page) -> None:
    edited(page)
    drag(page, (1150, 1164), (1650, 1060))
    page.get_by_label("Name", exact=True).fill("warden")
    page.get_by_label("Kind").select_option("signature")
    expect(page.get_by_label("Characters")).to_have_count(0)
    save(page)
    drawn = fields(template)[-1]
    assert (drawn["name"], drawn["kind"]) == ("warden", "signature") and set(drawn) == {"name", "kind", "box"}
    assert drawn["box"] == pytest.approx([1150, 1060, 500, 104], abs=3)

    drag(page, (1300, 1100), (1250, 1090))
    save(page)
    x, y, width, height = fields(template)[-1]["box"]
    assert (x - drawn["box"][0], y - drawn["box"][1]) == pytest.approx((-50, -10), abs=3)
    assert [width, height] == drawn["box"][2:]
    drag(page, (x + width, y + height), (x + width + 40, y + height - 20))
    save(page)
    assert fields(template)[-1]["box"] == pytest.approx([x, y, width + 40, height - 20], abs=3)
    for _ in range(2):
        page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Redo").click()
    save(page)
    assert fields(template)[-1]["box"] == [x, y, width, height]
    assert len(list((template.parent / "form-versions").iterdir())) == 4


def test_split_join_duplicate_delete(template: Path, edited: Callable[[Page], Page], page: Page) -> None:
    before = fields(template)
    edited(page)
    field(page, "surname").click()
    page.get_by_role("button", name="Split ◧").click()
    save(page)
    one, other = fields(template)[:2]
    assert (one["name"], one["comb"], one["box"]) == ("surname", 7, [90, 280, 504, 90])
    assert (other["name"], other["comb"], other["box"]) == ("surname_1", 7, [594, 280, 504, 90])
    page.get_by_role("button", name="Join").click()
    save(page)
    assert fields(template) == before
    field(page, "lent").click()
    page.get_by_role("button", name="Split ⬒").click()
    page.get_by_role("button", name="Delete").click()
    save(page)
    assert [one["name"] for one in fields(template)] == [
        one["name"] for one in before if one["name"] != "lent"
    ]
    field(page, "remarks").click()
    page.get_by_role("button", name="Duplicate").click()
    save(page)
    assert fields(template)[-1] == before[-1] | {"name": "remarks_1", "box": [90, 880, 1568, 90]}


def test_with_the_keyboard_alone(template: Path, edited: Callable[[Page], Page], page: Page) -> None:
    edited(page)
    field(page, "shelf").focus()
    for key in ("Enter", "ArrowRight", "Control+ArrowDown", "Shift+ArrowLeft", "Alt+ArrowUp"):
        page.keyboard.press(key)
    expect(field(page, "shelf")).to_be_focused()
    field(page, "lent").focus()
    page.keyboard.press("Delete")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+s")
    expect(page.get_by_text("All is saved.")).to_be_visible()
    found = fields(template)
    assert [one["name"] for one in found[4:]] == ["shelf", "town", "lent", "remarks"]
    assert found[4]["box"] == [911, 630, 329, 90]
    page.get_by_role("button", name="New field").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_have_value("field_1")
    expect(field(page, "field_1")).to_be_focused()


def test_what_is_typed_is_kept(template: Path, edited: Callable[[Page], Page], page: Page) -> None:
    """However the control is left, and what is clicked next gets the click."""
    edited(page)
    name = page.get_by_label("Name", exact=True)
    name.fill("family")
    name.press("Tab")
    expect(page.get_by_label("Kind")).to_be_focused()
    expect(field(page, "family")).to_be_visible()
    name.fill("last")
    page.locator("#list").get_by_role("button", name="card").click()
    expect(name).to_have_value("card")
    name.fill("number")
    field(page, "town").click()
    expect(name).to_have_value("town")
    page.get_by_label("Cells of the comb").fill("20")
    page.keyboard.press("Control+s")
    expect(page.get_by_text("All is saved.")).to_be_visible()
    found = fields(template)
    assert [one["name"] for one in found[:2]] == ["last", "number"] and found[4]["comb"] == 20


def test_an_error_is_at_its_field(template: Path, edited: Callable[[Page], Page], page: Page) -> None:
    before = template.read_bytes()
    other = edited(page.context.new_page())  # Its console may complain.
    field(other, "born").click()
    other.get_by_label("Kind").select_option("date")
    field(other, "lent").click()
    other.get_by_role("button", name="Save").click()
    expect(other.get_by_role("alert")).to_contain_text("born: order is missing")
    expect(other.get_by_label("Order", exact=True)).to_have_attribute("aria-invalid", "true")
    assert template.read_bytes() == before
    other.get_by_label("Order", exact=True).select_option("YMD")
    save(other)
    assert fields(template)[3]["order"] == "YMD"
    expect(other.get_by_role("alert")).to_be_hidden()
    # A rule follows the names of its fields.
    other.get_by_text("Rules between fields").click()
    other.get_by_label("One a line").fill("lent < 30")
    other.get_by_label("One a line").blur()
    field(other, "lent").click()
    other.get_by_label("Name", exact=True).fill("books")
    save(other)
    assert tomllib.loads(template.read_text())["rules"] == ["books < 30"]


def test_a_try(template: Path, edited: Callable[[Page], Page], page: Page) -> None:
    """On a scan of the folder, then on one that is added; the template is not saved."""
    before = template.read_bytes()
    edited(page)
    field(page, "lent").click()
    page.get_by_label("Kind").select_option("amount")
    page.get_by_role("tab", name="Try").click()
    page.get_by_label("Scan", exact=True).select_option("flat.png")
    page.get_by_role("button", name="Read it").click()
    results = page.get_by_label("What was read").get_by_role("listitem")
    expect(results).to_have_count(8, timeout=120_000)
    expect(results.nth(0)).to_contain_text("FENWICK")
    expect(results.nth(6)).to_contain_text("lent has no decimal mark")
    expect(page.get_by_alt_text("surname on the scan")).to_be_visible()
    page.get_by_label("Add a scan").set_input_files(FORM / "scans" / "photographs" / "lamp.jpg")
    expect(results.nth(0)).to_contain_text("LARKDEN", timeout=120_000)
    assert template.read_bytes() == before


def test_it_fits_and_is_accessible(edited: Callable[[Page], Page], page: Page) -> None:
    edited(page)
    for tab in ("Try", "Fields"):
        page.get_by_role("tab", name=tab).click()
        for width in (375, 1440, 1024):
            page.set_viewport_size({"width": width, "height": 768})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.documentElement.scrollHeight") <= 768
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def test_a_connection_that_is_lost(template: Path, edited: Callable[[Page], Page], page: Page) -> None:
    """What was changed stays on the page."""
    other = edited(page.context.new_page())  # Its console may complain.
    field(other, "town").click()
    other.get_by_label("Name", exact=True).fill("village")
    page.context.set_offline(True)
    other.get_by_role("button", name="Save").click()
    expect(other.get_by_role("alert")).to_contain_text("does not answer")
    page.context.set_offline(False)
    save(other)
    assert fields(template)[4]["name"] == "village"
