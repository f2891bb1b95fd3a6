"""Measures `lettermill export` of jobs of many pages in each format; see docs/export.md.

    python -m bench.exports --out OUT

Each export is the command itself, in a process of its own: its wall time, its processor time and its peak
resident memory, with that of the child that opens scans. No page is read: `scale.py` writes the results.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from bench.scale import cost, draw, write_results
from lettermill.jobs.export.formats import FORMATS
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.make import make_job
from lettermill.jobs.settings import Settings
from tests.support import disk_roots


@click.command(help=__doc__)
@click.option("--sizes", type=int, multiple=True, default=(5000, 20000), help="Pages of a job.")
@click.option("--letters", default=50, help="Letters a page.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
def main(sizes: tuple[int, ...], letters: int, out: Path) -> None:
    click.echo("| Format | pages | pages/s | CPU s | MB at most | written, MB |\n|---|" + "---:|" * 5)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as temporary:
        for pages in sizes:
            folder = Path(temporary) / str(pages)
            draw(folder / "scans", pages)
            roots = disk_roots(folder / "scans", folder / "out")
            model = load_model(installed_model_folder())
            job = make_job(roots.scans, roots.results, ReadingRecipe(Settings(), model), roots).job
            write_results(job, letters)
            cost("status", job.path)  # So that the folders are in the system's memory.
            for name, form in FORMATS.items():
                took = cost("export", job.path, "--format", name)
                place = Path(f"{job.path}/export/{form.file}")
                files = [path for path in [place, *place.rglob("*")] if path.is_file()]
                cells = [f"{pages:,}", f"{pages / took.seconds:,.0f}", f"{took.cpu:.1f}"]
                written = sum(path.stat().st_size for path in files) / 1e6
                click.echo(
                    f"| `{name}` | " + " | ".join([*cells, f"{took.megabytes:.0f}", f"{written:,.0f}"]) + " |"
                )


if __name__ == "__main__":
    main()
