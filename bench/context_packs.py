"""Makes the packs of worker/contexts/ from lists of names and words in two packages.

    pip download --no-deps faker==40.63.0 wordfreq==3.1.1 -d WHEELS
    python -m bench.context_packs WHEELS

Names count once for each country whose list holds them. Words count with the square root of their frequency:
with the frequency itself, seldom words lose too much to the few hundred that fill half of all texts.
"""

from __future__ import annotations

import gzip
import importlib
import pkgutil
import sys
import zipfile
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import click
import msgspec

from lettermill.jobs.inputs.context import PACK_SUFFIX, installed_pack_folder, words_of
from lettermill.jobs.inputs.ngram import make_ngram
from lettermill.jobs.inputs.word_list import plain
from lettermill.jobs.settings import LETTERS
from lettermill.jobs.storage.disk import Disk

LANGUAGES = {
    "english": "en",
    "french": "fr",
    "german": "de",
    "spanish": "es",
    "italian": "it",
    "portuguese": "pt",
    "dutch": "nl",
}
"""The packs of words, and the codes of wordfreq."""

MOST_WORDS = 60_000
"""Of a language, the most frequent ones."""

FREQUENCY_POWER = 0.5
"""Power of a word's frequency with which it counts."""

_CENTIBELS = 100
"""wordfreq's lists are in steps of 10 to the power of 1/100."""


def names(wheel: Path) -> Counter[str]:
    """Count the names of faker's lists that are written in Latin letters, once for each country.

    Args:
        wheel: the package.
    """
    sys.path.insert(0, str(wheel))
    try:
        package = importlib.import_module("faker.providers.person")
        modules = [
            importlib.import_module(f"{package.__name__}.{one.name}")
            for one in pkgutil.iter_modules(package.__path__)
        ]
    finally:
        sys.path.remove(str(wheel))
    found: Counter[str] = Counter()
    for module in modules:
        lists = [
            value
            for name, value in vars(module.Provider).items()
            if ("first_names" in name or "last_names" in name) and isinstance(value, Collection)
        ]
        written = {
            word for names in lists for name in names if isinstance(name, str) for word in words_of(name)
        }
        found.update(sorted(word for word in written if set(word) <= set(LETTERS)))
    return found


def words(wheel: Path, code: str) -> dict[str, int]:
    """Return the most frequent words of a language of wordfreq, and how much each counts.

    Args:
        wheel: the package.
        code: of the language.
    """
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(f"wordfreq/data/large_{code}.msgpack.gz")
    frequencies: Counter[str] = Counter()
    for step, written in enumerate(msgspec.msgpack.decode(gzip.decompress(content))[1:]):
        for word in written:
            spelled = plain(word)
            if spelled and set(spelled) <= set(LETTERS):
                frequencies[spelled] += 10 ** (-step / _CENTIBELS)
    frequent = frequencies.most_common(MOST_WORDS)
    least = frequent[-1][1]
    return {word: max(1, round((one / least) ** FREQUENCY_POWER)) for word, one in frequent}


@click.command(help=__doc__)
@click.argument("wheels", type=click.Path(path_type=Path, exists=True, file_okay=False))
def main(wheels: Path) -> None:
    """Make all packs."""
    (faker,), (wordfreq,) = wheels.glob("faker-*.whl"), wheels.glob("wordfreq-*.whl")
    lists = {"names": names(faker)} | {name: words(wordfreq, code) for name, code in LANGUAGES.items()}
    for name, counted in lists.items():
        ngram = make_ngram(counted)
        content = ngram.to_bytes()
        Disk(installed_pack_folder() / f"{name}{PACK_SUFFIX}").write(content)
        click.echo(f"{name}: {len(counted):,} words, {len(content):,} bytes, {ngram.log_perplexity:.2f} nats")


if __name__ == "__main__":
    main()
