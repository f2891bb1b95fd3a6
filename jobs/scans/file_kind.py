"""Tell by its first bytes what kind of file it is, whatever its name says."""

from __future__ import annotations

from typing import BinaryIO

_HEAD_BYTES = 64
"""Of a file, in which its kind shows: the brands of ISO's media files come first."""

_STARTS = {
    b"GIF8": "GIF",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cJXL \r\n\x87\n": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"II\xbc\x01": "JPEG XR",
    b"8BPS": "Photoshop",
    b"AT&TFORM": "DjVu",
    b"PK\x03\x04": "ZIP or Office",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "old Office",
    b"{\\rtf": "RTF",
    b"%!PS": "PostScript",
    b"\x1f\x8b": "gzip",
}
"""First bytes of files that people save under an image's name, and their kinds."""

_TEXT_STARTS = {b"<!doctype html": "HTML", b"<html": "HTML", b"<svg": "SVG", b"<?xml": "XML"}
"""The same, in lower case, of text."""

_BRANDS = {
    "AVIF": {b"avif", b"avis"},
    "HEIC": {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"},
    "HEIF": {b"mif1", b"msf1"},
    "Canon raw": {b"crx "},
    "video": {b"qt  ", b"isom", b"iso2", b"mp41", b"mp42", b"M4V "},
}
"""Brands of ISO's media files and their kinds; a file may have several, of which the first here counts."""


def file_kind(file: BinaryIO) -> str | None:
    """Return the name of a kind of file other than those that Pillow and PDFium read; None for all others."""
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    if head[4:8] == b"ftyp":
        end = min(int.from_bytes(head[:4]), len(head))
        brands = {head[at : at + 4] for at in (8, *range(16, end, 4))}
        return next((kind for kind, ours in _BRANDS.items() if brands & ours), None)
    text = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    return next((kind for start, kind in _STARTS.items() if head.startswith(start)), None) or next(
        (kind for start, kind in _TEXT_STARTS.items() if text.startswith(start)), None
    )


def is_heic(file: BinaryIO) -> bool:
    """Return whether a file is a HEIC, as phones write it."""
    return file_kind(file) in ("HEIC", "HEIF")
