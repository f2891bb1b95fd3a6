"""Keep the file of a template that is edited: read its values, save others, keep the former file."""

from __future__ import annotations

import hashlib
import re
import threading
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2

from lettermill.jobs.errors import BadData
from lettermill.jobs.inputs.form_template import Template, read_template
from lettermill.jobs.inputs.template_text import template_text
from lettermill.jobs.storage.atomic import atomic_write
from lettermill.jobs.storage.display import display_path


class TemplateFile:
    """The file of a template that is edited.

    Args:
        path: the file.

    Raises:
        BadData: it is no template that could be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        blank = read_template(path).blank
        self.height, self.width = blank.shape
        _, picture = cv2.imencode(".png", blank)
        self.blank_png = picture.tobytes()
        self._saving = threading.Lock()

    @property
    def versions(self) -> Path:
        """The folder beside it with its former contents: 0001.toml, 0002.toml, ..."""
        return self.path.with_name(f"{self.path.stem}-versions")

    def values(self) -> tuple[dict[str, Any], str]:
        """Return what the file holds, as `tomllib` reads it, and the digest of it.

        Raises:
            BadData: it is no template that could be used.
        """
        content = self.path.read_bytes()
        read_template(self.path, content)
        return tomllib.loads(content.decode()), _digest(content)

    def checked(self, values: Mapping[str, Any]) -> Template:
        """Return the template that a save of these values would make.

        Raises:
            BadData: something in it cannot be used.
        """
        return read_template(self.path, template_text(values).encode())

    def save(self, values: Mapping[str, Any], digest: str) -> str:
        """Check values, keep the file as the next version, and write them in its place.

        Args:
            values: as for `template_text`.
            digest: of the content on which the values are based.

        Returns:
            The digest of the new content.

        Raises:
            BadData: something in the values cannot be used, or the file has another digest.
            ResultsNotWritable: the folder does not take the file.
        """
        text = template_text(values)
        with self._saving:
            former = self.path.read_bytes()
            if _digest(former) != digest:
                raise BadData(
                    f"{display_path(self.path)} was changed elsewhere since this page was loaded",
                    "Load the page again to see what is there now; the changes of this page are then lost.",
                )
            read_template(self.path, text.encode())
            if text.encode() != former:
                with atomic_write(self._next_version()) as file:
                    file.buffer.write(former)
                with atomic_write(self.path) as file:
                    file.write(text)
        return _digest(text.encode())

    def _next_version(self) -> Path:
        """Return the path of the version after the last."""
        names = [path.name for path in self.versions.glob("*.toml")]
        numbers = [int(found[1]) for name in names if (found := re.fullmatch(r"(\d+)\.toml", name))]
        return self.versions / f"{max(numbers, default=0) + 1:04}.toml"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
