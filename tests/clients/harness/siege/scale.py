"""How long and how hard the siege is: a little in the test command, in full in tests/soak/run."""

import os

# In full, the service and its bounds are those of a release on a machine of its own.
IS_FULL = os.environ.get("TAPEGATE_SIEGE") == "full"


def scaled(little: float, full: float) -> float:
    return full if IS_FULL else little


def count(name: str, little: int, full: int) -> int:
    """A count that the variable `TAPEGATE_SIEGE_NAME` overrides."""
    return int(os.environ.get(f"TAPEGATE_SIEGE_{name}", scaled(little, full)))


# Other tests let calls wait for a processor for an hour, and so does a little siege: a development build beside its
# attacker has not enough of them. An empty variable is not set.
DEFAULTS = {"TAPEGATE_MAX_SCHEDULING_DELAY": ""} if IS_FULL else {}
