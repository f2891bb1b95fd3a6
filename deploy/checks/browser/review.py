"""The review page and the report in a real browser: mouse, keys, narrow windows, print, accessibility."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from lettermill.jobs.job.corrections import Corrections
from lettermill.jobs.job.folder import Job
from lettermill.jobs.results.write import write_results


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
