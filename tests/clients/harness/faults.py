"""The emulator's fault rules: what AWS does wrong, on demand."""

import json
import urllib.request

from harness.process import Tapegate


class Faults:
    """The rules of one emulator, or of the one in `tapegate dev`."""

    def __init__(self, running: Tapegate):
        self._endpoint = running.emulator

    def _ask(self, method: str, body: object = None) -> list[dict]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._endpoint}/_emulator/faults", data, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["faults"]

    def add(self, **rule):
        """Puts a rule behind those in force."""
        return self._ask("POST", rule)

    def clear(self):
        """Ends all rules."""
        assert self._ask("DELETE") == []

    def shown(self) -> list[dict]:
        """The rules in force, with how often each was tried and acted."""
        return self._ask("GET")

    def hits(self) -> int:
        """How often the only rule acted."""
        (rule,) = self.shown()
        return rule["hit"]
