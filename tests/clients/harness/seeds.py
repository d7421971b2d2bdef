"""What `dev` and the emulator hold from the start, and ways to name new things in them."""

import itertools
import os

REGION = "us-east-1"
ACCOUNT = "123456789012"
GATEWAY = f"arn:aws:storagegateway:{REGION}:{ACCOUNT}:gateway/sgw-12A3456B"
NO_GATEWAY = f"arn:aws:storagegateway:{REGION}:{ACCOUNT}:gateway/sgw-00000000"
CUSTOM_POOL = "pool-12345678"
# The pair that the tests give to an emulator, in the form of AWS's own.
ACCESS_KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
GIB = 1 << 30
SIZE = 100 * GIB

_numbers = itertools.count()


def tape_arn(barcode: str) -> str:
    return f"arn:aws:storagegateway:{REGION}:{ACCOUNT}:tape/{barcode}"


def pool_arn(pool_id: str) -> str:
    return f"arn:aws:storagegateway:{REGION}:{ACCOUNT}:tapepool/{pool_id}"


def new_barcode() -> str:
    """A barcode that no other test takes: a barcode is never free again."""
    return f"TST{os.getpid() % 100_000:05}{next(_numbers):04}"


def new_token() -> str:
    return f"token-{os.getpid()}-{next(_numbers)}"
