"""Makes the files of the cases that the project made itself: the same fonts give the same pages.

    python -m tests.cases.make --fonts FOLDER [NAME …]

examples/README.md says how to get the fonts. With names, only files whose path contains one of them are made.
Each module of makers/ has a dictionary `CASES`: the path of a file below files/ → the function that writes
the file. It is called with the path of the file and the folder of fonts.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path

import click

from tests.cases import makers

FILES = Path(__file__).parent / "files"

Maker = Callable[[Path, Path], None]


def all_makers() -> dict[str, Maker]:
    """Path of each file below files/ → what makes it."""
    found: dict[str, Maker] = {}
    for module in pkgutil.iter_modules(makers.__path__, f"{makers.__name__}."):
        found |= getattr(importlib.import_module(module.name), "CASES", {})
    return found


@click.command()
@click.option("--fonts", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.argument("names", nargs=-1)
def main(fonts: Path, names: tuple[str, ...]) -> None:
    """Make the files of the cases."""
    for name, make in all_makers().items():
        if not names or any(part in name for part in names):
            path = FILES / name
            path.parent.mkdir(parents=True, exist_ok=True)
            make(path, fonts)
            click.echo(f"{path.stat().st_size:8,} {name}")


if __name__ == "__main__":
    main()
