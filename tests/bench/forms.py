"""How well scans of the example form are laid on its blank, and whether other forms are told from it.

    PYTHONPATH=.:tests LETTERMILL_DATA=DATA python tests/bench/forms.py [--fonts FOLDER]

The form is filled by writers that the CNN was not trained on, or in fonts, then scanned or photographed:
shifted, turned by up to 5° beside any quarter turn, 0.5 to 1.5 times as large, seen from aside, unevenly
lit, blurred, noisy, as JPEG. The same seed gives the same scans.
"""

from __future__ import annotations

import time
from pathlib import Path

import click
import numpy as np
from bench.difficulties import default_hands
from pages import forms

from segmentation.registration import Registration, prepare, register

WITHIN = 2.0
"""Pixels at 300 dpi."""


@click.command()
@click.option("--scans", default=200)
@click.option("--others", default=50)
@click.option("--fonts", type=click.Path(path_type=Path), help="In place of LETTERMILL_DATA's writers.")
@click.option("--seed", default=1)
def main(scans: int, others: int, fonts: Path | None, seed: int) -> None:
    hands = default_hands(fonts)
    rng = np.random.default_rng(seed)
    blank = prepare(forms.blank())
    errors: list[float] = []
    seconds: list[float] = []
    registered: list[Registration] = []
    for number in range(scans):
        page = forms.filled(forms.texts(rng), hands[number % len(hands)], rng)
        scan, true = forms.distorted(page, rng)
        begun = time.perf_counter()
        found = register(blank, scan, forms.BOXES)
        seconds.append(time.perf_counter() - begun)
        registered.append(found)
        if found.matches:
            errors += [forms.field_error(box, found.to_scan, true) for box in forms.BOXES]
        else:
            click.echo(f"scan {number} is refused: {found.found:.2f} of the print, lost {found.lost}")
    refused = sum(not found.matches for found in registered)
    near = sum(error <= WITHIN for error in errors)
    shares = [found.found for found in registered]
    click.echo(f"{scans} scans, {refused} refused; {near} of {len(errors)} fields within {WITHIN:g} px")
    click.echo(
        f"error in px: median {np.median(errors):.2f}, 99 % {np.percentile(errors, 99):.2f}, "
        f"most {max(errors):.2f}"
    )
    click.echo(
        f"print found: least {min(shares):.2f}, median {np.median(shares):.2f}; "
        f"residual at most {max(found.residual for found in registered):.2f} px"
    )
    click.echo(f"seconds a scan: median {np.median(seconds):.2f}, most {max(seconds):.2f}")
    draws: dict[str, forms.Draw] = {
        "other forms": forms.other_form,
        "other editions": forms.other_edition,
    }
    for what, draw in draws.items():
        strange = [register(blank, forms.distorted(draw(rng), rng)[0], forms.BOXES) for _ in range(others)]
        taken = sum(found.matches for found in strange)
        most = max(found.found for found in strange)
        click.echo(f"{what}: {taken} of {others} taken for this form; print found: at most {most:.2f}")


if __name__ == "__main__":
    main()
