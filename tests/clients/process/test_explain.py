"""`tapegate check --as NAME`: what the starting policies decide, and which of them."""

import pytest

from harness.paths import ROOT
from harness.process import run
from harness.seeds import ACCOUNT, CUSTOM_POOL, GATEWAY, REGION

POLICIES = ROOT / "deploy" / "policies"


def check(*flags: str):
    return run(
        "check",
        f"--region={REGION}",
        f"--account-id={ACCOUNT}",
        "--allow-anonymous",
        f"--policy-path={POLICIES}",
        *flags,
    )


AGENT = ["--as=agent", "--group=site-berlin", f"--gateway={GATEWAY}"]
CREATE = [*AGENT, "--action=CreateTapes"]


@pytest.mark.parametrize(
    ("flags", "allowed", "told"),
    [
        ([*CREATE, f"--pool={CUSTOM_POOL}"], True, ["by berlin-creates-on-its-gateway-in-its-pool"]),
        ([*CREATE, "--pool=GLACIER"], False, ["none of the", "policies allows it"]),
        ([*CREATE, f"--pool={CUSTOM_POOL}", "--worm"], False, ["forbidden by only-operators-create-worm-tapes"]),
        ([*CREATE, f"--pool={CUSTOM_POOL}", "--size-gib=5121"], False, ["forbidden by only-operators-", "above-5-tib"]),
        ([*AGENT, "--action=DescribeTapes"], True, ["by berlin-describes-its-library"]),
        (["--as=agent", f"--gateway={GATEWAY}", "--action=DescribeTapes"], False, ["none of the"]),
        (["--as=agent", "--group=site-berlin", "--action=ListTapes"], True, [f"{ACCOUNT}/{REGION}"]),
        (
            [
                "--as=agent",
                "--group=site-berlin",
                "--action=ReadTape",
                f"--tape=arn:aws:storagegateway:{REGION}:{ACCOUNT}:tape/EXAMPLE1",
                f"--pool={CUSTOM_POOL}",
                "--status=ARCHIVED",
            ],
            True,
            ["with resource.pool", "with resource.status"],
        ),
    ],
)
def test_a_decision_is_explained(flags, allowed, told):
    checked = check(*flags)
    assert checked.returncode == (0 if allowed else 1), checked.stderr
    assert checked.stdout.startswith("allowed: agent" if allowed else "denied: agent")
    for words in told:
        assert words in checked.stdout


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--as=agent", "--action=CreateTapes"], "--gateway"),
        (["--as=agent", "--action=ReadTape"], "--tape"),
        (["--as=agent"], "--action"),
        (["--action=ListTapes"], "--as"),
        (["--as=agent", "--action=DeleteTape"], "CreateTapeWithBarcode"),
        ([*CREATE, "--pool=no such pool"], "--pool"),
        (
            ["--as=agent", "--action=ReadTape", f"--tape=arn:aws:storagegateway:eu-west-1:{ACCOUNT}:tape/EXAMPLE1"],
            "--tape: region eu-west-1 is not served",
        ),
        (["--as=agent", "--action=ReadTape", "--tape=EXAMPLE1"], "--tape"),
        (
            ["--as=agent", "--action=DescribeTapes", f"--gateway={GATEWAY.replace(REGION, 'eu-west-1')}"],
            "--gateway: region eu-west-1 is not served",
        ),
    ],
)
def test_a_question_that_makes_no_sense_says_what_is_missing(flags, told):
    checked = check(*flags)
    assert checked.returncode == 2
    assert told in checked.stderr
    assert "allowed" not in checked.stdout


def test_a_tape_of_an_account_that_is_not_served_is_rejected_as_in_a_call(tmp_path):
    (tmp_path / "tapegate.toml").write_text(f'accounts = ["{ACCOUNT}"]\n')
    tape = f"--tape=arn:aws:storagegateway:{REGION}:999999999999:tape/EXAMPLE1"
    checked = check(f"--config={tmp_path / 'tapegate.toml'}", "--as=agent", "--action=ReadTape", tape)
    assert checked.returncode == 2
    assert "--tape: account 999999999999 is not served" in checked.stderr


def test_policies_on_trial_are_asked_too(tmp_path):
    (tmp_path / "all.cedar").write_text("permit (principal, action, resource);\n")
    checked = check(f"--policy-trial={tmp_path}", *CREATE, "--pool=GLACIER")
    assert checked.returncode == 1
    assert "on trial: allowed" in checked.stdout


def test_the_starting_policies_and_their_schema_hold():
    checked = check()
    assert checked.returncode == 0, checked.stderr
    assert str(POLICIES) in checked.stdout


def test_a_policy_that_does_not_fit_the_schema_is_told_with_its_place(tmp_path):
    (tmp_path / "wrong.cedar").write_text(
        'permit (principal, action == TapeGate::Action::"CreateTapes", resource)\nwhen { context.colour == "red" };\n'
    )
    checked = run("check", f"--region={REGION}", "--allow-anonymous", f"--policy-path={tmp_path}")
    assert checked.returncode == 2
    assert "wrong.cedar:" in checked.stderr
    assert "colour" in checked.stderr
