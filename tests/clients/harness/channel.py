"""The channel options of docs/service-config.md for Python."""

import ast
from pathlib import Path

from harness.paths import ROOT

DOCS = ROOT / "docs"


def _documented_options() -> list[tuple[str, object]]:
    example = (DOCS / "service-config.md").read_text().split("```python\n")[1].split("```")[0]
    statements = ast.parse(example).body
    (options,) = [one.value for one in statements if isinstance(one, ast.Assign) and one.targets[0].id == "options"]
    # Tests open several channels to one address: each needs a connection of its own.
    own = ("grpc.use_local_subchannel_pool", 1)
    return [own, *eval(ast.unparse(options), {"Path": lambda name: Path(DOCS / name)})]


# The list `options` of the first Python example on the page. Read at import, because callers
# need it in threads, and `ast.parse` of CPython 3.11 can fail when two threads call it at once.
DOCUMENTED_OPTIONS = _documented_options()
