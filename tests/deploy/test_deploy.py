"""Alert rules, dashboard and docs speak of what a real worker tells Prometheus."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.support import ROOT, Starter, free_port, wait_for

ROOT = ROOT
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "lettermill.json").read_text())
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}


@pytest.fixture
def families(start: Starter, broker: str, tmp_path: Path) -> list[Metric]:
    port = free_port()
    words = ("--broker", broker, "--scans", tmp_path, "--results", tmp_path, "--metrics", port)
    start("worker", *words, "--concurrency", "1")
    texts: list[str] = []

    def answered() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
                texts.append(answer.read().decode())
        except OSError:
            return False
        return True

    wait_for(answered, what="an answer")
    return list(text_string_to_metric_families(texts[-1]))


def expressions() -> list[str]:
    return [rule["expr"] for rule in RULES] + [
        target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]
    ]


def names(family: Metric) -> list[str]:
    return [family.name + suffix for suffix in SUFFIXES[family.type]]


def test_what_is_asked_for_exists_and_what_exists_is_in_the_docs(families: list[Metric]) -> None:
    known = {name for family in families for name in names(family)}
    asked = {name for each in expressions() for name in re.findall(r"\blettermill_\w+", each)}
    assert len(asked) > 10
    assert asked <= known
    samples = [sample for family in families for sample in family.samples]
    selectors = {found for each in expressions() for found in re.findall(r"(lettermill_\w+)\{(.*?)\}", each)}
    assert selectors
    for name, matchers in selectors:
        for label, sign, value in re.findall(r'(\w+)(=~|=)"(.*?)"', matchers):
            wanted = value.split("|") if sign == "=~" else [value]
            for one in wanted:
                assert any(each.name == name and each.labels.get(label) == one for each in samples), matchers
    rows = re.findall(r"^\| `(lettermill_\w+)` \| (\w+) \| (.*?) \| (.*?) \|$", OPERATIONS, re.MULTILINE)
    assert {(name, kind, text) for name, kind, _, text in rows} == {
        (family.name + ("_total" if family.type == "counter" else ""), family.type, family.documentation)
        for family in families
    }
    labelled = {name: set(re.findall(r"`(\w+)`", labels)) for name, _, labels, _ in rows}
    for sample in samples:
        row = labelled.get(sample.name) or labelled.get(
            re.sub("_(bucket|sum|count)$", "", sample.name), set()
        )
        assert set(sample.labels) - {"le"} == row, sample.name


def test_every_alarm_has_its_page() -> None:
    headings = re.findall(r"^#+ (.*)$", OPERATIONS, re.MULTILINE)
    anchors = [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]
    assert len({rule["alert"] for rule in RULES}) == len(RULES) > 10
    for rule in RULES:
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert page == "docs/operations.md"
        assert anchors.count(anchor) == 1, anchor
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert f"`{rule['alert']}`" in OPERATIONS


def test_the_dashboard_can_be_read() -> None:
    panels = DASHBOARD["panels"]
    assert (
        len({panel["id"] for panel in panels})
        == len({panel["title"] for panel in panels})
        == len(panels)
        > 10
    )
    for panel in panels:
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    for one, other in itertools.combinations([panel["gridPos"] for panel in panels], 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


def test_prometheus_reads_its_files_and_the_alarms_ring(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian's package prometheus has it)")
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    assert [job["job_name"] for job in config["scrape_configs"]] == ["lettermill"]
    tests = (Path(__file__).parent / "alerts_test.yml").read_text()
    (tmp_path / "tests.yml").write_text(tests.replace("RULES", str(PROMETHEUS / "alerts.yml")))
    for words in (
        ["check", "config", str(PROMETHEUS / "prometheus.yml")],
        ["test", "rules", str(tmp_path / "tests.yml")],
    ):
        done = subprocess.run([promtool, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
