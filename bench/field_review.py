"""Reviews forms field by field in a real browser, with the truth as the reviewer, and counts what it takes.

    LETTERMILL_DATA=DATA python -m bench.field_review OUT [--forms N] [--empty SHARE] [--picture FILE]

The example form is filled and scanned as in `bench.form_reading` and read by `lettermill run`. Then Chromium
opens the page of `lettermill review`, and a reviewer who never errs looks at each field that the page offers:
Enter where the box has the truth, else the truth typed and Enter. No field is looked at that is not offered.
"""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from bench.form_reading import TEMPLATE
from bench.pages import forms
from bench.pages.write import default_hands

CHROMIUM = "/usr/bin/chromium"

Truth = dict[str, dict[str, str]]
"""What is written in each field of each scan."""


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--forms", "count", default=25)
@click.option("--empty", default=0.1, help="Share of the fields that are left empty.")
@click.option("--picture", type=click.Path(path_type=Path), help="Where a picture of the page goes.")
@click.option("--seed", default=7)
def main(out: Path, count: int, empty: float, picture: Path | None, seed: int) -> None:
    truth = _draw(out / "scans", count, empty, seed)
    lettermill = [sys.executable, "-m", "lettermill"]
    subprocess.run(
        [*lettermill, "run", out / "scans", "--out", out / "results", "--template", TEMPLATE], check=True
    )
    job = out / "results" / "latest"
    before = _wrong(job, truth)
    log = (out / "review.log").open("w")
    review = subprocess.Popen([*lettermill, "review", job, "--no-browser"], stdout=log, stderr=log)
    try:
        while not (found := re.search(r"^review: (\S+)$", (out / "review.log").read_text(), re.MULTILINE)):
            if review.poll() is not None:
                raise click.ClickException((out / "review.log").read_text())
            time.sleep(0.1)
        offered, accepted, keys = _review(found[1], truth, picture)
    finally:
        review.terminate()
        review.wait()
    subprocess.run([*lettermill, "collect", job], check=True)
    after = _wrong(job, truth)
    fields = sum(len(written) for written in truth.values())
    click.echo(
        f"{count} forms, {fields} fields, {len(before)} wrong as read; {offered} offered, {accepted} of them "
        f"right; {keys} keys; {len(after)} wrong afterwards: {', '.join(after)}"
    )


def _draw(folder: Path, count: int, empty: float, seed: int) -> Truth:
    folder.mkdir(parents=True)
    hands, rng = default_hands(None), np.random.default_rng(seed)
    truth: Truth = {}
    for number in range(count):
        texts = forms.texts(rng)
        written = {name: "" if rng.random() < empty else text for name, text in texts.items()}
        scan, _ = forms.distorted(forms.filled(written, hands[number % len(hands)], rng), rng)
        Image.fromarray(scan).save(folder / f"{number:03}.png")
        truth[f"{number:03}.png"] = written
    return truth


def _review(address: str, truth: Truth, picture: Path | None) -> tuple[int, int, int]:
    """Review all that the page offers; return fields, those that were right, and keys pressed."""
    offered = accepted = keys = 0
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1024, "height": 768}).new_page()
        page.goto(address, wait_until="networkidle")
        while page.url.rpartition("/")[2] != "":
            if picture and offered == 0:
                page.screenshot(path=picture)
            written = truth[page.locator("h1 .name").inner_text()]
            name, text = _focused(page)
            offered += 1
            if text == written[name]:
                accepted += 1
            else:
                page.keyboard.type(written[name])
                if not written[name]:
                    page.keyboard.press("Delete")
                keys += max(1, len(written[name]))
            with page.expect_navigation(wait_until="networkidle"):
                page.keyboard.press("Enter")
            keys += 1
        browser.close()
    return offered, accepted, keys


def _focused(page: Page) -> tuple[str, str]:
    """Return the name and the text of the field that has the cursor."""
    name, text = page.evaluate("[document.activeElement.name, document.activeElement.value]")
    return name.removeprefix("text:"), text


def _wrong(job: Path, truth: Truth) -> list[str]:
    """Return the fields of fields.csv that are not as written; spaces count."""
    with (job / "fields.csv").open(encoding="utf-8", newline="") as file:
        return [
            f"{row['scan']} {name} {row[name]!r} for {text!r}"
            for row in csv.DictReader(file)
            for name, text in truth[row["scan"]].items()
            if row[name] != text
        ]


if __name__ == "__main__":
    main()
