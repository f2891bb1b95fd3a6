"""Makes the login of Lettermill's user of Redis: the service `login` of docker-compose.yml.

The password is made once. The list of users is written each time from users.acl beside this file, so that
rights that a new version needs reach Redis with its next start. Both can be read by the group that Redis and
the workers are given, and by nobody else.
"""

import os
import secrets
from pathlib import Path

LOGIN = Path("/login")
REDIS_DATA = Path("/redis-data")
REDIS = 999
"""The uid and gid that Redis runs as in docker-compose.yml."""


def write(name: str, text: str) -> None:
    """Write a file whole: Redis or a worker may be reading it."""
    new = LOGIN / f"{name}.new"
    new.write_text(text, encoding="utf-8")
    new.replace(LOGIN / name)


os.umask(0o027)
password = LOGIN / "password"
if not password.exists():
    write("password", secrets.token_urlsafe(32) + "\n")
rights = Path(__file__).with_name("users.acl").read_text(encoding="utf-8")
write("users.acl", rights.replace("PASSWORD", password.read_text(encoding="utf-8").strip()))
os.chown(REDIS_DATA, REDIS, REDIS)  # Whomever the image of Redis gives it to.
