"""Say in words what the results mean: quality codes, why letters are flagged, how many mistakes to expect."""

from __future__ import annotations

import math

from lettermill.jobs.results.counted import counted
from lettermill.jobs.results.flagging import UNLIKE_TIMES_WRONG, rate_asked
from lettermill.jobs.results.summary import Summary

QUALITY_ADVICE: dict[str, tuple[str, str]] = {
    "NO_INK": (
        "The page looks blank, apart from dust and ruled lines.",
        "If the page is not blank, scan it again with darker settings.",
    ),
    "LOW_RESOLUTION": (
        "The letters are less than 12 pixels high.",
        "Scan at a higher resolution: at 300 dpi, a letter of 3 mm is 35 pixels high.",
    ),
    "LOW_CONTRAST": (
        "Ink and paper differ by less than a seventh of the range from black to white.",
        "Scan darker or with more contrast; photograph in better light.",
    ),
    "BLURRED": (
        "The edges of the strokes are so soft that gaps inside letters close.",
        "Clean the scanner's glass and lay the sheet flat; hold the camera still and let it focus.",
    ),
    "SKEWED": (
        "The lines of text are tilted by more than 5°; from 20° on they are not found.",
        "Lay the sheet straight and scan it again, or rotate the image.",
    ),
    "TURNED": (
        "The page, or a part of it, lies on its side or upside down; it was turned before it was read.",
        "Check that it was turned the right way. If it was, nothing needs to be done.",
    ),
    "DOWNWARD_WORDS": (
        "Letters below each other seem to be words that are written downwards; where nothing else is in "
        "their rows, they were read so.",
        "Look at the page: check the order in which its letters were read.",
    ),
    "BLEED_THROUGH": (
        "Mirrored writing was left out: that of the other side shows through, or the picture is mirrored.",
        "Lay black paper behind the sheet and scan again. If all writing is mirrored, mirror the picture.",
    ),
    "OTHER_ALPHABET": (
        "Many letters look like characters that the job's alphabet leaves out: digits, or letters.",
        "Run the scans again with --alphabet auto (or alnum, digits, letters).",
    ),
    "PRINTED_FORM": (
        "Most of the ink on the page is print, which was left out: this is a printed form.",
        "Make a template, so that each field is read where it stands: lettermill template new.",
    ),
    "MUCH_INK_UNREAD": (
        "More than a quarter of the ink on the page was not read as letters (ruled lines and boxes not "
        "counted).",
        "Look at the page: joined writing, drawings, stamps, crossed-out text and letters on ruled lines are "
        "not read.",
    ),
}
"""What each code of the column `quality` means, and what a person can do about it."""


def quality_advice(code: str) -> tuple[str, str]:
    """Return what a quality code means and what to do; a code of another version is unknown."""
    unknown = "This version does not know the code.", "Collect with a newer version."
    return QUALITY_ADVICE.get(code, unknown)


def why_flagged(summary: Summary) -> str:
    """Return why letters are flagged, to follow their number: "confidence below 0.9"."""
    flagging = summary.flagging
    if flagging.acceptance and flagging.below is None:
        if not flagging.by_field:
            return f"no letter is certain enough for {flagging.acceptance.rate}"
        return f"no field is certain enough for {flagging.acceptance.rate}, or their confidence is not known"
    return f"{'in fields with a ' if flagging.by_field else ''}confidence below {flagging.below}"


def expected_mistakes(summary: Summary) -> str:
    """Return what to expect of the unflagged letters: "about 4 are expected to be wrong (98.63% right)"."""
    return _mistakes(summary.expected_wrong, summary.unflagged_letters)


def _mistakes(wrong: float, count: int) -> str:
    if wrong < 0.5:
        words = "less than one is"
    elif wrong < 1.5:
        words = "about 1 is"
    else:
        words = f"about {wrong:,.0f} are"
    return f"{words} expected to be wrong ({1 - wrong / count:.2%} right)"


def unlike_advice(summary: Summary) -> str:
    """Return what it means that a job is unlike the calibration sets, and what to do; empty if it is not."""
    if summary.unlike is None:
        return ""
    given = summary.flagging.acceptance
    what = "fields are accepted" if summary.flagging.by_field else "letters are flagged"
    stricter = f", and {what} as for {rate_asked(given.rate):.4g}" if given else ""
    return (
        f"These letters have a mean confidence of {summary.unlike.mean:.3f}, and nearly all that confidences "
        f"were measured on had {summary.unlike.low:.3f} or more: expect {UNLIKE_TIMES_WRONG:g} times as many "
        f"mistakes as they say{stricter}. Review a sample, or label 50 fields and run lettermill score; "
        "training with fields of your own helps most."
    )


def context_changed(summary: Summary) -> str:
    """Return how many letters a context changed; empty if it changed none."""
    changed = summary.context.changed
    return f"{changed:,} of {counted(summary.letters, 'letter')} changed by the context" if changed else ""


def context_advice(summary: Summary) -> str:
    """Return what it means that a context does not fit the job's text; empty if it fits."""
    use = summary.context
    if use.fits or use.nats is None or use.own_nats is None:
        return ""
    return (
        "The context does not fit what is written on these scans: each letter is one of about "
        f"{math.exp(use.nats):.0f}, and in words of the context's kind one of about "
        f"{math.exp(use.own_nats):.0f}. "
        "Run the scans again without --context, or with another one."
    )


def fields_unseen(summary: Summary) -> str:
    """Return how many fields need a look: "1 of 5 fields can be taken unseen; 3 need a look, 1 is empty".

    If fields were accepted at a rate, it says how many of these are expected to be wrong, too.
    """
    totals = summary.field_totals
    if totals is None or not totals.all:
        return ""
    noun = "field" if totals.all == 1 else "fields"
    rest = []
    if totals.look_at:
        rest.append(f"{totals.look_at:,} need{'s' if totals.look_at == 1 else ''} a look")
    if totals.empty:
        rest.append(f"{totals.empty:,} {'is' if totals.empty == 1 else 'are'} empty")
    text = f"{totals.unseen:,} of {totals.all:,} {noun} can be taken unseen"
    if summary.flagging.by_field and totals.unseen and totals.expected_wrong is not None:
        text += f": {_mistakes(totals.expected_wrong, totals.unseen)}"
    return "; ".join([text, ", ".join(rest)]) if rest else text
