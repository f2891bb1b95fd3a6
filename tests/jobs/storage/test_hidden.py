"""Names of files that systems make."""

from __future__ import annotations

import pytest

from lettermill.jobs.storage.hidden import is_hidden


@pytest.mark.parametrize(
    "name", [".DS_Store", "._card.png", "@eaDir", "THUMBS.DB", "card.png:Zone.Identifier", "lost+found"]
)
def test_hidden_names(name: str) -> None:
    assert is_hidden(name)


@pytest.mark.parametrize(
    "name", ["card.png", "eaDir", "Thumbs.db.png", "@eaDir.png", "recycle", "", "4. May"]
)
def test_other_names(name: str) -> None:
    assert not is_hidden(name)
