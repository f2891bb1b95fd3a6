"""What a worker needs of its machine: results and a temporary folder to write to, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from tests.support import LETTERMILL, PATIENCE_SECONDS, Command, clean_environment, draw, pages

READ_ONLY = """
set -e
results=$1 temporary=$2
shift 2
mount --make-rprivate /
mount --bind "$results" "$results"
mount --bind "$temporary" "$temporary"
awk '{print $2}' /proc/self/mounts | grep -vE '^/(proc|sys|dev)' | sort -u | while read -r place; do
    [ "$place" = "$results" ] || [ "$place" = "$temporary" ] || mount -o remount,bind,ro "$place"
done
touch "$results/probe" "$temporary/probe"
rm "$results/probe" "$temporary/probe"
if touch "$HOME/probe" 2>/dev/null; then exit 77; fi
exec "$@"
"""
"""Runs a command that sees all disks read-only but two folders."""


def test_a_worker_writes_to_its_results_and_its_temporary_folder_alone(
    lettermill: Command, broker: str, tmp_path: Path, temporary: Path
) -> None:
    if not shutil.which("unshare") or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("disks cannot be made read-only here: it takes root and unshare")
    scans, out = tmp_path / "scans", tmp_path / "out"
    out.mkdir()
    page = draw(scans / "a.png", ["PAGE"])
    Image.open(page).save(scans / "b.pdf")
    Image.open(page).convert("1").save(scans / "c.tif", compression="group4")
    (scans / "d.png").write_bytes(page.read_bytes()[:100])
    job = lettermill("submit", scans, "--out", out, "--broker", broker).stdout.strip()
    words = ["worker", "--broker", broker, "--scans", scans, "--results", out]
    log = temporary / "worker.log"
    with log.open("wb") as file:
        worker = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", READ_ONLY, "sh", out, temporary, *LETTERMILL, *words],
            env={**clean_environment(), "TMPDIR": str(temporary)},
            stdout=file,
            stderr=file,
        )
    try:
        lettermill("wait", job, "--timeout", PATIENCE_SECONDS, status=1)
    finally:
        worker.terminate()
        assert worker.wait(PATIENCE_SECONDS) == 0, log.read_text()
    lettermill("collect", job, status=1)
    assert Counter(row["status"] for row in pages(out)) == {"DONE": 3, "FAILED": 1}
    # Nothing stays behind, and no library says anything of its own.
    assert [path.name for path in temporary.iterdir()] == ["worker.log"]
    assert not [line for line in log.read_text().splitlines() if not line.startswith("timestamp=")]
    assert "PAGE" not in log.read_text()
    assert "a.png" not in log.read_text()
