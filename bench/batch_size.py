"""Measures the CNN's speed and memory at several batch sizes, each in a process of its own, in turn.

Run it with `make bench`. It prints a Markdown table: the median of glyphs per second, the ratio to batch 128
in the same round, and the process's peak resident memory.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time

import click
import numpy as np

SIZES = (1, 8, 16, 32, 64, 128, 1000)
GLYPHS = 4000
ROUNDS = 5
KIBIBYTES_PER_MEGABYTE = 1024


def measure(size: int) -> dict[str, float]:
    """Classify glyphs in batches of one size, in this process."""
    from lettermill.jobs.inputs.model import installed_model_folder, load_model
    from lettermill.jobs.settings import LETTERS
    from lettermill.worker.reading import litert_network
    from lettermill.worker.reading.classifier import Classifier

    litert_network.BATCH_GLYPHS = size
    reader = Classifier(load_model(installed_model_folder()), LETTERS)
    glyphs = np.random.default_rng(0).integers(0, 256, (GLYPHS, 28, 28), np.uint8)
    reader.probabilities(glyphs[:size])
    begun = time.perf_counter()
    reader.probabilities(glyphs)
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIBIBYTES_PER_MEGABYTE
    return {"rate": GLYPHS / seconds, "peak": peak}


def main() -> None:
    """Run all sizes in turn and print the table."""
    rounds = []
    for _ in range(ROUNDS):
        row = {}
        for size in SIZES:
            answer = subprocess.run(
                [sys.executable, __file__, str(size)], check=True, capture_output=True, text=True
            )
            row[size] = json.loads(answer.stdout)
        rounds.append(row)
    click.echo("| batch | glyphs/s | ratio to 128 (min–max) | peak MB |")
    click.echo("|---|---|---|---|")
    for size in SIZES:
        ratios = [row[size]["rate"] / row[128]["rate"] for row in rounds]
        rate = statistics.median(row[size]["rate"] for row in rounds)
        peak = statistics.median(row[size]["peak"] for row in rounds)
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
        click.echo(f"| {size} | {rate:,.0f} | {spread} | {peak:.0f} |")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        click.echo(json.dumps(measure(int(sys.argv[1]))))
    else:
        main()
