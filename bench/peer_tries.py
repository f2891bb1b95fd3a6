"""Tries settings of Tesseract and RapidOCR on pages like those that `peers.py` measures.

    LETTERMILL_DATA=DATA python -m bench.peer_tries [--data FOLDER]

It writes the tables of tries into docs/benchmarks.md (a quarter of an hour); SETTINGS in `peers.py` is what
is chosen from them by hand: of the settings with at most a tenth more errors than the best, the fastest.
`--data` names a folder with other data for Tesseract than Debian's, a sub-folder each. What was tried came
from npm:

    npm pack @tesseract.js-data/eng@1.0.0 && tar xzf tesseract.js-data-eng-1.0.0.tgz
    mkdir -p other/best other/legacy
    gunzip -c package/4.0.0_best_int/eng.traineddata.gz >other/best/eng.traineddata
    gunzip -c package/4.0.0/eng.traineddata.gz >other/legacy/eng.traineddata
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from bench.docs_parts import table, write_part
from bench.peer_pages import A4, FIELDS, LETTERS, MIXED, PHOTOGRAPHS, PageSet, tuning_sets
from bench.peer_tools import NO_DETECTOR, Prepared, RapidOcr, Tesseract, read

SCALES = {
    LETTERS: (1.0, 0.5, 0.25),
    FIELDS: (1.0, 2.0, 3.0),
    PHOTOGRAPHS: (1.0, 0.5, 0.25),
    A4: (1.0, 0.5),
    MIXED: (1.0, 0.5),
}
MODES = {LETTERS: (10, 8, 7, 6, 13), FIELDS: (7, 6, 8, 13, 11)}
PAGE_MODES = (3, 4, 6, 11)
LIMITS = (("min", 736), ("max", 640), ("max", 960), ("max", 1536), ("max", 2560))
ONE_LINE = (LETTERS, FIELDS)

Peer = Tesseract | RapidOcr


def first_tries(pages: PageSet) -> Iterator[list[Peer]]:
    """Give groups of settings; of each peer's groups the better ones are varied further."""
    looks = [Prepared(cleaned, scale) for cleaned in (False, True) for scale in SCALES[pages.name]]
    modes = MODES.get(pages.name, PAGE_MODES)
    yield [Tesseract(mode, look) for mode, look in itertools.product(modes, looks)]
    if pages.name in ONE_LINE:
        yield [*(RapidOcr(NO_DETECTOR, look) for look in looks), RapidOcr(("max", 640))]
    else:
        # RapidOCR brings pages to the size that its detector wants, and lines to 48 pixels, by itself.
        yield [RapidOcr(limit) for limit in LIMITS]


def further(best: Peer, data: Path | None) -> list[Peer]:
    """Vary what is left of the best settings."""
    if isinstance(best, RapidOcr):
        if best.limit == NO_DETECTOR:
            return []
        return [RapidOcr(best.limit, best.prepared, 0.0), RapidOcr(best.limit, Prepared(cleaned=True))]
    tries: list[Peer] = [Tesseract(best.mode, best.prepared, whitelist=False)]
    if data is not None:
        others = sorted(folder for folder in data.iterdir() if folder.is_dir())
        tries += [Tesseract(best.mode, best.prepared, data=folder) for folder in others]
        tries += [
            Tesseract(best.mode, best.prepared, engine=0, data=folder)
            for folder in others
            if folder.name == "legacy"
        ]
    return tries


def attempt(peer: Peer, pages: PageSet) -> tuple[float, float, Peer]:
    """Read a set: its error rate, processor seconds a page, and the settings once more."""
    with tempfile.TemporaryDirectory() as name:
        ready = peer.prepared.write(pages, Path(name) / "pages")
        cost, texts = read(peer, ready, ready.files, Path(name) / "out", [0])
    done = ready.cer(texts), cost.processor / len(texts), peer
    click.echo(f"{pages.name}: {peer.name} {peer}: {done[0]:.2%}, {done[1]:.3f} s")
    return done


@click.command(help=__doc__)
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--only", multiple=True, help="The name of a set of pages; may be repeated.")
def main(data: Path | None, only: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory() as name:
        for pages in tuning_sets(Path(name)):
            if only and pages.name not in only:
                continue
            rows = []
            for group in first_tries(pages):
                done = [attempt(peer, pages) for peer in group]
                best = min(done, key=lambda each: each[0])[2]
                done += [attempt(peer, pages) for peer in further(best, data)]
                done.sort(key=lambda each: each[:2])
                rows += [
                    [f"{peer.name} {peer}", f"{100 * cer:.1f}", f"{seconds:.3f}"]
                    for cer, seconds, peer in done
                ]
            heads = [pages.name, "CER, %", "processor, s/page"]
            write_part(f"tries of {pages.name}", table(heads, rows))


if __name__ == "__main__":
    main()
