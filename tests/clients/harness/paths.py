"""Where the binary and the protos are."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[3]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
TOOLS = TARGET / "tools" / "bin"
BINARY = Path(os.environ.get("TAPEGATE_BIN", TARGET / "debug" / "tapegate"))
PROTOS = ROOT / "proto"
STUBS = TARGET / "client-stubs"
GO_CLIENT = TARGET / "client-go"
SERVICE_CONFIG = ROOT / "docs" / "service_config.json"


def own_protos() -> list[str]:
    """The proto files that clients generate code from. That of google/rpc comes with their libraries."""
    return sorted(str(path.relative_to(PROTOS)) for path in (PROTOS / "tapegate").rglob("*.proto"))
