"""deploy/kubernetes: manifests that Kubernetes takes, that fit each other, and that docs/kubernetes.md shows.

Run this file to write them into the page anew.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from lettermill.jobs.settings import Limits
from tests.support import ROOT, Starter, clean_environment, letters

ROOT = ROOT
PAGE = ROOT / "docs" / "kubernetes.md"
MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
SHOWN = re.compile(r"(`deploy/kubernetes/([\w.]+)`:\n\n```yaml\n)(.*?)(```)", re.DOTALL)


def objects(*paths: Path) -> list[dict[str, Any]]:
    return [one for path in paths for one in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def manifest(name: str) -> dict[str, Any]:
    (found,) = objects(*(path for path in MANIFESTS if path.name == name))
    return found


PODS = [manifest(name)["spec"]["template"]["spec"] for name in ("workers.yaml", "job.yaml")]


@pytest.mark.parametrize("version", ["1.31", "1.37"])
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_kubernetes_takes_it(path: Path, version: str) -> None:
    assert objects(path)
    for one in objects(path):
        kubernetes_validate.validate(one, version, strict=True)


def test_a_mistake_is_found() -> None:
    wrong = manifest("workers.yaml")
    wrong["spec"]["template"]["spec"]["containers"][0]["readOnlyRootFilesystem"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="readOnlyRootFilesystem"):
        kubernetes_validate.validate(wrong, "1.37", strict=True)


@pytest.mark.parametrize("pod", PODS, ids=["workers", "job"])
def test_a_pod_names_what_there_is(pod: dict[str, Any]) -> None:
    there = {(one["kind"], one["metadata"].get("name")) for one in objects(*MANIFESTS)}
    (container,) = pod["containers"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes.keys()
    for volume in volumes.values():
        if claim := volume.get("persistentVolumeClaim"):
            assert ("PersistentVolumeClaim", claim["claimName"]) in there
        if secret := volume.get("secret"):
            assert ("Secret", secret["secretName"]) in there
    (uid,) = re.findall(r"--uid (\d+) ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    assert pod["securityContext"]["runAsUser"] == int(uid)


def test_a_worker_has_time_to_finish_its_pages() -> None:
    assert PODS[0]["terminationGracePeriodSeconds"] > Limits().page_seconds


def test_the_script_of_the_job_reads_a_batch(
    start: Starter, broker: str, thirteen_scans: Path, tmp_path: Path
) -> None:
    (container,) = PODS[1]["containers"]
    out = tmp_path / "results"
    out.mkdir()
    (thirteen_scans / "may").mkdir()
    for scan in thirteen_scans.glob("*.png"):
        scan.rename(thirteen_scans / "may" / scan.name)
    roots = {"LETTERMILL_SCANS": str(thirteen_scans), "LETTERMILL_RESULTS": str(out)}
    start("worker", "--broker", broker, "--scans", thirteen_scans, "--results", out, "--concurrency", "1")
    here = {"/scans": thirteen_scans, "/results": out}
    script = re.sub(r"/scans|/results", lambda found: str(here[found[0]]), container["command"][-1])
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [*container["command"][:-1], script],
        env=clean_environment() | roots | {"LETTERMILL_BROKER": broker, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr  # One of the scans is broken.
    assert "12 DONE, 1 FAILED" in done.stdout
    assert letters(out)


def page() -> str:
    """Return the page with the manifests as they are."""
    files = {path.name: path.read_text(encoding="utf-8") for path in MANIFESTS}
    return SHOWN.sub(lambda found: found[1] + files[found[2]] + found[4], PAGE.read_text(encoding="utf-8"))


def test_the_page_shows_them_all_as_they_are() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == page()
    assert sorted(name for _, name, _, _ in SHOWN.findall(text)) == [path.name for path in MANIFESTS]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
