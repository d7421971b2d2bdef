"""The commands, as scripts and service managers use them."""

import json
import os
import re
import subprocess

import pytest

from harness.certificates import certificate
from harness.paths import ROOT
from harness.process import Tapegate, dev, emulator, make_token, run
from harness.seeds import REGION
from harness.upstream import CREDENTIALS, serve, silent_upstream

ADDRESS = r"127\.0\.0\.1:[1-9][0-9]*"


def test_the_first_line_of_dev_says_where_everything_listens():
    with dev() as running:
        assert set(running.addresses) == {"grpc", "admin", "emulator"}
    first = running.stdout.all()[0]
    assert re.fullmatch(f"listening grpc={ADDRESS} admin={ADDRESS} emulator={ADDRESS}", first)


def tried(running: Tapegate, **variables: str) -> dict:
    """What the line to try prints, as a person pastes it into a shell."""
    line = running.stdout.wait_for(lambda line: line.startswith("try: "))
    command = line.removeprefix("try: ")
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, env=os.environ | variables)
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return json.loads(done.stdout)


def test_dev_prints_a_line_to_try():
    with dev() as running:
        assert len(tried(running)["tapeInfos"]) == 3


def test_the_line_to_try_has_the_certificate_and_asks_for_the_token(tmp_path):
    tokens = tmp_path / "tokens.toml"
    token = make_token("agent-7", "tape-operators", file=tokens)
    made = certificate(tmp_path)
    policies = ROOT / "deploy" / "policies"
    flags = ["--allow-anonymous=false", f"--auth-tokens-file={tokens}", f"--policy-path={policies}", *made.flags()]
    with dev(*flags) as running:
        assert len(tried(running, TOKEN=token)["tapeInfos"]) == 3


def test_serve_and_emulator_say_only_what_they_have():
    with silent_upstream() as upstream, serve(upstream) as running:
        assert list(running.addresses) == ["grpc", "admin"]
    with emulator() as running:
        assert list(running.addresses) == ["emulator"]


def test_logs_go_to_stderr():
    with dev(env={"TAPEGATE_LOG_FORMAT": "json"}) as running:
        pass
    logged = running.stderr.all()
    assert logged
    for line in logged:
        json.loads(line)
    assert not [line for line in running.stdout.all() if line.startswith("{")]


def test_no_secret_is_printed():
    secret = "NOT-TO-BE-SEEN/NOT-TO-BE-SEEN/NOT-TO-BEE"
    env = {"TAPEGATE_EMULATOR_SECRET_ACCESS_KEY": secret, "TAPEGATE_LOG_FILTER": "trace"}
    with dev(env=env) as running:
        pass
    assert secret not in "\n".join(running.stdout.all() + running.stderr.all())


def test_dev_refuses_an_address_that_others_can_reach():
    refused = run("dev", "--listen=0.0.0.0:0", "--admin-listen=0.0.0.0:0", "--emulator-listen=0.0.0.0:0")
    assert refused.returncode != 0
    assert refused.stdout == ""
    assert refused.stderr.count("loopback") >= 3


def test_serve_without_allow_anonymous_says_why_it_does_not_start():
    refused = run("serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", f"--region={REGION}", env=CREDENTIALS)
    assert refused.returncode != 0
    assert refused.stdout == ""
    assert "--allow-anonymous" in refused.stderr


def test_serve_for_anybody_is_for_loopback_only():
    refused = run("serve", "--listen=0.0.0.0:0", f"--region={REGION}", "--allow-anonymous", env=CREDENTIALS)
    assert refused.returncode != 0
    assert "loopback" in refused.stderr


def test_check_prints_every_fault_with_its_place(tmp_path):
    config = tmp_path / "tapegate.toml"
    config.write_text('listen = "nowhere"\nregoin = "us-east-1"\n\n[upstream]\nattempt_timeout = "fast"\n')
    checked = run("check", f"--config={config}", "--admin-listen=4711:4711", env={"TAPEGATE_REGION": "Mars"})
    assert checked.returncode != 0

    faults = checked.stdout + checked.stderr
    for fault in ("listen", "regoin", "upstream.attempt_timeout", "admin", "TAPEGATE_REGION"):
        assert fault in faults
    assert str(config) in faults


def test_check_shows_the_effective_settings(tmp_path):
    config = tmp_path / "tapegate.toml"
    config.write_text('listen = "127.0.0.1:1111"\nadmin_listen = "127.0.0.1:2222"\nregion = "eu-west-1"\n')
    env = {"TAPEGATE_ADMIN_LISTEN": "127.0.0.1:3333", "TAPEGATE_REGION": "eu-west-2"}
    checked = run("check", f"--config={config}", "--region=eu-west-3", "--allow-anonymous", env=env)
    assert checked.returncode == 0, checked.stderr
    for effective in ("127.0.0.1:1111", "127.0.0.1:3333", "eu-west-3"):
        assert effective in checked.stdout
    for overruled in ("127.0.0.1:2222", "eu-west-2"):
        assert overruled not in checked.stdout


@pytest.fixture(scope="module")
def silent():
    with silent_upstream() as upstream:
        yield upstream


def test_health_tells_a_running_service_from_none(service: Tapegate, silent: str):
    assert run("health", f"--address={service.grpc}").returncode == 0
    assert run("health", f"--address={service.grpc}", "--service=tapegate.v1.TapeService").returncode == 0
    unknown = run("health", f"--address={service.grpc}", "--service=no.such.Service")
    assert unknown.returncode == 1
    assert unknown.stderr
    # Something takes the connection, but says nothing.
    nobody = run("health", f"--address={silent.removeprefix('http://')}", "--timeout=200ms")
    assert nobody.returncode == 1
    assert nobody.stderr


def test_the_emulator_refuses_misspelt_variables_and_takes_those_of_the_service():
    misspelt = {"TAPEGATE_EMULATR_LISTEN": "127.0.0.1:0", "TAPEGATE_LOG_FILTR": "warn"}
    refused = run("emulator", "--listen=127.0.0.1:0", env=misspelt)
    assert refused.returncode == 2
    for name in misspelt:
        assert f"{name}: there is no variable" in refused.stderr
    with emulator(env={"TAPEGATE_REGION": REGION, "TAPEGATE_CONFIG": "tapegate.toml"}):
        pass
