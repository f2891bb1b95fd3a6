"""The command `lettermill evaluate`; what is heavy is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lettermill.training.commands.data_option import data_option
from lettermill.training.commands.extra import require_extra

if TYPE_CHECKING:
    from lettermill.training.reports.evaluation import MeasuredAlphabet


@click.command()
@data_option(required=True)
@click.option(
    "--model",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="MODEL_DIR",
    help="A folder that `lettermill train` wrote; by default the model that comes with Lettermill.",
)
@click.option(
    "--alphabet",
    type=click.Choice(["letters", "digits", "alnum", "all"]),
    help="Which letters are measured, and which characters may be answered; by default capitals, or all "
    "classes of a model that was trained on others.",
)
@click.option(
    "--compare",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="MODEL_DIR",
    help="Another model, to see what changed from it.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write a report there: a page with plots and pictures of the worst errors, the numbers as JSON and "
    "CSV.",
)
def evaluate(
    folders: tuple[Path, ...],
    model: Path | None,
    alphabet: MeasuredAlphabet | None,
    compare: Path | None,
    out: Path | None,
) -> None:
    """Measure a model on labelled letters: accuracy, loss and calibration for each source.

    The figures are meaningful only for letters that the model was not trained on.

    \b
    Example:
      lettermill evaluate --data our-letters --model models/ours --out evaluation
    """
    require_extra("scipy", "measuring")
    from lettermill.jobs.inputs.model import MODEL_FILE, installed_model_folder, load_model
    from lettermill.training.letters import published
    from lettermill.training.reports import evaluation
    from lettermill.training.reports.report_content import headline
    from lettermill.training.reports.report_text import change_text, table_text
    from lettermill.training.reports.training_report import PAGE_FILE, check_folder, write_report

    if out is not None:
        check_folder(out)
    folder = model or installed_model_folder()
    chosen = load_model(folder)
    other = load_model(compare) if compare else None
    characters = evaluation.answerable(chosen, alphabet)
    found = published.letters_to_measure(folders, chosen.card, click.echo)
    letters = evaluation.measurable(found, characters)
    answers = evaluation.answers_of(chosen, letters, characters)
    measured = headline(answers)
    click.echo(table_text(measured))
    compared = evaluation.compared_with(other, letters, characters) if other else None
    if compared:
        click.echo(f"\nthe same letters with {compared.name}:\n{table_text(compared.measured)}")
        click.echo(f"\n{change_text(answers, compared.answers)}")
    if out is not None:
        network = folder / MODEL_FILE
        report = evaluation.evaluation_report(chosen, network, letters, answers, measured, compared)
        write_report(out, report)
        click.echo(f"\nreport      {out / PAGE_FILE}")
