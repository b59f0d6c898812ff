"""The overlays as Kustomize builds them: valid, restricted, and with settings that the program takes."""

import functools
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
import yaml

from stream import __version__, configuration
from stream.metrics import Metrics
from stream.server import serving

ROOT: Final = Path(__file__).parents[2]
KUBERNETES: Final = ROOT / "deploy/kubernetes"
OVERLAYS: Final = ("example-minimal", "example-eks")
SECRETS: Final = "/run/secrets/trailstream"
CRDS: Final = {
    "ScaledObject": "@kubernetes-models/keda/keda.sh/v1alpha1/index.js",
    "TriggerAuthentication": "@kubernetes-models/keda/keda.sh/v1alpha1/index.js",
    "PodMonitor": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/index.js",
    "PrometheusRule": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/index.js",
}
RESTRICTED: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
Manifest = dict[str, Any]


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is missing; .ci/tools installs it")
    return found


@functools.cache
def built(folder: Path) -> str:
    kubectl = program("kubectl")
    made = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, timeout=120, check=False)
    assert made.returncode == 0, made.stderr
    return made.stdout


def manifests(overlay: str) -> list[Manifest]:
    return list(yaml.safe_load_all(built(KUBERNETES / "overlays" / overlay)))


def one(overlay: str, kind: str) -> Manifest:
    (found,) = [each for each in manifests(overlay) if each["kind"] == kind]
    return found


def pod(overlay: str) -> Manifest:
    spec: Manifest = one(overlay, "Deployment")["spec"]["template"]["spec"]
    return spec


def containers(overlay: str) -> list[Manifest]:
    return [*pod(overlay)["initContainers"], *pod(overlay)["containers"]]


def assert_kubernetes_takes(own: list[Manifest], folder: Path) -> None:
    """Its schemas, strictly."""
    validate = program("kubernetes-validate")
    assert len(own) >= 6
    file = folder / "manifests.yaml"
    file.write_text(yaml.safe_dump_all(own))
    done = subprocess.run([validate, "--strict", file], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def assert_custom_resources_are_right(found: Mapping[str, Manifest]) -> None:
    """By the schemas of KEDA and of the Prometheus Operator, one manifest of each kind."""
    assert found.keys() == CRDS.keys()
    node = program("node")
    script = """
        const [file, manifest] = JSON.parse(require("fs").readFileSync(0, "utf8"));
        import(file).then((models) => {
            const Model = models[manifest.kind] ?? models.default[manifest.kind];
            const made = new Model(manifest);
            try { made.validate(); } catch (fault) { console.error(fault.message); process.exitCode = 3; }
        });
    """
    modules = Path(os.environ.get("NODE_PATH") or "node_modules").resolve()
    for kind, model in CRDS.items():
        if not (modules / model).is_file():
            pytest.skip(f"{model} is missing; .ci/tools installs it")
        manifest = found[kind]
        broken = manifest | {"spec": []}
        for each, fits in ((manifest, True), (broken, False)):
            done = subprocess.run(
                [node, "-e", script],
                input=json.dumps([str(modules / model), each]),
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == (0 if fits else 3), f"{kind}: {done.stderr}"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_schemas_of_kubernetes_take_it(overlay: str, tmp_path: Path) -> None:
    assert_kubernetes_takes([each for each in manifests(overlay) if each["kind"] not in CRDS], tmp_path)


def test_the_schemas_of_keda_and_of_prometheus_take_it() -> None:
    assert_custom_resources_are_right({kind: one("example-eks", kind) for kind in CRDS})


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_container_is_restricted_and_bounded(overlay: str) -> None:
    assert len(containers(overlay)) == 2
    for container in containers(overlay):
        assert container["securityContext"] == RESTRICTED
        assert container["resources"] == {
            "requests": {"cpu": "250m", "memory": "192Mi"},
            "limits": {"memory": "256Mi"},
        }
        assert all(mount["readOnly"] for mount in container["volumeMounts"])
        assert container["image"] == f"trailstream:{__version__}"
    spec = pod(overlay)
    assert spec["securityContext"]["runAsUser"] == spec["securityContext"]["fsGroup"] == 65532
    assert spec["enableServiceLinks"] is False
    assert spec["automountServiceAccountToken"] is one(overlay, "ServiceAccount")["automountServiceAccountToken"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["initContainers"][0]["args"] == ["check", "--config-only"]
    assert spec["containers"][0]["args"] == ["run"]
    assert one(overlay, "Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_rollout_or_a_drained_node_takes_no_replica_too_many(overlay: str) -> None:
    deployment = one(overlay, "Deployment")["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    budget = one(overlay, "PodDisruptionBudget")["spec"]
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    labels = deployment["template"]["metadata"]["labels"]
    service = one(overlay, "Service")["spec"]
    spread = pod(overlay)["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    selectors = [deployment["selector"], budget["selector"], *(each["labelSelector"] for each in spread)]
    for selector in [*(each["matchLabels"] for each in selectors), service["selector"]]:
        assert selector.items() <= labels.items()
        assert selector
    assert service["ipFamilyPolicy"] == "PreferDualStack"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_can_be_told_apart_by_labels_is(overlay: str) -> None:
    recommended = {"name", "instance", "component", "part-of", "version"}
    for manifest in manifests(overlay):
        if manifest["kind"] in ("Deployment", "Service", "ServiceAccount", "PodDisruptionBudget", "ConfigMap"):
            labels = manifest["metadata"]["labels"]
            assert {f"app.kubernetes.io/{each}" for each in recommended} <= labels.keys()
            assert labels["app.kubernetes.io/version"] == __version__


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_program_takes_its_settings(overlay: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config_map = one(overlay, "ConfigMap")
    (volume,) = pod(overlay)["volumes"]
    assert volume["secret"]["optional"] is True
    for container in containers(overlay):
        assert container["envFrom"] == [{"configMapRef": {"name": config_map["metadata"]["name"]}}]
        assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": SECRETS, "readOnly": True}]
    for name, value in config_map["data"].items():
        if name.endswith("_FILE"):
            assert value.startswith(f"{SECRETS}/")
            file = tmp_path / Path(value).name
            file.write_text("https://hooks.slack.com/services/T0/B0/x")
            monkeypatch.setenv(name, str(file))
        else:
            monkeypatch.setenv(name, value)
    read = configuration.load(need_queue=True, need_channel=True)
    assert read.settings.http_host == ""
    assert read.settings.http_port == pod(overlay)["containers"][0]["ports"][0]["containerPort"]
    assert pod(overlay)["terminationGracePeriodSeconds"] >= read.settings.shutdown_grace + 10
    assert (read.settings.ledger == "memory") == (one(overlay, "Deployment")["spec"].get("replicas") == 1)


async def test_each_probe_asks_for_what_is_served() -> None:
    container = pod("example-minimal")["containers"][0]
    probes = {name: each for name, each in container.items() if name.endswith("Probe")}
    assert probes.keys() == {"startupProbe", "livenessProbe", "readinessProbe"}
    endpoint = one("example-eks", "PodMonitor")["spec"]["podMetricsEndpoints"][0]
    assert {each["httpGet"]["port"] for each in probes.values()} == {endpoint["port"]} == {"metrics"}
    silent_for_ever = -1e9
    async with (
        serving(Metrics(), lambda: silent_for_ever, host="127.0.0.1", port=0) as (host, port),
        aiohttp.ClientSession(f"http://{host}:{port}") as client,
    ):
        answers = {}
        for path in [*(each["httpGet"]["path"] for each in probes.values()), endpoint["path"]]:
            async with client.get(path) as response:
                answers[path] = response.status
    assert answers == {"/healthz": 200, "/readyz": 503, "/metrics": 200}


def test_keda_alone_says_how_many() -> None:
    assert "replicas" not in one("example-eks", "Deployment")["spec"]
    scaled = one("example-eks", "ScaledObject")["spec"]
    assert scaled["minReplicaCount"] == 2
    assert scaled["fallback"]["replicas"] >= 2
    assert scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"]
    (trigger,) = scaled["triggers"]
    settings = one("example-eks", "ConfigMap")["data"]
    assert trigger["metadata"]["queueURL"] == settings["TRAILSTREAM_QUEUE_URL"]
    assert f"//sqs.{trigger['metadata']['awsRegion']}." in trigger["metadata"]["queueURL"]
    assert all(isinstance(value, str) for value in trigger["metadata"].values())
    authentication = one("example-eks", "TriggerAuthentication")
    assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]
    assert authentication["spec"] == {"podIdentity": {"provider": "aws"}}


def test_only_what_is_needed_may_pass() -> None:
    policy = one("example-eks", "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    (ingress,) = policy["ingress"]
    assert ingress["ports"] == [{"protocol": "TCP", "port": 8080}]
    blocks = {
        (to["ipBlock"]["cidr"], port["port"])
        for rule in policy["egress"]
        for to, port in itertools.product(rule["to"], rule["ports"])
        if "ipBlock" in to
    }
    assert blocks == {("0.0.0.0/0", 443), ("::/0", 443), ("169.254.170.23/32", 80), ("fd00:ec2::23/128", 80)}
    others = [port for rule in policy["egress"] for port in rule["ports"] if "ipBlock" not in rule["to"][0]]
    assert others == [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
