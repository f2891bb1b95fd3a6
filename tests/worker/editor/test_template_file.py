"""The file of a template that is edited: what is kept, and what is refused."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from lettermill.jobs.errors import BadData, TemplateProblem
from lettermill.worker.editor.template_file import TemplateFile


def test_each_save_keeps_the_former_file(template: Path) -> None:
    first = template.read_bytes()
    file = TemplateFile(template)
    values, digest = file.values()
    values["fields"][0]["name"] = "family"
    second = file.save(values, digest)
    assert tomllib.loads(template.read_text()) == values
    assert (template.parent / "form-versions" / "0001.toml").read_bytes() == first
    values["fields"].pop()
    text = template.read_bytes()
    third = file.save(values, second)
    assert (file.versions / "0002.toml").read_bytes() == text
    # Nothing new, nothing kept.
    assert file.save(values, third) == third == file.values()[1]
    assert len(list(file.versions.iterdir())) == 2


def test_a_file_that_was_changed_elsewhere_stays(template: Path) -> None:
    file = TemplateFile(template)
    values, digest = file.values()
    with template.open("a") as text:
        text.write("# mine\n")
    before = template.read_bytes()
    with pytest.raises(BadData, match="was changed elsewhere"):
        file.save({**values, "dpi": 200}, digest)
    assert template.read_bytes() == before
    assert not file.versions.exists()


def test_what_cannot_be_used_is_not_saved(template: Path) -> None:
    file = TemplateFile(template)
    before = template.read_bytes()
    values, digest = file.values()
    values["fields"][4]["lexicon"] = "gone.txt"
    with pytest.raises(TemplateProblem) as caught:
        file.save(values, digest)
    assert (caught.value.field, caught.value.key) == (4, "lexicon")
    assert caught.value.said == "cannot read the word list gone.txt: No such file or directory"
    assert template.read_bytes() == before
    with pytest.raises(TemplateProblem):
        file.checked(values)


def test_a_template_that_cannot_be_used_is_not_edited(template: Path) -> None:
    template.write_text('blank = "blank.png"\n[[fields]]\nname = "a"\nbox = [1, 2, 3]\n')
    with pytest.raises(BadData, match="line 4: box must be four whole numbers"):
        TemplateFile(template)
