"""A certificate of this machine, which is its own authority."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

NAME = "tapegate.internal"


@dataclass(frozen=True)
class Certificate:
    cert: Path
    key: Path
    # Both in one file, as HAProxy reads them.
    both: Path

    def flags(self) -> list[str]:
        """Of tapegate."""
        return [f"--tls-cert={self.cert}", f"--tls-key={self.key}"]


def certificate(folder: Path) -> Certificate:
    made = Certificate(folder / "cert.pem", folder / "key.pem", folder / "both.pem")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = f"subjectAltName=DNS:{NAME},DNS:localhost,IP:127.0.0.1"
    # As in docs/grpcurl.md: tonic's client takes no root certificate as that of a server.
    names_and_use = ["-addext", names, "-addext", "basicConstraints=critical,CA:FALSE"]
    command += ["-days", "2", "-subj", f"/CN={NAME}", *names_and_use, "-keyout", made.key, "-out", made.cert]
    subprocess.run(command, check=True, capture_output=True)
    made.both.write_bytes(made.cert.read_bytes() + made.key.read_bytes())
    return made
