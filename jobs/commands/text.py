"""Write what the command line prints of results: short tables for a person."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from lettermill.jobs.records.readings import Status
from lettermill.jobs.results.advice import (
    context_advice,
    context_changed,
    expected_mistakes,
    fields_unseen,
    quality_advice,
    unlike_advice,
    why_flagged,
)
from lettermill.jobs.results.compare import Score
from lettermill.jobs.results.counted import counted
from lettermill.jobs.results.csv_tables import FIELDS_FILE, LETTERS_FILE
from lettermill.jobs.results.mistakes import SEGMENTATION, Kind
from lettermill.jobs.results.summary import Summary
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.display import display_path

_FAILURES_SHOWN = 10
_CONFUSIONS_SHOWN = 10
_FIELDS_SHOWN = 6
_LONGEST_TEXT_LETTERS = 60

_MEANING = {
    Kind.MISSED: "a letter that is not in the reading",
    Kind.INVENTED: "a letter that is not on the page",
    Kind.SPLIT: "one letter read as two",
    Kind.MERGED: "two letters read as one",
}


def summary_text(summary: Summary) -> str:
    """Return a summary for a person: a short table, failures, quality codes, and where the files are."""
    text = [f"{name:<11} {value}" for name, value in _counts(summary)]
    if unfit := context_advice(summary):
        text += ["", unfit]
    if unlike := unlike_advice(summary):
        text += ["", unlike]
    if summary.not_begun:
        folder = display_path(summary.job.path)
        text += ["", f"stopped: {summary.cancelled}. To continue: lettermill resume '{folder}'"]
    text += [*_left_out(summary), *_failures(summary), *_quality(summary)]
    for damaged in summary.damaged[:_FAILURES_SHOWN]:
        text.append(f"damaged result {damaged}: `lettermill resume` reads its page again")
    text += [*summary.reviewed.unused, "", *_files(summary)]
    return "\n".join(text)


def _counts(summary: Summary) -> Iterator[tuple[str, str]]:
    """Yield the rows of the table, each with its label."""
    ends = ", ".join(
        f"{summary.by_status[status]} {status}" for status in Status if summary.by_status[status]
    )
    yield "pages", f"{summary.pages}  ({ends or 'none read yet'})"
    if summary.unfinished:
        yield "unfinished", counted(summary.unfinished, "page")
    yield "lines", str(summary.lines)
    yield "letters", str(summary.letters)
    if changed := context_changed(summary):
        yield "context", changed
    if summary.letters:
        share = summary.flagged_letters / summary.letters
        doubtful = counted(summary.flagged_letters, "letter")
        yield "doubtful", f"{doubtful} ({share:.1%}): {why_flagged(summary)}"
        if summary.unflagged_letters:
            others = counted(summary.unflagged_letters, "letter")
            yield "the others", f"{others}: {expected_mistakes(summary)}"
        if summary.flagging.accept_at is not None:
            yield "other rates", _other_rates(summary)
        yield "confidence", f"{summary.mean_confidence:.3f} on average"
    if unseen := fields_unseen(summary):
        yield "unseen", unseen
    if summary.fields:
        yield "fields", _fields(summary)
    if reviewed := summary.reviewed.letters:
        yield "reviewed", f"{counted(reviewed, 'letter')}, {summary.reviewed.corrected} of them corrected"


def _left_out(summary: Summary) -> Iterator[str]:
    """Yield what lies in the scan folder and was not read."""
    if summary.job.left_out:
        yield from ("", *summary.job.left_out.sentences())


def _failures(summary: Summary) -> Iterator[str]:
    """Yield the first pages without a reading, with their reasons."""
    if summary.failures:
        yield from ("", "not read:")
    for failure in summary.failures[:_FAILURES_SHOWN]:
        yield f"  {display_path(failure.scan)!r}, page {failure.page}: {failure.error_code}"
        yield f"    {failure.error}"
    if summary.failed > _FAILURES_SHOWN:
        yield f"  … and {summary.failed - _FAILURES_SHOWN} more: see pages.csv"


def _quality(summary: Summary) -> Iterator[str]:
    """Yield the quality codes, each with its pages, its meaning and what to do."""
    if summary.by_quality:
        yield from ("", "quality of the scans:")
    for code, pages in summary.by_quality.items():
        meaning, advice = quality_advice(code)
        yield from (f"  {code}: {counted(pages, 'page')}", f"    {meaning}", f"    {advice}")


def _files(summary: Summary) -> Iterator[str]:
    """Yield where the most important files are, and what can be done next."""
    folder = display_path(summary.job.path)
    if summary.job.settings.template:
        yield f"fields      {folder}/{FIELDS_FILE}"
    yield f"letters     {folder}/{LETTERS_FILE}"
    yield f"report      {folder}/summary.html"
    if summary.job.settings.template:
        yield f"to Excel    lettermill export '{folder}' --format xlsx  (keeps leading zeros)"
    if summary.flagged_letters and isinstance(summary.job.path, Disk):
        yield f"correct it  lettermill review '{folder}'"


def _other_rates(summary: Summary) -> str:
    """Return how many letters other rates of --accept-at would flag."""
    costs = [
        f"{cost.flagged_letters / summary.letters:.1%} at {cost.accept_at}"
        for cost in summary.costs
        if cost.accept_at != summary.flagging.accept_at
    ]
    return f"{', '.join(costs)} of the letters doubtful"


def _fields(summary: Summary) -> str:
    """Return how many fields of forms were filled, and which of them are doubtful."""
    look_at = sorted((field for field in summary.fields if field.look_at), key=lambda field: -field.look_at)
    text = f"{sum(field.filled for field in summary.fields)} filled"
    if look_at:
        names = [f"{field.field} {field.look_at}" for field in look_at[:_FIELDS_SHOWN]]
        more = ", …" if len(look_at) > _FIELDS_SHOWN else ""
        text += f", {sum(field.look_at for field in look_at)} to check: {', '.join(names)}{more}"
    return text


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table for a person, its columns as wide as they need be."""
    table = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
    return "\n".join(lines)


def ago(moment: float | None) -> str:
    """Return how long ago something was, in the largest unit that fits; a dash for None.

    Args:
        moment: in seconds since 1970.
    """
    if moment is None:
        return "–"
    seconds = max(0, round(time.time() - moment))
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"


def score_text(score: Score) -> str:
    """Return a score for a person: rates, kinds of mistakes, the most common mistakes, the worst files."""
    edits, characters = counted(score.edits, "edit"), counted(score.characters, "character")
    text = [
        f"CER         {score.cer:.2%}  ({edits}, {characters})",
        f"exact       {score.exact:.1%}  ({score.exact_files} of {counted(score.files, 'file')})",
    ]
    if score.lines > score.files:
        share = score.exact_lines / score.lines
        text.append(f"            {share:.1%}  ({score.exact_lines} of {counted(score.lines, 'line')})")
    for label, count, noun, rest in (
        ("left out", score.left_out, "row", "of the truth (label empty, EMPTY or UNREADABLE)"),
        ("not in job", score.not_in_job, "file", "of the truth: all characters count as missed"),
        ("by name", score.by_name, "file", "of the truth in another folder: found by their names alone"),
        ("not read", score.not_read, "file", "with a failed or missing page: its characters count as missed"),
        ("no truth", score.without_truth, "file", "of the job: not counted"),
    ):
        if count:
            text.append(f"{label:<11} {counted(count, noun)} {rest}")
    if not score.edits:
        return "\n".join(text)
    text += ["", "edits by kind of mistake:"]
    text.append(f"  {_share(score.classification, score.edits)}  classification: one letter read as another")
    text.append(f"  {_share(score.segmentation, score.edits)}  segmentation:")
    text += [
        f"  {score.by_kind[kind]:>13}  {kind.value}: {_MEANING[kind]}"
        for kind in SEGMENTATION
        if score.by_kind[kind]
    ]
    if score.wrong_letters:
        share = score.wrong_flagged / score.wrong_letters
        text.append(
            f"{share:.0%} of the wrong letters are flagged ({score.wrong_flagged} of {score.wrong_letters})"
        )
    text += ["", "most common mistakes (truth → read):"]
    for confusion in score.confusions[:_CONFUSIONS_SHOWN]:
        words = f"{confusion.truth or '(nothing)'} → {confusion.read or '(nothing)'}"
        text.append(f"  {confusion.count:>6}  {words}")
    text += ["", "worst files (edits, truth, read):"]
    for file in score.worst:
        text.append(f"  {file.edits:>6}  {file.file!r}")
        text += [f"          {_short(words) or '(nothing)'}" for words in (file.truth, file.read)]
    return "\n".join(text)


def _share(count: int, whole: int) -> str:
    return f"{count:>6} {count / whole:>6.1%}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT_LETTERS else f"{text[: _LONGEST_TEXT_LETTERS - 1]}…"
