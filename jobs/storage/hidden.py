"""Recognise the names of hidden files and folders, and those that systems put among a person's files."""

from __future__ import annotations

_OF_SYSTEMS = frozenset(
    {
        # Windows, also on every disk that it has written to.
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "$recycle.bin",
        "system volume information",
        # Synology: thumbnails, deleted files, snapshots.
        "@eadir",
        "#recycle",
        "#snapshot",
        # QNAP: the same.
        "@recycle",
        "@recently-snapshot",
        # macOS: icons of folders, and what its archives hold beside the files.
        "icon\r",
        "__macosx",
        # The top of every ext4 disk; only root may list it.
        "lost+found",
    }
)
"""Names of files and folders, in small letters."""

_STREAM = ":zone.identifier"
"""How a file ends that WSL makes of the note "from the internet" that Windows keeps beside a download."""


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of this name is hidden, or a system's own.

    Names that begin with a dot are hidden: `.DS_Store`, the `._card.png` that macOS writes beside `card.png`.

    Args:
        name: the name without the folders above it.
    """
    if name[:1] == ".":
        return True
    lower = name.lower()
    return lower in _OF_SYSTEMS or lower.endswith(_STREAM)
