"""The review page and the report in a real browser: mouse, keys, narrow windows, print, accessibility."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.job.corrections import Corrections
from lettermill.jobs.job.folder import Job
from lettermill.jobs.results.write import write_results
from tests.form_jobs import field, form_job


def decisions(job: Job) -> list[tuple[int, int, str, str]]:
    return sorted((one.line, one.position, one.decision.value, one.corrected) for one in Corrections(job))


RIGHT = [(1, position, "right", "V") for position in (1, 2, 4, 5, 6)]


def test_with_the_keyboard_alone(job: Job, reviewing: Callable[[Job], str], page: Page) -> None:
    page.goto(reviewing(job))
    expect(page.get_by_role("heading", name="Review")).to_be_visible()
    page.get_by_role("link", name="sheet by sheet").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("checkbox")).to_have_count(6)
    page.wait_for_load_state("networkidle")
    # The focus is on the first letter.
    for key in ("ArrowRight", "ArrowRight", "Space", "End", "Home", "Enter"):
        page.keyboard.press(key)
    # There is no other sheet, so the single letters follow.
    expect(page.get_by_role("heading")).to_contain_text("This is not V")
    expect(page.get_by_text("1 letter is marked wrong and not corrected yet")).to_be_visible()
    assert decisions(job) == sorted([*RIGHT, (1, 3, "wrong", "")])
    page.wait_for_load_state("networkidle")
    page.keyboard.press("2")
    expect(page.get_by_role("heading")).to_contain_text("read as Q")
    assert (1, 3, "corrected", "Y") in decisions(job)
    page.wait_for_load_state("networkidle")
    page.keyboard.press("#")
    expect(page.get_by_role("status")).to_contain_text("No single letters are left")
    expect(page.get_by_text("No doubtful letters are left. To finish")).to_be_visible()
    assert (2, 1, "no letter", "") in decisions(job)
    page.wait_for_load_state("networkidle")
    page.keyboard.press("Control+z")
    expect(page.get_by_role("heading")).to_contain_text("read as Q")
    page.wait_for_load_state("networkidle")
    page.keyboard.press("q")
    expect(page.get_by_role("status")).to_contain_text("No single letters are left")
    assert decisions(job) == sorted([*RIGHT, (1, 3, "corrected", "Y"), (2, 1, "right", "Q")])


def test_with_the_mouse_and_undo(job: Job, reviewing: Callable[[Job], str], page: Page) -> None:
    page.goto(reviewing(job))
    page.get_by_role("link", name="doubtful letters, read as V").click()
    page.wait_for_load_state("networkidle")
    page.locator(".tile").nth(2).click()
    expect(page.get_by_role("checkbox").nth(2)).to_be_checked()
    expect(page.locator(".tile").nth(2).get_by_text("wrong")).to_be_visible()
    page.get_by_role("button", name="The others are right").click()
    expect(page.get_by_role("heading")).to_contain_text("This is not V")
    assert len(decisions(job)) == 6
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("checkbox")).to_have_count(6)
    assert decisions(job) == []
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()


def test_a_mark_that_says_no_letter(job: Job, reviewing: Callable[[Job], str], page: Page) -> None:
    page.goto(reviewing(job))
    page.goto(f"{page.url}sheet/V", wait_until="networkidle")
    page.locator(".tile").nth(1).click()
    page.locator(".tile").nth(1).click()
    expect(page.locator(".tile").nth(1).get_by_text("no letter")).to_be_visible()
    for _ in range(3):
        page.locator(".tile").nth(2).click()
    expect(page.get_by_role("checkbox").nth(2)).not_to_be_checked()
    page.get_by_role("checkbox").nth(3).focus()
    page.keyboard.press("#")
    expect(page.get_by_role("checkbox", name="Letter 4 is no letter")).to_be_checked()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading")).to_contain_text("read as Q")
    assert [one[2] for one in decisions(job)] == [
        "right",
        "no letter",
        "right",
        "no letter",
        "right",
        "right",
    ]


def assert_fits_and_accessible(page: Page, address: str) -> None:
    """Nothing is cut off on a telephone, a small and a large screen; axe-core finds no fault."""
    for width in (375, 1440, 1024):
        page.set_viewport_size({"width": width, "height": 768})
        page.goto(address, wait_until="networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_every_page_fits_and_is_accessible(job: Job, reviewing: Callable[[Job], str], page: Page) -> None:
    page.goto(reviewing(job))
    overview = page.url
    for address in (overview, f"{overview}sheet/V", f"{overview}letter"):
        assert_fits_and_accessible(page, address)
        assert page.locator("html[lang=en] main h1").count() == 1
        page.emulate_media(media="print")
        expect(page.get_by_role("button", name="Undo")).to_be_hidden()
        page.emulate_media(media="screen")


def test_the_report_fits_and_is_accessible(job: Job, page: Page) -> None:
    write_results(job)
    assert_fits_and_accessible(page, Path(f"{job.path}/summary.html").as_uri())


def test_a_connection_that_is_lost(job: Job, reviewing: Callable[[Job], str], page: Page) -> None:
    """What was marked stays on the page, and goes through once the connection is back."""
    page.goto(reviewing(job))
    other = page.context.new_page()  # Its console may complain.
    other.goto(f"{page.url}sheet/V", wait_until="networkidle")
    other.locator(".tile").nth(2).click()
    page.context.set_offline(True)
    other.get_by_role("button", name="The others are right").click()
    expect(other.get_by_role("alert")).to_contain_text("does not answer")
    expect(other.get_by_role("checkbox").nth(2)).to_be_checked()
    assert decisions(job) == []
    page.context.set_offline(False)
    other.get_by_role("button", name="The others are right").click()
    expect(other.get_by_role("heading")).to_contain_text("This is not V")
    assert decisions(job) == sorted([*RIGHT, (1, 3, "wrong", "")])


def test_two_tabs_have_different_letters(job: Job, reviewing: Callable[[Job], str], page: Page) -> None:
    address = reviewing(job)
    page.goto(address)
    page.goto(f"{page.url}sheet/V")
    other = page.context.new_page()
    other.goto(address)
    other.goto(f"{other.url}sheet/V")
    expect(other.get_by_role("status")).to_contain_text("are being reviewed elsewhere")


def test_another_site_sends_a_form(job: Job, reviewing: Callable[[Job], str], page: Page) -> None:
    """A page from elsewhere that knows the port, in the browser that is let in."""
    page.goto(reviewing(job))
    action = f"{page.url}sheet/V"
    other = page.context.new_page()
    other.set_content(f'<form method="post" action="{action}"><input name="letter" value="0-0"><button>')
    other.get_by_role("button").click()
    expect(other.get_by_text("has no access").or_(other.get_by_text("not sent by"))).to_be_visible()
    assert decisions(job) == []


@pytest.fixture
def form(tmp_path: Path) -> Job:
    """Two forms: a doubtful surname and no number, which is required; and a doubtful surname."""
    model = load_model(installed_model_folder())
    doubtful, sure = field("surname", "FENVICK", 0.6), field("number", "7123")
    return form_job(tmp_path, tmp_path / "cards", model, (doubtful,), (doubtful, sure))


def texts(job: Job) -> list[tuple[str, str]]:
    return sorted((one.field, one.text) for one in Corrections(job).fields())


def test_fields_with_the_keyboard_alone(form: Job, reviewing: Callable[[Job], str], page: Page) -> None:
    page.goto(reviewing(form), wait_until="networkidle")
    expect(page.get_by_role("heading", level=1)).to_contain_text("2 fields to look at")
    expect(page.get_by_text("empty, but required")).to_be_visible()
    expect(page.get_by_role("textbox", name="surname")).to_be_focused()
    page.keyboard.type("fenwick")  # What was read is selected.
    page.keyboard.press("Tab")
    expect(page.get_by_role("textbox", name="number")).to_be_focused()
    assert texts(form) == []
    page.keyboard.type("0042")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("1.png")
    assert texts(form) == [("number", "0042"), ("surname", "FENWICK")]
    page.wait_for_load_state("networkidle")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("status")).to_contain_text("No fields are left to look at")
    assert len(texts(form)) == 5
    page.wait_for_load_state("networkidle")
    page.keyboard.press("Control+z")
    expect(page.locator("h1")).to_contain_text("1.png")
    assert len(texts(form)) == 2
    page.wait_for_load_state("networkidle")
    page.keyboard.type("F")
    page.keyboard.press("Control+z")  # Undoes the typing alone.
    expect(page.get_by_role("textbox", name="surname")).to_have_value("FENVICK")
    assert len(texts(form)) == 2


def test_fields_with_the_mouse(form: Job, reviewing: Callable[[Job], str], page: Page) -> None:
    page.goto(reviewing(form), wait_until="networkidle")
    page.get_by_role("textbox", name="town").click()
    expect(page.locator("#page")).to_have_attribute("src", "/picture/form/0/town")
    page.get_by_role("button", name="Accept surname").click()
    expect(page.locator("h1")).to_contain_text("1 field to look at")
    assert texts(form) == [("surname", "FENVICK")]
    page.wait_for_load_state("networkidle")
    page.get_by_role("button", name="Skip this form").click()
    expect(page.locator("h1")).to_contain_text("1.png")


def test_the_page_of_a_form_fits_and_is_accessible(
    form: Job, reviewing: Callable[[Job], str], page: Page
) -> None:
    page.goto(reviewing(form))
    overview = page.url.removesuffix("form")
    for address in (f"{overview}form", f"{overview}form/1", overview):
        assert_fits_and_accessible(page, address)
