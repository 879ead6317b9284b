"""The files of deploy/ are read by what will read them, or by what knows their schema; what they name is there."""

import json
import os
import re
import shutil
import subprocess
from itertools import chain
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from django.conf import settings

from core.metrics.ledgers import WORKERS
from tests.architecture.test_environment import entries
from tests.factories.nginx import PROGRAM, globals_of_nginx, written

DEPLOY: Path = settings.BASE_DIR / "deploy"
FOREIGN = re.compile(r"GF_|POSTGRES_")
KUBERNETES = sorted(path for path in (DEPLOY / "kubernetes").glob("*.yaml") if path.name != "kustomization.yaml")
COMPOSE = [DEPLOY / "docker" / name for name in ("compose.yaml", "compose.development.yaml")]


def documents(path: Path) -> list[Any]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one is not None]


def everything(value: Any) -> Any:
    """The value and all that it holds, at any depth."""
    yield value
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    yield from chain.from_iterable(everything(one) for one in inside)


# --- All of them ---------------------------------------------------------------------------------------------------------
def test_every_file_is_known_to_a_test() -> None:
    kinds = {(path.parent.relative_to(DEPLOY).parts[0], path.suffix) for path in DEPLOY.rglob("*") if path.is_file()}
    assert kinds <= {
        ("nginx", ".conf"), ("docker", ".yaml"), ("docker", ".conf"), ("kubernetes", ".yaml"), ("systemd", ".service"),
        ("systemd", ".target"), ("systemd", ".example"), ("systemd", ""), ("monitoring", ".yaml"), ("monitoring", ".json"),
    }  # fmt: skip
    for path in DEPLOY.rglob("*.yaml"):
        assert documents(path), path
    for script in (DEPLOY / "systemd").iterdir():
        if not script.suffix:
            assert os.access(script, os.X_OK)
            assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0, script


def variables() -> dict[str, set[str]]:
    """What each file sets, by its name."""
    found: dict[str, set[str]] = {}
    for path in COMPOSE:
        found[path.name] = {name for one in documents(path)[0]["services"].values() for name in one.get("environment", {})}
    for path in KUBERNETES:
        said = [
            one for one in documents(path) if one["kind"] in ("ConfigMap", "Secret") and one["metadata"]["name"].startswith("hms")
        ]
        held = {name for one in said for name in {**one.get("data", {}), **one.get("stringData", {})}}
        single = {one["name"] for document in documents(path) for one in everything(document) if _is_variable(one)}
        found[path.name] = held | single
    units = "\n".join(path.read_text() for path in (DEPLOY / "systemd").iterdir())
    found["systemd"] = set(re.findall(r"^(?:Environment=)?([A-Z][A-Z0-9_]+)=", units, re.M))
    image = (settings.BASE_DIR / "Dockerfile").read_text()
    found["Dockerfile"] = set(re.findall(r"\b((?:HMS|DATABASE|SECRET)_\w+|PORT)=", image))
    return found


def _is_variable(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"name", "value"} and "." not in value["name"]


def test_what_they_set_exists() -> None:
    found = variables()
    assert {"HMS_BASE_URL", "HMS_BIND", "DATABASE_URL"} <= set().union(*found.values())
    unknown = {f"{file}: {name}" for file, names in found.items() for name in names - set(entries()) if not FOREIGN.match(name)}
    assert not unknown


# --- nginx and systemd ----------------------------------------------------------------------------------------------------
@pytest.mark.skipif(PROGRAM is None, reason="needs nginx")
def test_nginx_takes_its_files(tmp_path: Path) -> None:
    command = [str(PROGRAM), "-t", "-c", str(written(tmp_path)), "-p", str(tmp_path), "-g", globals_of_nginx()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


def test_no_log_of_nginx_holds_what_was_asked() -> None:
    (said,) = re.findall(r"log_format bare '([^']*)'", (DEPLOY / "nginx" / "nginx.conf").read_text())
    assert not {"$request", "$request_uri", "$uri", "$args", "$query_string", "$http_referer"} & set(said.split())


def test_streams_and_uploads_of_nginx_are_the_ones_of_hms() -> None:
    """Each address that opens a stream or takes a file is met by the location that was made for it, and by no other."""
    said = (DEPLOY / "nginx" / "hms-locations.conf").read_text()
    places = dict(re.findall(r"location ~ (\S+) \{\n(.*?)\n\}", said, re.S))
    token, key = "abc:def", "0199c0de-0000-7000-8000-000000000001"
    streams = ["/api/v2/events", "/api/events", "/api/v1/sse/queue-updates", "/api/v2/sse/health", f"/board/{token}/stream/"]
    uploads = [f"/patients/{key}/documents/add/", f"/api/v2/patients/{key}/documents"]
    for paths, mark in ((streams, "hms-stream.conf"), (uploads, "client_max_body_size")):
        for path in paths:
            met = [body for pattern, body in places.items() if re.search(pattern, path)]
            assert len(met) == 1 and mark in met[0], path
    assert not [pattern for pattern in places if re.search(pattern, "/patients/list/") or re.search(pattern, "/api/v2/services")]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_takes_its_units(tmp_path: Path) -> None:
    for source in (DEPLOY / "systemd").iterdir():
        text = source.read_text()
        text = re.sub(r"^(Exec\w+=)/opt/hms/venv/bin/\S+", r"\1/bin/true", text, flags=re.M)
        text = re.sub(r"^(User|Group|WorkingDirectory|Documentation)=.*\n", "", text, flags=re.M)  # of a machine with HMS
        (tmp_path / source.name).write_text(text)
    units = [str(path) for path in tmp_path.iterdir() if path.suffix in (".service", ".target")]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )  # fmt: skip
    ours = [line for line in done.stderr.splitlines() if "hms" in line]
    assert not ours, done.stderr


# --- The image and compose ------------------------------------------------------------------------------------------------
KNOWN = {"FROM", "ENV", "RUN", "WORKDIR", "COPY", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD"}


def instructions() -> list[tuple[str, str, str]]:
    """(stage, instruction, arguments) of the Dockerfile, lines joined."""
    text = re.sub(
        r"\\\n", " ", "\n".join(line for line in (settings.BASE_DIR / "Dockerfile").read_text().splitlines() if line[:1] != "#")
    )
    found, stage = [], ""
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        stage = rest.rpartition(" AS ")[2] if word == "FROM" else stage
        found.append((stage, word, rest))
    return found


def test_the_image_is_built_in_stages_and_runs_as_nobody_in_particular() -> None:
    found = instructions()
    assert [rest.rpartition(" AS ")[2] for _, word, rest in found if word == "FROM"] == ["build", "hms", "proxy"]
    for _, word, rest in found:
        assert word in {"FROM", "ENV", "RUN", "WORKDIR", "COPY", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD"}, (
            word
        )
        assert word != "FROM" or (re.fullmatch(r"[a-z/-]+:[\w.-]+ AS \w+", rest) and ":latest" not in rest)
        assert word != "CMD" or json.loads(rest), "no shell stands between a signal and the server"
    for stage in ("hms", "proxy"):
        users = [rest for where, word, rest in found if (where, word) == (stage, "USER")]
        assert users and re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]), "by number, so that Kubernetes can see that it isn't root"
        after = [word for where, word, _ in found if where == stage]
        assert "RUN" not in after[after.index("USER") :] and "COPY" not in after[after.index("USER") :]


def test_the_image_holds_what_it_copies_and_no_secret() -> None:
    kept = [line[1:] for line in (settings.BASE_DIR / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [one for stage, word, rest in instructions() if word == "COPY" and "--from" not in rest for one in _sources(rest)]
    assert copied and set(copied) <= set(kept) | {"deploy/nginx/"}
    assert all((settings.BASE_DIR / one).exists() for one in copied)
    assert "*" in (settings.BASE_DIR / ".dockerignore").read_text().splitlines(), "nothing else gets near it"
    packages = {path.parent.name for path in settings.BASE_DIR.glob("*/apps.py")} | {"core", "hms"}
    assert packages <= set(copied), "an app that is not in the image"


def _sources(rest: str) -> list[str]:
    return [one for one in rest.split()[:-1] if not one.startswith("--")]


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_compose_names_what_is_there(path: Path) -> None:
    (said,) = documents(path)
    assert said.keys() <= {"name", "services", "volumes", "networks", "secrets", "x-hms"}
    for name, one in said["services"].items():
        assert set(one.get("depends_on", {})) <= set(said["services"]), name
        assert set(one.get("networks", [])) <= set(said.get("networks", {})), name
        for volume in one.get("volumes", []):
            source = volume.partition(":")[0]
            own = source.startswith("./") and source not in ("./upstream.conf",)  # what operators bring
            assert source in said["volumes"] or own or (path.parent / source).exists(), f"{name}: {source}"
        for other, wanted in one.get("depends_on", {}).items():
            if wanted["condition"] == "service_healthy":
                assert "healthcheck" in said["services"][other] or said["services"][other].get("image") == "hms", f"{name}: {other}"


def test_everything_in_production_is_confined() -> None:
    (said,) = documents(COMPOSE[0])
    for name, one in said["services"].items():
        assert "no-new-privileges:true" in one["security_opt"], name
        assert one["image"] in ("hms", "hms-proxy") or re.search(r":[^:]*\d", one["image"]), f"{name}: a version"
        if name != "postgres":  # its entrance changes to its own user
            assert one["read_only"] is True and one["cap_drop"] == ["ALL"], name
            assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", one["user"]), name
        if name != "migrate":
            assert "mem_limit" in one and "cpus" in one, name
        assert all("127.0.0.1" in port for port in one.get("ports", [])) or name == "proxy", name
    assert said["networks"]["inside"] == {"internal": True}
    assert said["services"]["postgres"]["networks"] == said["services"]["redis"]["networks"] == ["inside"]
    assert {name for name, one in said["services"].items() if one.get("profiles")} == {"prometheus", "grafana"}


# --- Kubernetes -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.name)
def test_kubernetes_takes_it(path: Path) -> None:
    for one in documents(path):
        kubernetes_validate.validate(one, "1.32", strict=True)


def test_a_wrong_field_would_be_seen() -> None:
    (job,) = documents(DEPLOY / "kubernetes" / "migrate.yaml")
    job["spec"]["template"]["spec"]["restartPolicies"] = "Never"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, "1.32", strict=True)


def pods() -> dict[str, dict[str, Any]]:
    found = [one for path in KUBERNETES for one in documents(path) if "template" in one.get("spec", {})]
    return {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in found}


def test_pods_are_confined_and_probed() -> None:
    assert set(pods()) == {"web", "worker", "proxy", "migrate-1-0-0"}
    for name, pod in pods().items():
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"], name
        held = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        assert container["securityContext"] == held, name
        assert container["resources"]["limits"]["memory"] and container["resources"]["requests"], name
        mounted = {one["name"] for one in container["volumeMounts"]}
        assert mounted >= {"tmp"}, name
    web = pods()["web"]["containers"][0]
    probes = {kind: web[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    assert probes == {"startup": "/health/startup", "liveness": "/health/live", "readiness": "/health/ready"}


def test_what_refers_to_pods_finds_them() -> None:
    every = [one for path in KUBERNETES for one in documents(path)]
    labels = {one["metadata"]["name"]: one["metadata"]["labels"] for one in every if "template" in one.get("spec", {})}
    for one in every:
        spec = one.get("spec", {})
        if one["kind"] == "PodDisruptionBudget":
            assert spec["selector"]["matchLabels"].items() <= labels[one["metadata"]["name"]].items()
        if one["kind"] == "Service":
            assert spec["selector"].items() <= labels[one["metadata"]["name"]].items()
        if one["kind"] == "HorizontalPodAutoscaler":
            target = spec["scaleTargetRef"]
            assert any(other["kind"] == target["kind"] and other["metadata"]["name"] == target["name"] for other in every)
    listed = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())["resources"]
    assert {path.name for path in KUBERNETES} - set(listed) == {"secret.example.yaml", "migrate.yaml"}


def test_scaling_asks_for_figures_that_the_adapter_makes() -> None:
    (adapter,) = documents(DEPLOY / "monitoring" / "adapter.yaml")
    made = {one["name"]["as"] for one in adapter["rules"] + adapter["externalRules"]}
    scalers = [one for path in KUBERNETES for one in documents(path) if one["kind"] == "HorizontalPodAutoscaler"]
    asked = {one["metric"]["name"] for scaler in scalers for one in everything(scaler) if isinstance(one, dict) and "metric" in one}
    assert asked == made


# --- Monitoring -----------------------------------------------------------------------------------------------------------
EXPRESSIONS = re.compile(r"\bhms_[a-z0-9_]+")


def asked_for() -> dict[str, set[str]]:
    """The series that rules and dashboards ask for, by the file."""
    return {path.name: set(EXPRESSIONS.findall(path.read_text())) for path in (DEPLOY / "monitoring").rglob("*.*")}


def test_rules_and_dashboards_ask_for_series_that_hms_tells() -> None:
    parts = (settings.BASE_DIR / "core" / name for name in ("metrics", "monitoring", "memory"))
    sources = [*(file for part in parts for file in part.glob("*.py")), *settings.BASE_DIR.glob("*/selectors/figures.py")]
    if not sources:
        pytest.skip("HMS tells no figures yet")
    told = set(re.findall(r'"(hms_[a-z0-9_]+)"', "".join(path.read_text() for path in sources)))
    ledger = (settings.BASE_DIR / "core" / "metrics" / "ledgers.py").read_text()
    told |= {f"hms_jobs_{re.sub('_s$', '_seconds', name)}" for name in re.findall(r'^    "([a-z0-9_]+)": "', ledger, re.M)}
    told |= {f"hms_worker_{name}" for name, *_ in WORKERS}
    adapted = {"hms_request_p95_milliseconds", "hms_jobs_waiting_in_all"}
    for file, names in asked_for().items():
        bare = {re.sub(r"_(?:total|bucket|sum|count)$", "", name) for name in names}
        assert bare <= told | adapted, file


def test_alerts_are_whole() -> None:
    (said,) = documents(DEPLOY / "monitoring" / "alerts.yaml")
    rules = [rule for group in said["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) > 10
    told = (settings.BASE_DIR / "docs" / "deploying.md").read_text()
    for rule in rules:
        assert rule.keys() == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert rule["alert"] in told, "docs/deploying.md says what to do"


def test_dashboards_are_whole() -> None:
    uids = set()
    for path in (DEPLOY / "monitoring" / "grafana" / "dashboards").glob("*.json"):
        board = json.loads(path.read_text())
        assert board["uid"] == path.stem
        uids.add(board["uid"])
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
        for panel in board["panels"]:
            assert panel["datasource"]["uid"] == "prometheus" and panel["targets"]
            assert all(one["expr"].count("(") == one["expr"].count(")") for one in panel["targets"])
    assert uids == {"hms-requests", "hms-machine", "hms-work"}


def test_prometheus_reads_the_rules() -> None:
    (said,) = documents(DEPLOY / "monitoring" / "prometheus.yaml")
    assert said["rule_files"] == ["alerts.yaml"]
    assert said["scrape_configs"][0]["metrics_path"] == "/metrics"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="there is no promtool here")
def test_promtool_understands_the_rules() -> None:
    checked = subprocess.run(
        ["promtool", "check", "rules", str(DEPLOY / "monitoring" / "alerts.yaml")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert re.search(r"SUCCESS: [1-9]\d* rules found", checked.stdout)
