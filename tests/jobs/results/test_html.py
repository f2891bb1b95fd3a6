"""What fills HTML templates."""

from __future__ import annotations

import jinja2
import pytest

from lettermill.jobs.results.html import environment, visible


def test_visible() -> None:
    assert visible("Größe 表 'x'.png") == "Größe 表 'x'.png"
    assert visible("a\nb\x00\u202e\u200b") == "a\\nb\\x00\\u202e\\u200b"


def test_text_is_escaped_and_filters_are_there() -> None:
    jinja = environment("lettermill.jobs.results")
    template = jinja.from_string(
        "{{ name }} {{ count | thousands }} {{ share | percent }} {{ none | percent }} {{ made | moment }}"
    )
    said = template.render(
        name="<b>", count=1234567, share=0.6104, none=None, made="2026-11-29T19:45:30+01:00"
    )
    assert said == "&lt;b&gt; 1,234,567 61.0% – 2026-11-29 18:45 UTC"


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        environment("lettermill.jobs.results").from_string("{{ nothing }}").render()
