"""Dashboard, unit, container and configuration page fit the service that they come with."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from fakes.peers import import_peer, missing

from avatar_service.config import DEFAULT_PORT, load_config
from avatar_service.server.gpu_usage import GpuUsage
from avatar_service.server.metrics import ServiceMetrics
from avatar_service.session.admission import Capacity
from avatar_service.session.tally import ServiceTally
from avatar_service.transports.ring import RingGeometry

pytestmark = pytest.mark.contract

ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "tools/packaging"
MIB = 1 << 20


def exported_names() -> dict[str, set[str]]:
    """Return the names of all time series that a service exports, with their labels."""
    manager = SimpleNamespace(
        read_tally=ServiceTally().read,
        sessions=(),
        scheduler=SimpleNamespace(num_busy=0),
        capacity=Capacity(num_cores=2, max_sessions=2),
        is_draining=False,
    )
    metrics = ServiceMetrics(manager, GpuUsage("cpu"))
    metrics.count_request("Check", "OK", 0.1)
    names: dict[str, set[str]] = {}
    for family in metrics.registry.collect():
        if not family.samples:  # the GPU's: no GPU here
            names[family.name] = {"device", "kind"}
        for sample in family.samples:
            names.setdefault(sample.name, set()).update(sample.labels)
    return names


def queries() -> list[str]:
    dashboard = json.loads((PACKAGING / "grafana_dashboard.json").read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def test_the_dashboard_asks_only_for_what_the_service_exports() -> None:
    names = exported_names()
    asked: set[str] = set()
    for query in queries():
        for name, labels in re.findall(r"\b((?:avatar|process)_\w+)\{([^}]*)\}", query):
            assert name in names, f"{name} is not exported: {query}"
            used = set(re.findall(r"(\w+)\s*=", labels)) - {"job"}
            assert used <= names[name], query
            asked.add(name)
        for by in re.findall(r"by \(([^)]*)\)", query):
            labels = {label.strip() for label in by.split(",")}
            (series,) = {name for name, _ in re.findall(r"\b(avatar_\w+)\{()", query)} or {""}
            assert labels <= names[series], query
    own = {name for name in names if name.startswith("avatar_")}
    shown = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in asked}
    missing_ones = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in own} - shown
    for_those_who_look_closer = {
        "avatar_request_seconds",
        "avatar_requests",
        "avatar_render_cpu_seconds_total",
    }
    assert missing_ones <= for_those_who_look_closer


def test_the_manual_tells_of_every_metric_and_label() -> None:
    text = (ROOT / "docs/operations.md").read_text("utf-8")
    table = text.split("| metric |")[1].split("\n\n")[0]
    told = {
        name: set(re.findall(r"`(\w+)`", row.split("|")[2])) - {"busy", "slow_reader"}
        for row in table.splitlines()[2:]
        for name in re.findall(r"`(avatar_\w+)`", row.split("|")[1])
    }
    exported: dict[str, set[str]] = {}
    for name, labels in exported_names().items():
        if name.startswith("avatar_") and not name.endswith("_created"):
            whole = re.sub(r"_(bucket|sum|count)$", "", name)
            exported.setdefault(whole, set()).update(labels - {"le"})
    assert told.keys() == exported.keys()
    # A row of several metrics names the labels of all of them.
    assert {name for name in told if not exported[name] <= told[name]} == set()


def test_the_dashboards_panels_stand_side_by_side() -> None:
    dashboard = json.loads((PACKAGING / "grafana_dashboard.json").read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (place["x"] + i, place["y"] + j) for i in range(place["w"]) for j in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        assert panel["description"]
        taken |= cells


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze", "apt-get install systemd")
    text = (PACKAGING / "avatar.service").read_text()
    program = "/opt/avatar-service/bin/avatar"
    assert program in text
    unit = tmp_path / "avatar.service"
    unit.write_text(text.replace(program, "/bin/true"))  # the program is not installed here
    checked = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert "avatar.service" not in checked.stderr, checked.stderr


def test_the_unit_waits_longer_than_the_service_drains() -> None:
    text = (PACKAGING / "avatar.service").read_text()
    stop_secs = float(re.search(r"TimeoutStopSec=(\d+)", text)[1])
    assert stop_secs > load_config(environ={}).drain_secs + 10
    for line in ("DynamicUser=yes", "ProtectSystem=strict", "NoNewPrivileges=yes"):
        assert line in text


def instructions() -> list[tuple[str, str]]:
    """Parse the Dockerfile: (instruction, arguments), continuations joined, comments gone."""
    text = (PACKAGING / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    parsed = [line.partition(" ")[::2] for line in lines]
    known = {
        "FROM", "RUN", "COPY", "ENV", "ARG", "WORKDIR", "VOLUME", "EXPOSE", "USER", "STOPSIGNAL",
        "HEALTHCHECK", "ENTRYPOINT", "CMD",
    }  # fmt: skip
    assert {name for name, _ in parsed} <= known
    return parsed


def test_the_container_is_sound() -> None:
    parsed = instructions()
    last_stage = max(i for i, (name, _) in enumerate(parsed) if name == "FROM")
    stage = parsed[last_stage:]
    assert all(":" in rest.split()[0] for name, rest in parsed if name == "FROM"), "a tag"
    (user,) = [rest for name, rest in stage if name == "USER"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "numeric and not root"
    after_user = [name for name, _ in stage[[n for n, _ in stage].index("USER") :]]
    assert "RUN" not in after_user
    assert ("EXPOSE", str(DEFAULT_PORT)) in stage
    for kind in ("ENTRYPOINT", "CMD"):
        (words,) = [json.loads(rest) for name, rest in stage if name == kind]
        assert words
    for name, rest in parsed:
        if name == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
    (health,) = [rest for name, rest in stage if name == "HEALTHCHECK"]
    program = json.loads(health[health.index("[") :].removeprefix("CMD "))
    compile(program[2], "healthcheck", "exec")
    assert f"127.0.0.1:{DEFAULT_PORT}" in program[2]


def test_the_containers_options_are_options_of_the_command() -> None:
    (words,) = [json.loads(rest) for name, rest in instructions() if name == "CMD"]
    shown = subprocess.run(
        [sys.executable, "-m", "avatar_service.cli", "serve", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "200", "TERM": "dumb"},
    ).stdout
    unit = (PACKAGING / "avatar.service").read_text()
    for option in re.findall(
        r"--[a-z-]+", " ".join(words) + unit.split("ExecStart=")[1].split("\n")[0]
    ):
        assert option in shown, option


def test_compose_is_read_only_and_states_its_shared_memory() -> None:
    yaml = import_peer("yaml", "pip install pyyaml")
    text = (PACKAGING / "compose.yaml").read_text()
    service = yaml.safe_load(text)["services"]["avatar"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["user"] == "10001:10001"
    assert service["shm_size"] == "1gb"
    assert (ROOT / "tools/packaging" / service["build"]["context"]).resolve() == ROOT
    assert (ROOT / service["build"]["dockerfile"]).exists()
    for size, stated, count in ((512, "8.0", 127), (1024, "32.0", 31)):
        ring = RingGeometry(size, size, 8).file_bytes
        assert f"{ring / MIB:.1f}" == stated
        assert stated in text
        assert (1 << 30) // ring == count
        assert str(count) in text


def test_prometheus_scrapes_the_port_that_the_unit_serves() -> None:
    port = re.search(r"--metrics-port (\d+)", (PACKAGING / "avatar.service").read_text())[1]
    assert f'"127.0.0.1:{port}"' in (PACKAGING / "prometheus.yml").read_text()


def test_the_configuration_page_has_not_drifted() -> None:
    checked = subprocess.run(
        [sys.executable, str(ROOT / "tools/gen_configuration.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
