"""Who may do what, by the starting policies: every principal, operation, gateway and pool, typed by hand."""

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from harness import aws
from harness.grpcurl import Grpcurl
from harness.paths import ROOT
from harness.process import dev, make_token, run
from harness.seeds import ACCOUNT, CUSTOM_POOL, GATEWAY, REGION, SIZE, new_barcode, new_token

PERMISSION_DENIED = 7
UNAUTHENTICATED = 16
STARTING_POLICIES = ROOT / "deploy" / "policies"

OSLO_ID = "sgw-0510A510"
OSLO_GATEWAY = f"arn:aws:storagegateway:{REGION}:{ACCOUNT}:gateway/{OSLO_ID}"
SCOPE = f"{ACCOUNT}/{REGION}"
GATEWAYS = {"berlin": GATEWAY, "oslo": OSLO_GATEWAY}
POOLS = ["berlin", "oslo", "GLACIER", "DEEP_ARCHIVE", "none"]
CREATES = ["CreateTapes", "CreateTapeWithBarcode"]

# Who there is, and in which groups.
PRINCIPALS = {
    "operator": ["tape-operators"],
    "auditor": ["tape-auditors"],
    "berlin-agent": ["site-berlin"],
    "oslo-agent": ["site-oslo"],
    "of-both": ["site-berlin", "site-oslo"],
    "stranger": ["no-group-of-any-policy"],
    "nobody": [],
}

EVERYWHERE = set(itertools.product(GATEWAYS, POOLS))
# The gateway and pool that each may create in: all that is not here is denied.
CREATES_IN = {
    "operator": EVERYWHERE,
    "berlin-agent": {("berlin", "berlin")},
    "oslo-agent": {("oslo", "oslo")},
    "of-both": {("berlin", "berlin"), ("oslo", "oslo")},
}
DESCRIBES = {
    "operator": {"berlin", "oslo"},
    "auditor": {"berlin", "oslo"},
    "berlin-agent": {"berlin"},
    "oslo-agent": {"oslo"},
    "of-both": {"berlin", "oslo"},
}
# Whose tapes a list shows; who is not here may not list.
SEES = {
    "operator": {"berlin", "oslo", "shared"},
    "auditor": {"berlin", "oslo", "shared"},
    "berlin-agent": {"berlin"},
    "oslo-agent": {"oslo"},
    "of-both": {"berlin", "oslo"},
}


@dataclass
class Site:
    """A closed service with two gateways, and a token of each principal."""

    grpcurl: Grpcurl
    tokens: dict[str, str]
    pools: dict[str, dict]
    # Barcodes of tapes that were there before, in library and archive: whose they are.
    library: dict[str, set[str]]
    archive: dict[str, set[str]]

    def call(self, principal: str, method: str, request: dict):
        header = f"authorization: Bearer {self.tokens[principal]}"
        return self.grpcurl.call(method, request, flags=("-H", header))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    file = folder / "tokens.toml"
    tokens = {name: make_token(name, *groups, file=file) for name, groups in PRINCIPALS.items()}
    policies = folder / "policies"
    shutil.copytree(STARTING_POLICIES, policies)
    settings = [f"--account-id={ACCOUNT}", f"--policy-path={policies}", "--reload-interval=50ms"]
    with dev(*settings, f"--auth-tokens-file={file}", "--emulator-time-scale=0") as running:
        client, control = aws.client(running.emulator), aws.Control(running.emulator)
        control.ask("PUT", f"gateways/{REGION}/{OSLO_ID}", {"type": "VTL", "name": "Oslo", "cache": True})
        made = client.create_tape_pool(PoolName="Oslo", StorageClass="DEEP_ARCHIVE")
        oslo_pool = made["PoolARN"].rpartition("/")[2]
        # Another site, as the first file says that it is made.
        berlin = (policies / "site-berlin.cedar").read_text()
        oslo = berlin.replace("berlin", "oslo").replace(GATEWAY, OSLO_GATEWAY).replace(CUSTOM_POOL, oslo_pool)
        (policies / "site-oslo.cedar").write_text(oslo)
        running.stderr.wait_for(lambda line: "loaded changed files" in line)

        pool_ids = {"berlin": CUSTOM_POOL, "oslo": oslo_pool, "shared": "GLACIER"}
        library, archive = {}, {}
        for owner, pool in pool_ids.items():
            # What is shared is in a library that is nobody's own but Oslo's: so it has to be archived.
            gateway = GATEWAYS.get(owner, OSLO_GATEWAY)
            barcodes = [new_barcode() for _ in range(4)]
            for barcode in barcodes:
                client.create_tape_with_barcode(
                    GatewayARN=gateway, TapeSizeInBytes=SIZE, TapeBarcode=barcode, PoolId=pool
                )
            archived = barcodes[2:] if owner in GATEWAYS else barcodes
            for barcode in archived:
                control.eject(f"arn:aws:storagegateway:{REGION}:{ACCOUNT}:tape/{barcode}")
            archive[owner], library[owner] = set(archived), set(barcodes) - set(archived)
        control.step(30 * 24 * 3600)
        pools = {
            "berlin": {"customPoolId": CUSTOM_POOL},
            "oslo": {"customPoolId": oslo_pool},
            "GLACIER": {"poolId": "POOL_ID_GLACIER"},
            "DEEP_ARCHIVE": {"poolId": "POOL_ID_DEEP_ARCHIVE"},
            "none": {},
        }
        yield Site(Grpcurl(running.grpc), tokens, pools, library, archive)


def check(result, allowed: bool, action: str, resource: str):
    """Allowed, or denied in the one form that a denial has: the action and the resource, and no word of a policy."""
    if allowed:
        assert result.code == 0, result.stderr
        return
    assert result.error["code"] == PERMISSION_DENIED, result.stderr
    info = result.detail("ErrorInfo")
    assert info["reason"] == "PERMISSION_DENIED"
    assert info["domain"] == "tapegate"
    told = {name: info["metadata"].get(name) for name in ("action", "resource", "outcome")}
    expected = {"action": action, "resource": resource}
    assert told == expected | {"outcome": "not_applied" if action in CREATES else None}
    for words in ("berlin-", "oslo-", "auditors-", "operators-", ".cedar", "site-"):
        assert words not in result.stderr


def request_of(method: str, gateway: str, pool: dict) -> dict:
    common = {"gatewayArn": gateway, "tapeSizeInBytes": SIZE, **pool}
    if method == "CreateTapes":
        return common | {"clientToken": new_token(), "numTapesToCreate": 1, "tapeBarcodePrefix": "MTRX"}
    return common | {"tapeBarcode": new_barcode()}


@pytest.mark.parametrize("method", CREATES)
@pytest.mark.parametrize("principal", PRINCIPALS)
def test_creates(site: Site, principal: str, method: str):
    allowed = CREATES_IN.get(principal, set())
    for gateway, pool in sorted(EVERYWHERE):
        result = site.call(principal, method, request_of(method, GATEWAYS[gateway], site.pools[pool]))
        check(result, (gateway, pool) in allowed, method, GATEWAYS[gateway])


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_describe_tapes(site: Site, principal: str):
    for gateway, arn in GATEWAYS.items():
        result = site.call(principal, "DescribeTapes", {"gatewayArn": arn})
        check(result, gateway in DESCRIBES.get(principal, set()), "DescribeTapes", arn)


@pytest.mark.parametrize(
    ("method", "rows", "barcode"),
    [("ListTapes", "tapeInfos", "tapeBarcode"), ("DescribeTapeArchives", "tapeArchives", "tapeBarcode")],
)
@pytest.mark.parametrize("principal", PRINCIPALS)
def test_lists(site: Site, principal: str, method: str, rows: str, barcode: str):
    result = site.call(principal, method, {})
    check(result, principal in SEES, method, SCOPE)
    if principal not in SEES:
        return
    shown = {row[barcode] for page in result.messages for row in page.get(rows, [])}
    for owner in site.library:
        listed = site.archive[owner] | (site.library[owner] if method == "ListTapes" else set())
        assert listed
        assert shown & listed == (listed if owner in SEES[principal] else set()), owner


@pytest.mark.parametrize(("member", "value"), [("worm", True), ("tapeSizeInBytes", 6 << 40)])
def test_guardrails_hold_for_who_may_create_and_not_for_operators(site: Site, member: str, value):
    for principal in ("berlin-agent", "operator"):
        request = request_of("CreateTapeWithBarcode", GATEWAY, site.pools["berlin"]) | {member: value}
        check(
            site.call(principal, "CreateTapeWithBarcode", request),
            principal == "operator",
            "CreateTapeWithBarcode",
            GATEWAY,
        )


def test_a_bad_request_of_who_may_not_do_it_is_told_its_faults_and_nothing_else(site: Site):
    refused = site.call("stranger", "CreateTapeWithBarcode", {"gatewayArn": GATEWAY, "tapeSizeInBytes": 1})
    assert refused.detail("ErrorInfo")["reason"] == "INVALID_REQUEST"


def test_reflection_asks_for_an_identity(site: Site):
    refused = site.grpcurl.run("list")
    assert refused.code != 0
    assert "Unauthenticated" in refused.stderr
    known = site.grpcurl.run("list", flags=("-H", f"authorization: Bearer {site.tokens['nobody']}"))
    assert "tapegate.v1.TapeService" in known.stdout.split()


def test_health_is_open_to_all(site: Site):
    assert run("health", f"--address={site.grpcurl.address}").returncode == 0
