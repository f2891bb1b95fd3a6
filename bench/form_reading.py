"""Measures how well scans of the example form are laid on its blank and read, and whether others are refused.

    LETTERMILL_DATA=DATA python -m bench.form_reading [--fonts FOLDER] [--empty SHARE] [--cnn-alone]

The form is filled by writers that the CNN was not trained on, or in fonts, then scanned or photographed:
shifted, turned by up to 5° from any quarter turn, scaled by 0.5 to 1.5, seen from aside, unevenly lit,
blurred, noisy, as JPEG. The same seed gives the same scans. `--empty` leaves a share of the fields empty, and
`--cnn-alone` reads without the line network.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import click
import numpy as np
from rapidfuzz.distance import Levenshtein

from bench.pages import forms
from bench.pages.write import default_hands
from examples import make_form
from lettermill.jobs.inputs.form_template import read_template
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.records.readings import LineReading
from lettermill.jobs.settings import ALPHABETS, Settings
from lettermill.segmentation.registration import Registration, prepare, register
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.forms import Form

TEMPLATE = Path(__file__).parents[1] / "examples" / "form" / "form.toml"

WITHIN = 2.0
"""Pixels at 300 dpi."""


@dataclasses.dataclass
class Tally:
    """What became of the fields of one name that were filled; spaces don't count."""

    fields: int = 0
    exact: int = 0
    flagged: int = 0
    missed: int = 0
    edits: int = 0
    characters: int = 0
    invented: int = 0
    """Letters that were read in empty fields."""

    def add(self, written: str, line: LineReading | None) -> None:
        truth, found = written.replace(" ", ""), line.text.replace(" ", "") if line else ""
        if not truth:
            self.invented += len(found)
            return
        flagged = line is None or any(letter.flagged for letter in line.letters)
        self.fields += 1
        self.exact += truth == found
        self.flagged += flagged
        self.missed += truth != found and not flagged
        self.edits += Levenshtein.distance(truth, found)
        self.characters += len(truth)


@click.command()
@click.option("--scans", default=200)
@click.option("--others", default=50)
@click.option("--fonts", type=click.Path(path_type=Path), help="In place of LETTERMILL_DATA's writers.")
@click.option("--empty", default=0.0, help="Share of the fields that are left empty.")
@click.option("--cnn-alone", is_flag=True)
@click.option("--seed", default=1)
def main(scans: int, others: int, fonts: Path | None, empty: float, cnn_alone: bool, seed: int) -> None:
    hands = default_hands(fonts)
    rng = np.random.default_rng(seed)
    blank = prepare(forms.blank())
    classifier = Classifier(load_model(installed_model_folder()), ALPHABETS["alnum"])
    if cnn_alone:
        classifier.line_network = None
    form = Form(read_template(TEMPLATE), classifier)
    tallies = {field.name: Tally() for field in make_form.FIELDS}
    errors: list[float] = []
    seconds: list[float] = []
    registered: list[Registration] = []
    for number in range(scans):
        texts = forms.texts(rng)
        written = {name: "" if empty and rng.random() < empty else text for name, text in texts.items()}
        page = forms.filled(written, hands[number % len(hands)], rng)
        scan, true = forms.distorted(page, rng)
        begun = time.perf_counter()
        found = register(blank, scan, forms.BOXES)
        seconds.append(time.perf_counter() - begun)
        registered.append(found)
        if found.matches:
            lines, _ = form.read(scan, Settings(alphabet="alnum"))
            read = {line.field: line for line in lines}
            for name, tally in tallies.items():
                tally.add(written[name], read.get(name))
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
    for name, tally in tallies.items():
        click.echo(
            f"{name:<9} CER {tally.edits / max(1, tally.characters):.2%}, "
            f"exact {tally.exact} of {tally.fields}, flagged {tally.flagged}, "
            f"wrong and not flagged {tally.missed}, invented {tally.invented}"
        )
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
