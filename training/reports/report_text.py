"""Formats figures as text for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from lettermill.training.measure import TARGETS, Answers, Figures
from lettermill.training.reports.report_values import changes


def table_text(measured: Mapping[str, Figures]) -> str:
    """Return headline figures as a table, one line per group of letters."""
    wide = max(len("source"), *map(len, measured))
    accepted = "".join(f"{f'{target:.1%}':>8}" for target in TARGETS)
    lines = [
        f"{'':{wide}}                                          calibration error    accepted at",
        f"{'source':{wide}}  letters   right  (95 % interval)    loss      all  doubtful{accepted}",
    ]
    for name, one in measured.items():
        doubtful = one.doubtful_calibration_error
        interval = f"({one.accuracy.low:.2%}–{one.accuracy.high:.2%})"
        lines.append(
            f"{name:{wide}}{one.count:>9,}{one.accuracy.value:>8.2%}{interval:>18}{one.loss.value:>7.4f}"
            f"{one.calibration_error:>9.2%}{'–' if doubtful is None else f'{doubtful:.2%}':>10}"
            + "".join(f"{row.share.value:>8.1%}" for row in one.coverage)
        )
    return "\n".join(lines)


def change_text(answers: Answers, others: Answers) -> str:
    """Return one line: what changed from another model's answers to these."""
    corrected, broken, p = changes(answers, others)
    return (
        f"{corrected} letters corrected, {broken} broken; by chance with p = {p:.2g} (McNemar’s exact test)"
    )
