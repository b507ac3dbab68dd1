"""compose.yml and the Dockerfile, read: what each container may do, how it is watched, and how it is stopped."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.runner import POOL_SIZE
from openapi_import import jobs
from smartsupport.settings import DATABASES, IMPORT_MEMORY_MIB, TURN_DRAIN_SECONDS
from smartsupport.supervisor import programs
from tests.servers import OURS
from tests.shipping import image
from tests.shipping.fleet import SERVICES
from tests.shipping.nginx import COMPOSE, DOCKER, MAIN, ROOT
from tests.shipping.variables import NotSet, substituted

OURS_RUN = ("web", "turns", "jobs", "beat", "migrate")
STAY = [name for name in SERVICES if name != "migrate"]
UNITS = {"k": 1024, "m": 1024**2, "g": 1024**3}


def bytes_of(size: str) -> int:
    size = substituted(size, {}).lower().removesuffix("b")
    return int(size[:-1]) * UNITS[size[-1]]


def seconds(time: str) -> int:
    time = substituted(time, {})
    assert time.endswith("s")
    return int(time[:-1])


def environment(service: dict[str, Any]) -> str:
    return json.dumps(service.get("environment", {})) + json.dumps(service.get("command", ""))


@pytest.mark.parametrize("name", list(SERVICES))
def test_a_container_may_do_little(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("privileged") is None
    assert all("docker.sock" not in str(volume) for volume in service.get("volumes", []))
    if name == "postgres":
        # Its entry point begins as root to give the folder to its user.
        assert set(service["cap_add"]) <= {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}
    else:
        assert "cap_add" not in service
        assert not service["user"].startswith(("0", "root"))
    assert any(place.startswith("/tmp:size=") for place in service["tmpfs"])  # noqa: S108


@pytest.mark.parametrize("name", list(SERVICES))
def test_what_a_container_writes_to_belongs_to_its_user(name: str) -> None:
    """What Docker mounts over a folder of the image has the folder's mode and is root's, unless it is told an owner.
    /tmp is open to everybody in every image, and so is /run/postgresql in that of Postgres."""
    owner, _, group = SERVICES[name].get("user", "").partition(":")
    for place in SERVICES[name]["tmpfs"]:
        path, _, options = place.partition(":")
        given = dict(option.split("=") for option in options.split(","))
        assert given["size"], "it counts as memory"
        if path not in ("/tmp", "/run/postgresql"):  # noqa: S108
            assert (given.get("uid"), given.get("gid")) == (owner, group)


def test_nginx_has_memory_for_the_uploads_that_wait_and_files_for_its_sockets() -> None:
    service = SERVICES["nginx"]
    [uploads] = [place for place in service["tmpfs"] if place.startswith("/tmp:size=")]  # noqa: S108
    [sockets] = re.findall(r"worker_connections (\d+);", MAIN.read_text())
    [patience] = re.findall(r"worker_shutdown_timeout (\d+s);", MAIN.read_text())

    assert bytes_of(service["mem_limit"]) >= bytes_of(uploads.split("=")[1]) + 256 * UNITS["m"]
    assert service["ulimits"]["nofile"]["soft"] > int(sockets)
    assert seconds(patience) < seconds(service["stop_grace_period"]), "it ends by itself"
    for name in ("web", "turns"):
        assert SERVICES[name]["ulimits"]["nofile"]["soft"] >= 65_536


def test_postgres_is_only_healthy_when_others_reach_it() -> None:
    """While the image's first start sets up, a server answers on the local socket that goes again."""
    assert SERVICES["postgres"]["healthcheck"]["test"][:3] == ["CMD", "pg_isready", "-h"]


def test_where_the_data_is_elsewhere_the_env_file_says_where() -> None:
    secrets = {"POSTGRES_PASSWORD": "one", "VALKEY_PASSWORD": "two"}
    here = substituted(SERVICES["web"]["environment"], secrets)
    elsewhere = substituted(SERVICES["web"]["environment"], {"DATABASE_URL": "there", "REDIS_URL": "too"})

    assert here["DATABASE_URL"] == "postgresql://smartsupport:one@postgres:5432/smartsupport"
    assert here["REDIS_URL"] == "redis://:two@valkey:6379/0"
    assert (elsewhere["DATABASE_URL"], elsewhere["REDIS_URL"]) == ("there", "too")
    with pytest.raises(NotSet, match="POSTGRES_PASSWORD"):
        substituted(SERVICES["web"]["environment"], {})


def test_the_data_is_shown_to_other_machines_at_a_private_address_alone() -> None:
    beside = yaml.safe_load((DOCKER / "compose.data.yml").read_text())["services"]

    assert beside.keys() == {"postgres", "valkey"}
    for service in beside.values():
        [port] = substituted(service["ports"], {"PRIVATE_ADDRESS": "10.0.0.1"})
        assert re.fullmatch(r"10\.0\.0\.1:(\d+):\1", port)
        assert "outside" in service["networks"], "from a network that is only inside no port is published"
        with pytest.raises(NotSet, match="PRIVATE_ADDRESS"):
            substituted(service["ports"], {"PRIVATE_ADDRESS": ""})


def test_visitors_of_ipv6_come_to_nginx_itself() -> None:
    whole, beside = (
        yaml.safe_load((DOCKER / name).read_text()) for name in ("compose.yml", "compose.ipv6.yml")
    )
    [network] = beside["networks"]
    changed = beside["services"]["nginx"]["environment"]

    assert beside["networks"][network]["enable_ipv6"] is True
    assert not whole["networks"][network].get("internal")
    assert network in whole["services"]["nginx"]["networks"]
    assert changed.keys() <= whole["services"]["nginx"]["environment"].keys()
    for name, listens in substituted(changed, {}).items():
        port = substituted(whole["services"]["nginx"]["environment"][name], {})
        assert listens == f"[::]:{port} ipv6only=off", "the same port, of both kinds"


@pytest.mark.parametrize("name", list(SERVICES))
def test_a_container_has_limits_and_its_log_cannot_fill_the_disk(name: str) -> None:
    service = SERVICES[name]

    assert bytes_of(service["mem_limit"]) >= 256 * UNITS["m"]
    assert service["logging"]["options"].keys() >= {"max-size", "max-file"}


@pytest.mark.parametrize("name", STAY)
def test_a_container_is_watched_started_again_and_given_time_to_leave(name: str) -> None:
    service = SERVICES[name]

    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert service["restart"] == "unless-stopped"
    assert seconds(service["stop_grace_period"]) >= 15


def test_there_are_two_of_what_customers_notice() -> None:
    for name in ("web", "turns"):
        assert substituted(SERVICES[name]["deploy"]["replicas"], {}) == "2"


def test_how_many_there_are_stands_in_the_env_file_or_the_next_upgrade_would_forget_it() -> None:
    for name in ("web", "turns", "jobs"):
        replicas = SERVICES[name]["deploy"]["replicas"]
        assert substituted(replicas, {f"{name.upper()}_PROCESSES": "7"}) == "7"


def test_every_variable_that_the_files_ask_for_is_explained() -> None:
    asked = {
        name
        for file in DOCKER.glob("compose*.yml")
        for name in re.findall(r"(?<!\$)\$\{([A-Z_]+)", file.read_text())
    }
    explained = "".join((ROOT / "docs" / name).read_text() for name in ("deployment.md", "configuration.md"))

    assert len(asked) > 15
    assert [name for name in sorted(asked) if not re.search(rf"\b{name}\b", explained)] == []


def test_an_error_is_no_sign_of_life_of_valkey() -> None:
    """valkey-cli ends with 0 where the server answers that it is still loading, unless it is told -e."""
    assert SERVICES["valkey"]["healthcheck"]["test"] == ["CMD", "valkey-cli", "-e", "ping"]


def test_keys_certificates_and_backups_do_not_get_into_the_repository() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()

    assert {".env", "docker/nginx/certificates/", "docker/nginx/acme/", "*.backup"} <= set(ignored)


def test_turns_have_time_to_drain_twice_and_to_write_down_what_they_did() -> None:
    # For the running turns, then for the calls that are under way.
    assert seconds(SERVICES["turns"]["stop_grace_period"]) >= 2 * TURN_DRAIN_SECONDS + 10


def test_migrations_are_a_step_that_everything_of_ours_waits_for() -> None:
    assert SERVICES["migrate"]["restart"] == "no"
    assert "manage.py migrate" in SERVICES["migrate"]["command"][-1]
    for name in OURS_RUN[:-1]:
        needs = SERVICES[name]["depends_on"]
        assert needs["migrate"] == {"condition": "service_completed_successfully"}
        assert needs["postgres"] == needs["valkey"] == {"condition": "service_healthy"}
    assert SERVICES["nginx"]["depends_on"] == {"web": {"condition": "service_healthy"}}


def test_every_image_is_pinned_and_the_dependencies_are_there() -> None:
    images = {name: service["image"] for name, service in SERVICES.items() if name not in OURS_RUN}
    images["base"] = re.findall(r"(?m)^ARG PYTHON=(\S+)$", image.DOCKERFILE.read_text())[0]

    for name, tag in images.items():
        assert re.search(r":\d+\.\d+", tag), f"{name}: {tag} may be another one tomorrow"
    assert images["base"].startswith("python:3.11."), "the version that the tests run on"


def test_every_connection_that_processes_may_hold_fits_into_postgres() -> None:
    command = substituted(SERVICES["postgres"]["command"], {})
    [given] = re.findall(r"max_connections=(\d+)", " ".join(command))
    pool = DATABASES["default"]["OPTIONS"]["pool"]["max_size"]
    own = children(SERVICES["jobs"]["command"])

    # Twice the containers: during an upgrade the old and the new ones run side by side. Web also opens one per /readyz.
    web, turns = 2 * 2 * (pool + 1), 2 * 2 * (pool + POOL_SIZE)
    # One task at a time in each child; beat and the commands hold one.
    of_jobs, others = 2 * (1 + own), 10

    assert web + turns + of_jobs + others <= int(given) - 3, "three are kept for the superuser"


def children(command: Sequence[str]) -> int:
    """How many jobs are worked on at once."""
    return int(command[list(command).index("--concurrency") + 1])


def test_jobs_have_memory_for_every_document_that_is_read_at_once() -> None:
    own = children(SERVICES["jobs"]["command"])
    needed = min(own, jobs.RUNNING_AT_ONCE) * IMPORT_MEMORY_MIB + own * 256

    assert bytes_of(SERVICES["jobs"]["mem_limit"]) >= needed * UNITS["m"]


@pytest.mark.parametrize("command", [SERVICES["jobs"]["command"], programs.jobs().command])
def test_imports_and_an_endpoint_that_hangs_leave_room_for_what_must_not_wait(command: list[str]) -> None:
    """Approvals expire, turns of dead workers are found, hand-overs are told: also while all imports run that may."""
    webhooks = 1  # chat.webhook_one_run

    assert children(command) > jobs.RUNNING_AT_ONCE + webhooks


def test_valkey_refuses_rather_than_forgets_and_postgres_and_it_are_reached_by_nobody_else() -> None:
    command = SERVICES["valkey"]["command"][-1]

    assert "--maxmemory-policy noeviction" in command
    assert "--appendonly yes" in command
    assert bytes_of(SERVICES["valkey"]["mem_limit"]) >= 2 * 256 * UNITS["m"]
    for name in ("postgres", "valkey"):
        assert "ports" not in SERVICES[name]
        assert SERVICES[name]["networks"] == ["inside"]
        assert SERVICES[name]["volumes"], "its data outlives its container"
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_secrets_come_from_the_env_file_and_stand_nowhere_else() -> None:
    for name, service in SERVICES.items():
        for found in re.findall(
            r"[A-Z_]*(?:PASSWORD|SECRET|KEY)[A-Z_]*\"?: \"?([^\",}]*)", environment(service)
        ):
            assert found.startswith("${"), f"{name}: {found}"
    for name in OURS_RUN:
        assert SERVICES[name]["env_file"] == ["../.env"]
    for name in ("postgres", "valkey", "nginx"):
        assert "env_file" not in SERVICES[name], "it has no use for the other secrets"


def test_every_setting_that_compose_names_is_one_of_ours() -> None:
    for name in OURS_RUN:
        assert SERVICES[name]["environment"].keys() <= set(OURS)


def test_only_nginx_is_reached_from_outside_and_by_ports_that_its_user_may_open() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["nginx"]
    assert all(int(port.split(":")[1]) > 1024 for port in SERVICES["nginx"]["ports"])


def test_what_is_mounted_is_there() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = substituted(volume, {}).split(":")[0]
            if source.startswith("./") and "certificates" not in source and "acme" not in source:
                assert (DOCKER / source).exists(), source


def test_the_image_runs_as_nobody_and_leaves_out_what_it_does_not_need() -> None:
    last = image.last_stage()

    assert ("USER", "10001:10001") in last
    assert SERVICES["web"]["user"] == "10001:10001"
    assert sum(name == "FROM" for name, _ in image.instructions()) == 2
    copied = {
        word for name, rest in last if name == "COPY" and "--from" not in rest for word in rest.split()[:-1]
    }
    assert not copied & {".", "tests", ".local", ".git", ".env"}
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied | {"requirements.txt"} == allowed, "what is copied is what the build is sent"


def test_the_image_has_its_programs_compiled_and_its_files_with_hashed_names(image_folder: Path) -> None:
    assert list((image_folder / "chat" / "__pycache__").glob("engine.*.pyc"))
    assert (image_folder / ".build" / "staticfiles" / "staticfiles.json").exists()
    assert not list(image_folder.rglob("tests"))


def test_the_command_of_the_image_is_that_of_web() -> None:
    [command] = [json.loads(rest) for name, rest in image.last_stage() if name == "CMD"]

    assert command == SERVICES["web"]["command"]
