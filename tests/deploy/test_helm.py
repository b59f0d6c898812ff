"""The chart: the base's own objects, what each value does, and what it refuses."""

import copy
import functools
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from stream import __version__, configuration
from tests.deploy.chart import CHART, README, SCHEMA, readme, schema, values
from tests.deploy.test_kubernetes import (
    CRDS,
    KUBERNETES,
    RESTRICTED,
    Manifest,
    assert_custom_resources_are_right,
    assert_kubernetes_takes,
    built,
    program,
)

QUEUE: Final = "https://sqs.eu-west-1.amazonaws.com/111122223333/trailstream"
EKS: Final = {
    "image": {"repository": "trailstream"},
    "settings": {
        "TRAILSTREAM_QUEUE_URL": QUEUE,
        "TRAILSTREAM_BUCKETS": "acme-cloudtrail",
        "TRAILSTREAM_LEDGER": "dynamodb://trailstream",
    },
    "secretFiles": {"TRAILSTREAM_SLACK_WEBHOOK_URL": "slack-webhook-url"},
    "keda": {"enabled": True},
    "podMonitor": {"enabled": True},
    "prometheusRule": {"enabled": True},
    "networkPolicy": {"enabled": True},
}
"""What the overlay example-eks is."""
OURS: Final = ("app.kubernetes.io/managed-by", "helm.sh/chart", "checksum/settings")
"""What Helm adds to an object, and the chart to a pod, in place of Kustomize's hash in a ConfigMap's name."""


@functools.cache
def _rendered(given: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [program("helm"), "template", "trailstream", str(CHART), "--values", "-", *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=120, check=False)


def rendered(given: Any, *arguments: str) -> list[Manifest]:
    done = _rendered(json.dumps(given), *arguments)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def refused(given: Any) -> str:
    done = _rendered(json.dumps(given))
    assert done.returncode != 0
    return done.stderr


def one(given: Any, kind: str) -> Manifest:
    (found,) = [each for each in rendered(given) if each["kind"] == kind]
    return found


def objects(manifests: list[Manifest]) -> dict[tuple[str, str], Manifest]:
    """By kind and name, without what the two tools add of their own, and without Helm's test."""
    found = {}
    for manifest in copy.deepcopy(manifests):
        if "helm.sh/hook" in manifest["metadata"].get("annotations", {}):
            continue
        if manifest["kind"] == "ConfigMap":
            manifest["metadata"]["name"] = "trailstream"
        found[manifest["kind"], manifest["metadata"]["name"]] = _plain(manifest)
    return found


def _plain(part: Any) -> Any:
    if isinstance(part, dict):
        plain = {key: _plain(value) for key, value in part.items() if key not in OURS and key != "namespace"}
        if "configMapRef" in plain:
            plain["configMapRef"] = {"name": "trailstream"}
        return {key: value for key, value in plain.items() if not (key in ("annotations", "labels") and value == {})}
    return [_plain(each) for each in part] if isinstance(part, list) else part


def test_by_default_it_is_the_base_object_by_object() -> None:
    base = objects(list(yaml.safe_load_all(built(KUBERNETES / "base"))))
    chart = objects(rendered({"image": {"repository": "trailstream"}}))

    assert chart.keys() == base.keys()
    for name in base:
        assert chart[name] == base[name], name


def test_with_all_on_it_is_the_overlay_object_by_object() -> None:
    overlay = objects(list(yaml.safe_load_all(built(KUBERNETES / "overlays/example-eks"))))
    chart = objects(rendered(EKS))
    assert overlay.pop(("Namespace", "trailstream"))

    assert chart.keys() == overlay.keys()
    for (kind, name), manifest in overlay.items():
        found = chart[kind, name]
        if kind in CRDS or kind == "NetworkPolicy":  # the components leave the recommended labels to the base
            assert manifest["metadata"]["labels"].items() <= found["metadata"]["labels"].items()
            manifest["metadata"]["labels"] = found["metadata"]["labels"]
        assert found == manifest, kind


def test_the_schemas_take_it(tmp_path: Path) -> None:
    everything = rendered(
        EKS | {"serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/t"}}}
    )

    assert_kubernetes_takes([each for each in everything if each["kind"] not in CRDS], tmp_path)
    assert_custom_resources_are_right({each["kind"]: each for each in everything if each["kind"] in CRDS})


@pytest.mark.parametrize("given", [{"image": {"repository": "trailstream"}}, EKS])
def test_every_container_is_restricted_helm_s_test_among_them(given: Any) -> None:
    specs = [each["spec"] for each in rendered(given) if each["kind"] == "Pod"]
    specs.append(one(given, "Deployment")["spec"]["template"]["spec"])
    assert len(specs) == 2
    for spec in specs:
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is spec["enableServiceLinks"] is False
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            assert container["securityContext"] == RESTRICTED
            assert container["resources"]["limits"].keys() == {"memory"}
            assert container["image"] == f"trailstream:{__version__}"


def test_the_program_takes_its_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "slack-webhook-url"
    file.write_text("https://hooks.slack.com/services/T0/B0/x")
    for name, value in one(EKS, "ConfigMap")["data"].items():
        monkeypatch.setenv(name, str(file) if name.endswith("_FILE") else value)
    read = configuration.load(need_queue=True, need_channel=True)

    assert read.settings.queue_url == QUEUE
    assert {instance.kind for instance in read.instances} == {"slack", "stdout"}


def test_a_large_number_is_one_for_the_program_too(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = {
        "TRAILSTREAM_MAX_RECORD_BYTES": 4_194_304,
        "TRAILSTREAM_MAX_EVENT_AGE": 1_000_000,
        "TRAILSTREAM_RETRY_DELAY": 2.5,
    }
    given = EKS | {"settings": {**EKS["settings"], **numbers}, "keda": {"enabled": True, "queueLength": 2_000_000}}  # type: ignore[dict-item]
    for name, value in one(given, "ConfigMap")["data"].items():
        if not name.endswith("_FILE"):
            monkeypatch.setenv(name, value)
    settings = configuration.load(need_queue=True, need_channel=True).settings

    assert (settings.max_record_bytes, settings.max_event_age, settings.retry_delay) == (4_194_304, 1_000_000, 2.5)
    assert one(given, "ScaledObject")["spec"]["triggers"][0]["metadata"]["queueLength"] == "2000000"


def test_each_value_does_what_it_says() -> None:
    given = EKS | {
        "image": {"repository": "r/t", "digest": f"sha256:{'a' * 64}", "pullPolicy": "Always"},
        "commonLabels": {"team": "security"},
        "imagePullSecrets": ["regcred"],
        "existingSecret": "ours",
        "extraEnv": [{"name": "X", "value": "y"}],
        "extraVolumes": [{"name": "routes", "configMap": {"name": "routes"}}],
        "extraVolumeMounts": [{"name": "routes", "mountPath": "/etc/routes", "readOnly": True}],
        "podAnnotations": {"a": "b"},
        "nodeSelector": {"arch": "arm64"},
        "tolerations": [{"key": "k", "operator": "Exists"}],
        "priorityClassName": "high",
        "networkPolicy": {"enabled": True, "smtp": True, "prometheusNamespace": "observe"},
        "keda": {"enabled": True, "maxReplicas": 40, "roleArn": "arn:aws:iam::1:role/keda"},
    }
    template = one(given, "Deployment")["spec"]["template"]
    spec, (container,) = template["spec"], template["spec"]["containers"]

    assert container["image"] == f"r/t@sha256:{'a' * 64}"
    assert (container["imagePullPolicy"], container["env"]) == ("Always", given["extraEnv"])
    assert container["volumeMounts"][1:] == given["extraVolumeMounts"]
    assert spec["volumes"][0]["secret"]["secretName"] == "ours"
    assert (spec["nodeSelector"], spec["tolerations"]) == (given["nodeSelector"], given["tolerations"])
    assert (spec["priorityClassName"], spec["imagePullSecrets"]) == ("high", [{"name": "regcred"}])
    assert template["metadata"]["annotations"]["a"] == "b"
    assert all(each["metadata"]["labels"]["team"] == "security" for each in rendered(given))
    policy = one(given, "NetworkPolicy")["spec"]
    assert {port["port"] for rule in policy["egress"] for port in rule["ports"]} == {53, 80, 443, 465, 587}
    assert one(given, "ScaledObject")["spec"]["maxReplicaCount"] == 40
    assert one(given, "TriggerAuthentication")["spec"]["podIdentity"]["roleArn"] == "arn:aws:iam::1:role/keda"


def test_a_changed_setting_rolls_the_pods_and_another_release_has_other_names() -> None:
    def checksum(given: Any) -> str:
        text: str = one(given, "Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/settings"]
        return text

    assert checksum(EKS) != checksum(EKS | {"settings": {**EKS["settings"], "TRAILSTREAM_CONCURRENCY": 8}})  # type: ignore[dict-item]
    names = {each["metadata"]["name"] for each in rendered(EKS | {"fullnameOverride": "watch"})}
    assert names == {"watch", "watch-check"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "image.repository is required"),
        ({"image": {"repository": "t"}, "settings": {"TRAILSTREAM_QUEU_URL": "x"}}, "TRAILSTREAM_QUEU_URL"),
        ({"image": {"repository": "t"}, "settings": {"TRAILSTREAM_SLACK_WEBHOOK_URL": "x"}}, "SLACK_WEBHOOK_URL"),
        ({"image": {"repository": "t"}, "secretFiles": {"TRAILSTREAM_CONCURRENCY": "x"}}, "TRAILSTREAM_CONCURRENCY"),
        ({"image": {"repository": "t"}, "settings": {"AWS_SECRET_ACCESS_KEY": "x"}}, "AWS_SECRET_ACCESS_KEY"),
        ({"image": {"repository": "t"}, "commonLabels": {"app.kubernetes.io/name": "x"}}, "app.kubernetes.io/name"),
        ({"image": {"repository": "t"}, "replicaCount": 3}, "replicaCount"),
        ({"image": {"repository": "t"}, "replicas": "two"}, "replicas"),
        ({"image": {"repository": "t", "digest": "latest"}}, "digest"),
        ({"image": {"repository": "t"}, "settings": {"TRAILSTREAM_HTTP_PORT": 9090}}, "TRAILSTREAM_HTTP_PORT"),
        ({"image": {"repository": "t"}, "keda": {"enabled": True}}, "needs settings.TRAILSTREAM_QUEUE_URL"),
        (
            EKS | {"keda": {"enabled": True, "minReplicas": 11}},
            "keda.minReplicas (11) is more than keda.maxReplicas (10)",
        ),
    ],
)
def test_what_can_not_be_is_refused_by_name(given: Any, said: str) -> None:
    assert said in refused(given)


def test_where_the_queue_names_no_region_keda_is_told_it() -> None:
    given = EKS | {"settings": {"TRAILSTREAM_QUEUE_URL": "https://queue.example/1/q", "AWS_REGION": "eu-north-1"}}

    assert one(given, "ScaledObject")["spec"]["triggers"][0]["metadata"]["awsRegion"] == "eu-north-1"


@pytest.mark.parametrize("host", ["sqs.eu-west-1.api.aws", "sqs-fips.eu-west-1.amazonaws.com"])
def test_the_region_of_any_address_of_sqs_is_known(host: str) -> None:
    given = EKS | {"settings": {"TRAILSTREAM_QUEUE_URL": f"https://{host}/111122223333/q"}}

    assert one(given, "ScaledObject")["spec"]["triggers"][0]["metadata"]["awsRegion"] == "eu-west-1"


def test_helm_has_nothing_against_it() -> None:
    command = [program("helm"), "lint", "--strict", str(CHART), "--values", "-"]
    done = subprocess.run(command, input=json.dumps(EKS), capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == __version__


def test_schema_and_readme_are_made_of_values_and_settings() -> None:
    assert json.loads(SCHEMA.read_text()) == schema(), "run: python -m tests.deploy.chart"
    assert README.read_text() == readme(), "run: python -m tests.deploy.chart"
    assert len(values()) > 30


def test_what_to_do_next_is_said(tmp_path: Path) -> None:
    copied = tmp_path / "trailstream"  # Helm renders notes for a cluster only
    shutil.copytree(CHART, copied)
    notes = (copied / "templates/NOTES.txt").read_text()
    told = 'kind: ConfigMap\napiVersion: v1\nmetadata: {name: notes}\ndata:\n  notes: {{ include "notes" . | quote }}\n'
    (copied / "templates/notes.yaml").write_text(f'{{{{- define "notes" -}}}}\n{notes}\n{{{{- end -}}}}\n{told}')
    texts = []
    for settings in ({}, {"TRAILSTREAM_LEDGER": "dynamodb://t"}):
        done = subprocess.run(
            [program("helm"), "template", "watch", str(copied), "--values", "-", "--show-only", "templates/notes.yaml"],
            input=json.dumps({"image": {"repository": "t"}, "settings": settings}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        texts.append(yaml.safe_load(done.stdout)["data"]["notes"])

    for command in ("deploy/watch-trailstream -- trailstream check", "helm test watch", "port-forward"):
        assert all(command in text for text in texts)
    assert ["TRAILSTREAM_LEDGER" in text for text in texts] == [True, False]
