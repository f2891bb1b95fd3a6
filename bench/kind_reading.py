"""Measures how many values of a form with a field of each kind are right, or wrong and flagged.

    LETTERMILL_DATA=DATA python -m bench.kind_reading [--scans 200] [--fonts FOLDER] [--seed 1]

The form is filled and scanned as in bench/form_reading.py. A value is flagged if fields.csv names its field
in `look_at`.
"""

from __future__ import annotations

import collections
import tempfile
from pathlib import Path

import click
import numpy as np

from bench.pages import forms, kind_forms
from bench.pages.write import default_hands
from lettermill.jobs.inputs.form_template import read_template
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.records.readings import PageReading, Status
from lettermill.jobs.results.form_values import form_values
from lettermill.jobs.settings import ALPHABETS, Settings
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.forms import Form


@click.command(help=__doc__)
@click.option("--scans", default=200)
@click.option("--fonts", type=click.Path(path_type=Path), help="In place of LETTERMILL_DATA's writers.")
@click.option("--seed", default=1)
@click.option("--show", is_flag=True, help="Print each wrong value.")
def main(scans: int, fonts: Path | None, seed: int, show: bool) -> None:
    hands = default_hands(fonts)
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        template = read_template(kind_forms.write_template(Path(folder)))
    form = Form(template, Classifier(load_model(installed_model_folder()), ALPHABETS["alnum"]))
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for number in range(scans):
        texts = kind_forms.texts(rng)
        written = {name: text for name, (text, _) in texts.items()}
        page = kind_forms.filled(written, hands[number % len(hands)], rng)
        lines, _ = form.read(forms.distorted(page, rng)[0], Settings(alphabet="alnum"))
        found = form_values(template, PageReading("", "", 1, Status.DONE, lines=lines))
        for field, value in zip(template.fields, found.values, strict=True):
            kind = "tick" if field.name.startswith("tick_") else field.name
            right, flagged = value.checked.value == texts[field.name][1], field.name in found.look_at
            said = f"{'right' if right else 'wrong'}, {'flagged' if flagged else 'not flagged'}"
            counts[kind][said] += 1
            if show and not right:
                doubt = value.checked.broken or "no rule broken"
                click.echo(f"{number} {field.name}: {texts[field.name]}, {value.text!r}, {said}: {doubt}")
    for kind, of_kind in counts.items():
        click.echo(f"{kind:8} " + ", ".join(f"{said} {count}" for said, count in sorted(of_kind.items())))
    silent = sum(of_kind["wrong, not flagged"] for of_kind in counts.values())
    total = sum(map(sum, (of_kind.values() for of_kind in counts.values())))
    click.echo(f"right or flagged: {total - silent} of {total} ({1 - silent / total:.2%})")


if __name__ == "__main__":
    main()
