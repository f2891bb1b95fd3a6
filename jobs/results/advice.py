"""Say in words what the results mean: quality codes, why letters are flagged, how many mistakes to expect."""

from __future__ import annotations

from lettermill.jobs.errors import ErrorCode
from lettermill.jobs.results.summary import Summary

ADVICE: dict[ErrorCode, tuple[str, str]] = {
    ErrorCode.EMPTY_FILE: ("The file has no content (0 bytes).", "Scan the page again."),
    ErrorCode.NOT_AN_IMAGE: (
        "The file is no PNG, JPEG, WebP, BMP, TIFF or PDF, or its start is damaged.",
        "Open it in an image program and save it as PNG, or scan the page again.",
    ),
    ErrorCode.TRUNCATED: (
        "The image is cut off or damaged inside.",
        "Copy the file again from where it came from, or scan the page again.",
    ),
    ErrorCode.PAGES_LEFT_OUT: (
        "The file has more pages than could be counted: it has the suffix of a single image, or is damaged.",
        "Rename it to .tif or .pdf, or save it anew.",
    ),
    ErrorCode.PASSWORD: ("The PDF asks for a password.", "Save a copy without a password."),
    ErrorCode.NO_SUCH_PAGE: (
        "The file has fewer pages than when the job was made, or its page list is damaged.",
        "Copy the file again, then give the same command again.",
    ),
    ErrorCode.TOO_MANY_PIXELS: (
        "The page is larger than the job allows.",
        "Give the same command with a higher --max-megapixels.",
    ),
    ErrorCode.TOO_MANY_BYTES: (
        "The file is larger than the job allows.",
        "Give the same command with a higher --max-megabytes.",
    ),
    ErrorCode.TOO_MANY_PAGES: (
        "The file has more pages than the job allows.",
        "Give the same command with a higher --max-pages.",
    ),
    ErrorCode.NOT_READABLE: (
        "The file's permissions or its disk do not let it be read, or it is a folder, a pipe or a device.",
        "Correct the permissions or put a file there, then give the same command again.",
    ),
    ErrorCode.OUTSIDE: (
        "The file is a link that leads out of the scan folder.",
        "Copy the file itself there, or give --scans a folder that holds both.",
    ),
    ErrorCode.SCAN_GONE: (
        "The file was there when the job was made and is gone.",
        "Put it back, then give the same command again.",
    ),
    ErrorCode.SCAN_CHANGED: (
        "The file has changed since the job was made.",
        "Give the same command again: the new file is read.",
    ),
    ErrorCode.FORM_NOT_FOUND: (
        "The page is not the form of the template, or not enough of its print can be seen.",
        "Look whether it is another form or edition; else scan the whole sheet again, flat and sharp.",
    ),
    ErrorCode.OUT_OF_MEMORY: (
        "The page needs more memory than there is, or than a page of --max-megapixels may take.",
        "Use fewer workers or a higher --max-megapixels, then give the same command again.",
    ),
    ErrorCode.TIMEOUT: (
        "The page took longer than the job allows.",
        "The same command with a higher --page-seconds, then lettermill resume --failed.",
    ),
    ErrorCode.WORKER_LOST: (
        "The process that read the page died, several times.",
        "Look whether the machine ran out of memory, then lettermill resume --failed.",
    ),
    ErrorCode.INTERNAL: (
        "Lettermill made a mistake on this page.",
        "Please report it with the sentence of the page; lettermill resume --failed tries again.",
    ),
}
"""What each code means and what a person can do about it."""

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
        "The page lies on its side or upside down; it was turned before it was read.",
        "Check that it was turned the right way. If it was, nothing needs to be done.",
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
    if summary.flagging.below is None:
        return f"no letter is certain enough for {summary.flagging.accept_at}"
    return f"confidence below {summary.flagging.below}"


def expected_mistakes(summary: Summary) -> str:
    """Return what to expect of the unflagged letters: "about 4 are expected to be wrong (98.63% right)"."""
    if summary.expected_wrong < 0.5:
        wrong = "less than one is"
    elif summary.expected_wrong < 1.5:
        wrong = "about 1 is"
    else:
        wrong = f"about {summary.expected_wrong:,.0f} are"
    return f"{wrong} expected to be wrong ({summary.expected_right:.2%} right)"
