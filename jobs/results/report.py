"""Make the page summary.html: how a job went, and what to look at first.

The page needs nothing but itself: its pictures are data URIs, and it has no scripts and makes no requests.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

from lettermill.jobs.errors import BadData, ErrorCode
from lettermill.jobs.results.advice import (
    context_advice,
    context_changed,
    expected_mistakes,
    fields_unseen,
    quality_advice,
    unlike_advice,
    why_flagged,
)
from lettermill.jobs.results.html import environment
from lettermill.jobs.results.pictures import make_pictures
from lettermill.jobs.results.summary import BOUNDS_SECONDS, HISTOGRAM_BINS, Summary
from lettermill.jobs.storage.display import display_path

FAILURES_SHOWN = 24
"""Pages without a reading that the page names: more would hide what comes after them."""


_SECONDS_LABELS = (
    f"under {BOUNDS_SECONDS[0]:g}",
    *(f"{low:g}–{high:g}" for low, high in itertools.pairwise(BOUNDS_SECONDS)),
    f"over {BOUNDS_SECONDS[-1]:g}",
)


def report_page(summary: Summary) -> str:
    """Return the page, and write the drawings that it links to into the job folder.

    Args:
        summary: the job's counts.

    Returns:
        HTML.

    Raises:
        ResultsNotWritable: the job folder does not take the drawings.
    """
    pictures, drawings = make_pictures(summary.job, summary.doubtful, summary.worst_pages)
    expected_counts, no_list = _expected_counts(summary)
    by_code = [(ErrorCode[name], count) for name, count in summary.by_error_code.items()]
    codes = [(code, count, code.meaning, code.remedy) for code, count in by_code]
    quality = [(code, count, *quality_advice(code)) for code, count in summary.by_quality.items()]
    return (
        environment("lettermill.jobs.results")
        .get_template("summary.html.j2")
        .render(
            summary=summary,
            job=summary.job,
            scan_root=display_path(summary.job.scan_root),
            codes=codes,
            failures=summary.failures[:FAILURES_SHOWN],
            quality=quality,
            why_flagged=why_flagged(summary),
            fields_unseen=fields_unseen(summary),
            unlike_advice=unlike_advice(summary),
            context_changed=context_changed(summary),
            context_advice=context_advice(summary),
            expected_mistakes=expected_mistakes(summary) if summary.unflagged_letters else "",
            bins=_binned(summary.histogram),
            scan_bins=_binned(summary.scan_histogram),
            doubts=[
                (char, round(100 * (1 - summary.letter_confidence[char]), 1) if count else 0)
                for char, count in summary.letter_counts.items()
            ],
            expected_counts=expected_counts,
            no_list=no_list,
            seconds=list(zip(_SECONDS_LABELS, summary.seconds_histogram, strict=True)),
            pictures=pictures,
            drawings=drawings,
        )
    )


def _binned(counts: Sequence[int]) -> list[tuple[str, int]]:
    """Label the bins of a histogram in percent, without the empty bins below 50 % that come first."""
    width_percent = 100 // HISTOGRAM_BINS
    bounds = range(0, 100, width_percent)
    bins = [(f"{low}–{low + width_percent}", count) for low, count in zip(bounds, counts, strict=True)]
    filled = next((bin_ for bin_, count in enumerate(counts) if count), 0)
    return bins[min(filled, HISTOGRAM_BINS // 2) :]


def _expected_counts(summary: Summary) -> tuple[dict[str, float], str]:
    """Return how often each character would be read if the pages held the words of the job's list.

    Without a word list there is no expectation: names, codes and forms have the letters of no language.

    Returns:
        Counts by character, empty without an expectation; and why the job's list cannot be used, empty if it
        can or if there is none.
    """
    try:
        words = summary.job.lexicon
        counts = Counter("".join(entry.letters for entry in words.entries()) if words else "")
    except BadData as error:
        return {}, error.what
    whole = max(1, counts.total())
    return {char: summary.letters * count / whole for char, count in counts.items()}, ""
