"""The Helm chart: what it renders is valid, expected, and starts the service."""

import os
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from harness.certificates import certificate
from harness.paths import ROOT
from harness.process import make_token, run

HERE = Path(__file__).parent
CHART = ROOT / "deploy" / "helm" / "tapegate"
VALUES = sorted((HERE / "values").glob("*.yaml"))
KUBERNETES = ["1.29", "1.33", "1.37"]
# The operator of Prometheus defines these, not Kubernetes.
CUSTOM = {"ServiceMonitor", "PrometheusRule"}


def helm(command: str, values: Path, *arguments: str, name: str = "tapegate") -> subprocess.CompletedProcess[str]:
    release = [name] if command == "template" else []
    options = ["--values", values, "--kube-version", "1.33.0", *arguments]
    return subprocess.run(
        ["helm", command, *release, CHART, *options],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


def rendered(values: Path, *arguments: str) -> str:
    done = helm("template", values, "--namespace", "backup", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(*arguments: str, name: str = "tapegate") -> str:
    """What helm says to values that it does not take."""
    done = helm("template", HERE / "values" / "least.yaml", *arguments, name=name)
    assert done.returncode != 0
    return done.stderr


def resources(values: Path, *arguments: str) -> dict[tuple[str, str], dict]:
    found = [one for one in yaml.safe_load_all(rendered(values, *arguments)) if one]
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def named(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("values", VALUES, ids=named)
def test_lint_finds_nothing(values: Path):
    done = helm("lint", values, "--strict")
    assert done.returncode == 0 and "[WARNING]" not in done.stdout, done.stdout


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("values", VALUES, ids=named)
def test_kubernetes_takes_every_resource(values: Path, version: str):
    kinds = set()
    for (kind, _), resource in resources(values).items():
        kinds.add(kind)
        if kind not in CUSTOM:
            kubernetes_validate.validate(resource, version, strict=True)
    assert {"Deployment", "Service", "ConfigMap"} <= kinds


@pytest.mark.parametrize("values", VALUES, ids=named)
def test_it_renders_what_it_rendered_before(values: Path):
    """If the change is meant: UPDATE_GOLDEN=1. The rules and dashboards are compared with their files below."""
    documents = rendered(values).split("---\n")
    text = "---\n".join(one for one in documents if "PrometheusRule" not in one and "-dashboard-" not in one)
    text = text.replace("\n    \n", "\n\n")
    golden = HERE / "golden" / values.name
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("values", VALUES, ids=named)
def test_the_service_starts_with_what_is_rendered(values: Path, tmp_path):
    """The command line, the variables and the mounted files, by `tapegate check`."""
    found = resources(values)
    pod = found["Deployment", "tapegate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    made = certificate(tmp_path)
    tokens = tmp_path / "tokens.toml"
    make_token("agent-7", "tape-operators", file=tokens)
    secrets = {"tls.crt": made.cert, "tls.key": made.key, "ca.crt": made.cert, "tokens.toml": tokens}
    root = tmp_path / "root"

    places = []
    for mount in container["volumeMounts"]:
        place, volume = mount["mountPath"], volumes[mount["name"]]
        places.append(place)
        if "configMap" in volume:
            data = found["ConfigMap", volume["configMap"]["name"]]["data"]
            files = (
                {place: data[mount["subPath"]]} if "subPath" in mount else {f"{place}/{k}": v for k, v in data.items()}
            )
        elif "secret" in volume:
            files = {f"{place}/{name}": file.read_text() for name, file in secrets.items()}
        else:
            files = {}
        for path, text in files.items():
            at = root / path[1:]
            at.parent.mkdir(parents=True, exist_ok=True)
            at.write_text(text)

    def moved(value: str) -> str:
        return f"{root}{value}" if value.startswith(tuple(places)) else value

    env = {one["name"]: moved(one["value"]) for one in container["env"]}
    command, *arguments = map(moved, container["args"])
    assert command == "serve"
    # The roots of the cluster, which are in every pod.
    config = root / "etc/tapegate/tapegate.toml"
    cluster = "/var/run/secrets/kubernetes.io/serviceaccount"
    if cluster in config.read_text():
        account = root / "cluster"
        account.mkdir()
        (account / "ca.crt").write_text(made.cert.read_text())
        (account / "token").write_text("token")
        config.write_text(config.read_text().replace(cluster, str(account)))
    checked = run("check", *arguments, env=env)
    assert checked.returncode == 0, checked.stderr
    for name in env:
        assert not name.startswith("TAPEGATE_") or f"# {name}\n" in checked.stdout, f"{name} has no effect"


@pytest.mark.parametrize("values", VALUES, ids=named)
def test_a_pod_has_the_time_that_a_stop_needs(values: Path):
    pod = resources(values)["Deployment", "tapegate"]["spec"]["template"]["spec"]
    env = {one["name"]: one["value"] for one in pod["containers"][0]["env"]}
    needed = [int(env[f"TAPEGATE_SHUTDOWN_{name}"].removesuffix("s")) for name in ("DELAY", "DRAIN_TIMEOUT")]
    assert pod["terminationGracePeriodSeconds"] >= sum(needed) + 3 + 5


def test_the_rules_and_dashboards_are_those_of_the_repository():
    found = resources(HERE / "values" / "all.yaml")
    files = [ROOT / "deploy" / "prometheus" / f"{name}.rules.yaml" for name in ("recording", "alerts")]
    wanted = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    assert found["PrometheusRule", "tapegate"]["spec"]["groups"] == wanted
    for file in (ROOT / "deploy" / "grafana").glob("*.json"):
        (data,) = found["ConfigMap", f"tapegate-dashboard-{file.stem}"]["data"].values()
        assert yaml.safe_load(data) == yaml.safe_load(file.read_text())


def test_the_scraped_job_is_the_one_that_rules_select():
    found = resources(HERE / "values" / "all.yaml")
    monitor = found["ServiceMonitor", "tapegate"]["spec"]
    selected = monitor["selector"]["matchLabels"].items()
    services = [one for (kind, _), one in found.items() if kind == "Service"]
    (service,) = [one for one in services if selected <= one["metadata"]["labels"].items()]
    assert monitor["endpoints"][0]["port"] in [port["name"] for port in service["spec"]["ports"]]
    assert service["metadata"]["labels"][monitor["jobLabel"]] == "tapegate"


def test_what_is_missing_is_named():
    assert "region is required" in refused("--set", "region=")
    assert "accountId is required" in refused("--set", "accountId=")
    assert "tls.secret is required" in refused("--set", "tls.secret=")
    assert "no caller could be authenticated" in refused("--set", "tokens.secret=")
    assert "deploy/policies has no file roles2.cedar" in refused("--set", "policies.shipped={roles2.cedar}")


def test_misspelled_values_are_refused():
    assert "additional properties 'replica' not allowed" in refused("--set", "replica=2")
    assert "accountId" in refused("--set-string", "accountId=12345")


def test_values_that_would_render_something_else_are_refused():
    assert "'delay'" in refused("--set", "shutdown.delay=null")
    assert "both have roles.cedar" in refused("--set", r"policies.files.roles\.cedar=x")
    for name in ("a/b.cedar", "a b.cedar", "*a.cedar"):
        assert "policies" in refused("--set", f"policies.files.{name.replace('.', chr(92) + '.')}=x")
    assert "invalid propertyName" in refused("--set", r"podLabels.app\.kubernetes\.io/name=other")
    for name in ("123", "a.b", "true"):
        assert "cannot be the name of a Service" in refused(name=name)


def test_values_of_another_type_of_service_are_refused():
    local, ranges, by = (
        "service.externalTrafficPolicy=Local",
        "service.loadBalancerSourceRanges={10.0.0.0/8}",
        "service.loadBalancerClass=service.k8s.aws/nlb",
    )
    assert "service.type is ClusterIP" in refused("--set", local)
    for one in (ranges, by):
        assert "service.type is ClusterIP" in refused("--set", one)
        assert "service.type is NodePort" in refused("--set", f"service.type=NodePort,{one}")
    found = resources(HERE / "values" / "least.yaml", "--set", f"service.type=NodePort,{local}")
    assert found["Service", "tapegate"]["spec"]["externalTrafficPolicy"] == "Local"
    assert "loadBalancerSourceRanges" in refused(
        "--set", "service.type=LoadBalancer,service.loadBalancerSourceRanges={any}"
    )


def test_an_image_is_named_by_its_digest_or_its_tag():
    def image(*arguments: str) -> str:
        (container,) = resources(HERE / "values" / "least.yaml", *arguments)["Deployment", "tapegate"]["spec"][
            "template"
        ]["spec"]["containers"]
        return container["image"]

    digest = "sha256:" + "0a" * 32
    assert image() == f"tapegate:{yaml.safe_load((CHART / 'Chart.yaml').read_text())['appVersion']}"
    assert image("--set", "image.tag=1.2.3") == "tapegate:1.2.3"
    assert image("--set", f"image.tag=1.2.3,image.digest={digest}") == f"tapegate@{digest}"
    for wrong in ("1.2.3", "sha256:0a", digest.upper()):
        assert "digest" in refused("--set", f"image.digest={wrong}")


@pytest.mark.parametrize(("value", "address"), [("0.0.0.0", "0.0.0.0"), ("::", "[::]")])
def test_it_listens_where_the_probes_ask(value: str, address: str):
    """The kubelet asks at the address of the pod."""
    found = resources(HERE / "values" / "least.yaml", "--set", f"listenAddress={value}")
    (container,) = found["Deployment", "tapegate"]["spec"]["template"]["spec"]["containers"]
    env = {one["name"]: one["value"] for one in container["env"]}
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert env["TAPEGATE_LISTEN"] == f"{address}:{ports['grpc']}"
    assert env["TAPEGATE_ADMIN_LISTEN"] == f"{address}:{ports['admin']}"
    assert "listenAddress" in refused("--set", "listenAddress=127.0.0.1")


def test_clients_of_the_headless_service_reach_the_port_of_the_pods():
    found = resources(HERE / "values" / "all.yaml")
    (container,) = found["Deployment", "tapegate"]["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    (headless,) = found["Service", "tapegate-headless"]["spec"]["ports"]
    assert headless["port"] == ports[headless["targetPort"]]


@pytest.mark.parametrize("config", ["  indented = 1\n", "\n\n  after = 2", 'text = "a: b # c"\r\n', "\tof = 3\n"])
def test_the_configuration_is_passed_on_as_it_is(config: str, tmp_path):
    values = tmp_path / "values.yaml"
    values.write_text(
        yaml.safe_dump({**yaml.safe_load((HERE / "values" / "least.yaml").read_text()), "config": config})
    )
    text = resources(values)["ConfigMap", "tapegate"]["data"]["tapegate.toml"]
    assert text.split() == config.split()
