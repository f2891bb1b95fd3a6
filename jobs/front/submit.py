"""Make jobs of what people and programs ask for, and keep what was asked beside the results."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.front.uploads import TEMPLATE_FOLDER, Uploads, check_complete
from lettermill.jobs.inputs.context import PACKS
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe, make_recipe
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.latest import point_latest
from lettermill.jobs.job.make import make_job
from lettermill.jobs.job.roots import Roots
from lettermill.jobs.settings import AlphabetChoice
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.hidden import is_hidden

ASKED_FILE = "asked.json"
"""What was asked for, in the job folder; jobs of the command line have none."""

KEYS_FOLDER = ".web-keys"
"""The folder beside the jobs with a file for each Idempotency-Key that was used."""

MOST_FOLDERS = 1_000
"""How many folders and templates below --scans are offered."""

_DEEPEST = 4

UPLOADS_FOLDER = "uploads"


class KeyUsed(UsageProblem):
    """An Idempotency-Key comes again with another request."""


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request for a job.

    Attributes:
        upload: the name of the upload that holds the scans; empty if a folder does.
        folder: the folder of the scans, below --scans; empty if an upload holds them.
        alphabet: what is written on the pages; None only with a template.
        context: the name of a pack; empty for none.
        template: the file of a form's template below --scans; empty for none.
        uploaded_template: the name of a template in the upload; empty for none.
        name: what the job folder is called; empty for the usual name.
        webhook: the address that gets a message at the end; empty for none.
    """

    upload: str = ""
    folder: str = ""
    alphabet: AlphabetChoice | None = None
    context: Literal["", *PACKS] = ""  # type: ignore[valid-type]
    template: str = ""
    uploaded_template: str = ""
    name: Annotated[str, msgspec.Meta(max_length=200)] = ""
    webhook: Annotated[str, msgspec.Meta(max_length=2000)] = ""


class Asked(msgspec.Struct, frozen=True):
    """What is kept of a request.

    Attributes:
        by: who asked.
        when: ISO time in UTC.
        webhook: the address that gets a message at the end; empty for none, and once it has it.
    """

    by: str
    when: str
    webhook: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Places:
    """Where scans and results are.

    Attributes:
        out: the folder of the job folders.
        scans: the folder below which scans may be chosen; None if they can only be uploaded.
        broker: the address of a fleet's Redis; None if this machine reads.
        webhooks: addresses; a webhook has to begin with one of them.
    """

    out: Disk
    scans: Disk | None = None
    broker: str | None = None
    webhooks: tuple[str, ...] = ()

    @property
    def uploads(self) -> Disk:
        """Where uploads lie: where a fleet sees them, else beside the results."""
        return (self.scans if self.broker and self.scans else self.out) / UPLOADS_FOLDER


def submit(wanted: Wanted, places: Places, uploads: Uploads, by: str, key: str = "") -> Job:
    """Make a job, or find the one that was made of the same request before.

    Args:
        wanted: what is asked for.
        places: where scans and results are.
        uploads: the uploads.
        by: who asks.
        key: the Idempotency-Key of a program: the same key never makes a second job.

    Returns:
        The job; its pages are not read yet.

    Raises:
        UsageProblem: the request contradicts itself, or names what is not there.
        KeyUsed: the key was used for another request.
        UploadRefused: there is no such upload.
        NoScans, BadData, ModelProblem, ResultsNotWritable: as `make_job`.
    """
    scans = _scans(wanted, places, uploads)
    _check_webhook(wanted.webhook, places.webhooks)
    recipe = _recipe(wanted, places, uploads)
    if key:
        _use_key(places.out, key, wanted)
    roots = Roots(places.scans if places.broker and places.scans else scans, places.out)
    job = make_job(
        scans,
        places.out,
        recipe,
        roots,
        name=wanted.name,
        client_token=key and hashlib.sha256(key.encode()).hexdigest()[:16],
        shared=places.broker is not None,
    ).job
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    (job.path / ASKED_FILE).write(msgspec.json.encode(Asked(by, now, wanted.webhook)))
    point_latest(job)
    return job


def asked(job_folder: Disk) -> Asked | None:
    """Return what was asked for; None for jobs of the command line, and where the file is damaged."""
    try:
        return msgspec.json.decode(job_folder.read(ASKED_FILE), type=Asked)
    except (OSError, msgspec.DecodeError):
        return None


def inside(root: Disk, below: str, what: str) -> Disk:
    """Return a path below a folder; links, hidden names and `..` lead nowhere.

    Args:
        root: the folder.
        below: the path that was sent, with `/`.
        what: what it is, for the message.

    Raises:
        UsageProblem: it is not below the folder, or not there.
    """
    parts = below.split("/")
    top = root.resolve()
    if not any(not part or is_hidden(part) or "\0" in part for part in parts):
        path = top.joinpath(*parts)
        try:
            if path.exists() and path.resolve() == path:
                return path
        except OSError:  # A name too long, or a folder that may not be entered.
            pass
    raise UsageProblem(
        f"there is no {what} {display_path(below)!r} below {display_path(root)}", "Choose one of the list."
    )


def offered(scans: Disk | None) -> tuple[list[str], list[str]]:
    """Return the folders and the templates below --scans that can be chosen, each by its path."""
    folders: list[str] = []
    templates: list[str] = []
    if scans is None:
        return folders, templates
    for folder, subfolders, names in os.walk(scans):
        below = os.path.relpath(folder, scans)
        depth = 0 if below == "." else below.count("/") + 1
        subfolders[:] = sorted(
            name
            for name in subfolders
            if not is_hidden(name) and not (depth == 0 and name == UPLOADS_FOLDER) and _is_text(name)
        )
        if depth:
            folders.append(below)
        prefix = f"{below}/" if depth else ""
        templates += [prefix + name for name in sorted(names) if name.endswith(".toml") and _is_text(name)]
        if depth == _DEEPEST or len(folders) + len(templates) >= MOST_FOLDERS:
            subfolders.clear()
        if len(folders) >= MOST_FOLDERS:
            break
    return folders, templates


def _is_text(name: str) -> bool:
    return name.isprintable() and name.encode("utf-8", "surrogateescape") == name.encode("utf-8", "replace")


def _scans(wanted: Wanted, places: Places, uploads: Uploads) -> Disk:
    if bool(wanted.upload) == bool(wanted.folder):
        raise UsageProblem("a job is made of an upload or of a folder", "Send files, or choose a folder.")
    if wanted.upload:
        path = uploads.path(wanted.upload)
        check_complete(uploads.listed(wanted.upload))
        return path
    if places.scans is None:
        raise UsageProblem(
            "no folder can be chosen: `lettermill web` was started without --scans", "Upload the scans."
        )
    return inside(places.scans, wanted.folder, "folder")


def _recipe(wanted: Wanted, places: Places, uploads: Uploads) -> ReadingRecipe:
    template: Path | None = None
    if wanted.template and places.scans:
        template = inside(places.scans, wanted.template, "template")
    elif wanted.template or (wanted.uploaded_template and not wanted.upload):
        raise UsageProblem("there is no place for this template", "Upload it with the scans.")
    elif wanted.uploaded_template:
        folder = uploads.path(wanted.upload) / TEMPLATE_FOLDER
        template = inside(folder, wanted.uploaded_template, "template")
    if template is None and wanted.alphabet is None:
        raise UsageProblem(
            "it is not said what is written on the pages", "Choose letters, digits, both, or a template."
        )
    return make_recipe(
        template=template,
        alphabet=None if template else wanted.alphabet,
        context=wanted.context or None,
    )


def _check_webhook(address: str, allowed: tuple[str, ...]) -> None:
    """Check that a webhook is one that whoever started the server allows.

    Raises:
        UsageProblem: it is not.
    """
    if address and not any(address == one or address.startswith(f"{one.rstrip('/')}/") for one in allowed):
        raise UsageProblem(
            f"the webhook {address!r} is not allowed",
            "Give an address below one of those that `lettermill web` got with --webhook.",
        )


def _use_key(out: Disk, key: str, wanted: Wanted) -> None:
    """Note what a key is used for, before there is a job.

    Raises:
        KeyUsed: it was used for another request.
    """
    request = hashlib.sha256(msgspec.json.encode(wanted)).hexdigest().encode()
    path = out / KEYS_FOLDER / hashlib.sha256(key.encode()).hexdigest()
    if path.exists():
        if path.read_bytes() != request:
            raise KeyUsed("this Idempotency-Key was used for another request", "Use a new one for a new job.")
        return
    path.write(request)
