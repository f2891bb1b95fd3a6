"""The interface for programs, over HTTP: answers are as the OpenAPI document says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest

from lettermill.jobs.front.openapi import document
from tests.jobs.front.conftest import Answer, Web
from tests.support import ROOT, draw, wait_for

Serving = Callable[..., Web]

GUIDE = ROOT / "docs" / "web.md"


def check(answer: Answer, schema: str) -> Any:
    """Compare an answer with its schema; the answer."""
    described = document("1")
    jsonschema.validate(answer.json(), {**described, "$ref": f"#/components/schemas/{schema}"})
    return answer.json()


def test_what_a_program_may_ask(serving: Serving, tmp_path: Path) -> None:
    """Without a worker: jobs wait behind one whose page takes long, or have no result."""
    draw(tmp_path / "scans" / "may" / "a.png", ["A"])
    web = serving("--scans", tmp_path / "scans", "--webhook", "http://127.0.0.1:9/h")
    assert web.call("GET", "/openapi.json").json()["openapi"] == "3.1.0"
    # Uploads.
    upload = check(web.call("POST", "/uploads"), "Upload")["upload"]
    name = quote("Ä <b>.png")
    put = web.call("PUT", f"/uploads/{upload}/{name}", b"0123")
    assert check(put, "Received") == {"offset": 4, "length": 4}
    assert web.call("PUT", f"/uploads/{upload}/{name}", b"0123").status == 200, "the same again"
    rest = f"/uploads/{upload}/b.png?length=6"
    assert web.call("PATCH", rest, b"01", **{"Upload-Offset": "0"}).json()["offset"] == 2
    conflict = web.call("PATCH", rest, b"45", **{"Upload-Offset": "4"})
    assert (conflict.status, check(conflict, "Problem")["offset"]) == (409, 2)
    assert check(web.call("GET", rest), "Received") == {"offset": 2, "length": 6}
    half = web.call("POST", "/jobs", {"upload": upload, "alphabet": "letters"})
    assert half.status == 400 and "not sent to their ends" in check(half, "Problem")["error"]
    assert web.call("PATCH", rest, b"2345", **{"Upload-Offset": "2"}).json()["offset"] == 6
    for path, status in (
        (f"/uploads/{upload}/a.zip", 415),
        (f"/uploads/{upload}/.a.png", 400),
        (f"/uploads/{upload}/..%2Fa.png", 404),
        ("/uploads/gone/a.png", 404),
        (f"/uploads/{upload}/a.png?kind=x", 404),
    ):
        refused = web.call("PUT", path, b"x")
        assert refused.status == status, path
        check(refused, "Problem")
    # Jobs: the same key, the same job.
    key = {"Idempotency-Key": str(uuid.uuid4())}
    wanted = {"folder": "may", "alphabet": "letters"}
    made = web.call("POST", "/jobs", wanted, **key)
    assert made.status == 201
    job = check(made, "Job")["job"]
    assert check(web.call("POST", "/jobs", wanted, **key), "Job")["job"] == job
    other = web.call("POST", "/jobs", {**wanted, "alphabet": "digits"}, **key)
    assert other.status == 422 and check(other, "Problem")
    listed = check(web.call("GET", "/jobs"), "Jobs")
    assert [one["job"] for one in listed["jobs"]] == [job]
    bad: tuple[object, ...] = (
        *(b"{", [], {**wanted, "alphabet": "greek"}, {**wanted, "folder": "../out"}),
        *({**wanted, "webhook": "http://169.254.169.254/"}, {**wanted, "shell": "x"}),
    )
    for body in bad:
        refused = web.call("POST", "/jobs", body)
        assert refused.status == 400, body
        check(refused, "Problem")
    # A job that has not ended is not deleted; one that is stopped is.
    stopped = check(web.call("POST", f"/jobs/{job}/cancel"), "Job")
    assert stopped["state"] in ("stopped", "complete")
    check(web.call("POST", f"/jobs/{job}/resume"), "Job")
    assert check(web.call("GET", f"/jobs/{job}"), "Job")["pages"] == 1
    web.ended(job)
    table = web.call("GET", f"/jobs/{job}/results/letters.csv")
    assert table.status == 200 and table.content.startswith(b"scan,page,")
    assert web.call("GET", f"/jobs/{job}/results/job.json").status == 404
    # Its results are written a moment after its last page was read.
    wait_for(lambda: web.call("DELETE", f"/jobs/{job}").status == 204, what="the deletion of the job")
    check(web.call("GET", f"/jobs/{job}"), "Problem")
    assert web.call("DELETE", f"/uploads/{upload}").status == 204
    assert web.call("DELETE", f"/uploads/{upload}").status == 404
    # Nobody else.
    assert web.call("GET", "/jobs", Authorization="Bearer x").status == 401
    assert web.call("GET", "/jobs", Host="evil.example").status == 421
    browser = web.browser()
    assert browser.refused("/api/v1/jobs") == 401, "the cookie counts for nothing here"


@pytest.mark.slow
def test_the_examples_of_the_guide(serving: Serving, tmp_path: Path) -> None:
    """Every curl command of docs/web.md, in its order, by a shell."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    card = draw(tmp_path / "card.png", ["A"])
    card.write_bytes(card.read_bytes().ljust(81_920, b"\0"))
    draw(tmp_path / "scans" / "may" / "a.png", ["A"])
    web = serving("--scans", tmp_path / "scans")
    upload = web.upload()
    rows = re.findall(
        r"^\| ([^|]+) \| `((?:\\\||[^`|])*curl(?:\\\||[^`|])*)`", GUIDE.read_text(), re.MULTILINE
    )
    assert len(rows) == 14
    values = {"URL": f"http://127.0.0.1:{web.port}/api/v1", "AUTH": f"Authorization: Bearer {web.token}"}
    for what, command in rows:
        if what == "send the rest":  # Where the whole file was not sent before.
            (tmp_path / "out" / "uploads" / upload / "card.png").unlink()
            first = web.call("PATCH", f"/uploads/{upload}/card.png?length=81920", card.read_bytes()[:65_536])
            assert first.status == 200
        if what in ("stop it", "delete it"):
            web.ended("May")
        command = command.replace("\\|", "|").replace("UPLOAD", upload).replace("curl ", "curl -sS -f ")
        if what == "delete it":  # Its results may still be written.
            command += " --retry 20 --retry-all-errors --retry-delay 1"
        variables = {**os.environ, **values}
        done = subprocess.run(["bash", "-c", command], env=variables, cwd=tmp_path, capture_output=True)
        assert done.returncode == 0, (command, done.stderr)
    assert (tmp_path / "May-letters.csv").read_bytes().startswith(b"scan,page")
    assert web.call("GET", "/jobs").json()["count"] == 1
