"""Faults on demand in any process of Lettermill: Python loads this at its start where PYTHONPATH leads here.

The environment variable FAULTS holds JSON:
- "set": {"module.NAME": value, …}: constants, to wait seconds in a test for what takes an hour in life;
- "kill": text: a process that opens a scan with this text in its name dies with SIGKILL;
- "slow": [text, seconds]: a process that opens a scan with this text in its name sleeps first.
"""

import importlib.util
import json
import os
import signal
import sys
import time

_FAULTS = json.loads(os.environ.get("FAULTS", "{}"))
_READER = "lettermill.jobs.scans.reader"


class _AfterImport:
    def __init__(self) -> None:
        self._set = {}
        for name, value in _FAULTS.get("set", {}).items():
            module, _, attribute = name.rpartition(".")
            self._set.setdefault(module, {})[attribute] = value

    def find_spec(self, name, path=None, target=None):
        if name not in self._set and name != _READER:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        execute = spec.loader.exec_module

        def execute_and_change(module):
            execute(module)
            for attribute, value in self._set.get(name, {}).items():
                assert hasattr(module, attribute), f"{name} has no {attribute}"
                setattr(module, attribute, value)
            if name == _READER:
                _spoil(module)

        spec.loader.exec_module = execute_and_change
        return spec


def _spoil(reader) -> None:
    open_unchanged = reader.open_unchanged
    poison = _FAULTS.get("kill")
    slow, seconds = _FAULTS.get("slow", (None, 0))

    def spoiled(root, scan, *rest):
        if poison and poison in scan:
            os.kill(os.getpid(), signal.SIGKILL)
        if slow and slow in scan:
            time.sleep(seconds)
        return open_unchanged(root, scan, *rest)

    reader.open_unchanged = spoiled


if _FAULTS:
    sys.meta_path.insert(0, _AfterImport())
