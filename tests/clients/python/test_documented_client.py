"""The program with boto3 on docs/emulator.md."""

from contextlib import redirect_stdout
from io import StringIO

from harness.paths import ROOT
from harness.process import Tapegate


def test_it_lists_the_tapes():
    page = (ROOT / "docs" / "emulator.md").read_text()
    (program,) = [part.split("```")[0] for part in page.split("```python\n")[1:]]
    address = "http://127.0.0.1:4588"
    assert address in program
    with Tapegate("emulator", "--listen=127.0.0.1:0") as running, redirect_stdout(StringIO()) as printed:
        exec(program.replace(address, running.emulator), {})
    lines = printed.getvalue().splitlines()
    assert len(lines) == 250
    assert lines[0] == "TST000001 AVAILABLE"
