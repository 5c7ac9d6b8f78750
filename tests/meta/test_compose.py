"""docker-compose.yml, Dockerfile, .env.example and .dockerignore: against schema, repository and a PostgreSQL."""

import json
import os
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch

import psycopg
import pytest
import yaml

from oms.bootstrap import ROOT
from oms.embedded.binaries import find_postgres, server_user
from oms.webserver import OPTIONS
from tests.oms.supervised import open_folder, script, told

COMPOSE = ROOT / "docker-compose.yml"
OURS = ("init", "web", "worker", "sync", "jobs", "beat")
SECRETS = (
    "POSTGRES_PASSWORD",
    "LOTLINE_OWNER_PASSWORD",
    "LOTLINE_APP_PASSWORD",
    "VALKEY_PASSWORD",
    "SECRET_KEY",
    "LOTLINE_SECRETS_KEYS",
)
# The image says where files go, a real installation never debugs, and only `init` is told about the owner.
NOT_PASSED_ON = {
    *("LOTLINE_STATE", "LOTLINE_STATIC_ROOT", "LOTLINE_FILES", "DEBUG", "DATABASE_OWNER_URL"),
    "LOTLINE_PROCESS",  # is another one for each
}


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load(COMPOSE.read_text())


def dockerfile():
    """Its instructions, each on one line."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def ignored():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def variables(text):
    """Names in ${NAME}, ${NAME:-...} and ${NAME:?...}; $$ is a dollar that compose leaves to the container."""
    return set(re.findall(r"\$\{([A-Z_]+)", text.replace("$$", "")))


def test_compose_follows_the_schema_of_compose():
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)],
        env={**os.environ, "XDG_RUNTIME_DIR": os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_starts_in_order_and_is_watched(compose):
    services = compose["services"]
    assert set(services) == {"postgres", "valkey", "proxy", *OURS}
    assert services["proxy"]["depends_on"] == {"web": {"condition": "service_healthy"}}
    assert [name for name, service in services.items() if service.get("ports")] == ["proxy"]
    for name in OURS[1:]:
        waits = {other: how["condition"] for other, how in services[name]["depends_on"].items()}
        assert waits == {
            "postgres": "service_healthy",
            "valkey": "service_healthy",
            "init": "service_completed_successfully",
        }
    assert [name for name, service in services.items() if "healthcheck" not in service] == ["init"]
    assert services["init"]["restart"] == "no", "a preparation that ran is not to run again for ever"
    assert {s["restart"] for name, s in services.items() if name != "init"} == {"unless-stopped"}, "who dies comes back"
    for name in OURS:
        assert services[name]["volumes"] == ["files:/var/lib/lotline/files"], "web and worker share files"
    assert [port for service in services.values() for port in service.get("ports", [])] == [
        "127.0.0.1:${PORT:-8000}:8000"
    ]


def test_only_the_preparation_knows_the_owner_of_the_tables(compose):
    """With the owner's password in web, one mistake there could switch row-level security off."""
    knows = {name for name in OURS if "owner" in json.dumps(compose["services"][name]).lower()}
    assert knows == {"init"}


def test_each_process_is_told_what_it_is(compose):
    told = {name: compose["services"][name]["environment"].get("LOTLINE_PROCESS") for name in OURS}
    assert told == {"init": None, **{name: name for name in ("web", "worker", "sync", "jobs")}, "beat": None}
    for name in OURS:
        assert compose["services"][name]["environment"].keys() >= compose["x-lotline"]["environment"].keys()


def test_the_proxy_passes_on_what_another_one_in_front_says_of_the_client(compose):
    """Without that X-Forwarded-Proto becomes http, and every page redirects to itself for ever."""
    content = compose["configs"]["proxy"]["content"].replace("$$", "$")
    options = content[: content.index("{$LOTLINE_SITE}")]
    assert "trusted_proxies static {$LOTLINE_TRUSTED_PROXIES}" in options[options.index("servers {") :]
    default = compose["services"]["proxy"]["environment"]["LOTLINE_TRUSTED_PROXIES"]
    assert default == "${LOTLINE_TRUSTED_PROXIES:-private_ranges}"


def test_the_proxy_lets_through_what_the_server_answers(compose):
    """What is too large gets our page, unless it is larger than anything that anybody reads."""
    (most,) = re.findall(r"max_size (\d+)MiB", compose["configs"]["proxy"]["content"])
    assert int(most) * 1024**2 == OPTIONS["max_request_body_size"]


def test_secrets_come_from_the_environment_and_have_no_default(compose):
    text = COMPOSE.read_text()
    for secret in SECRETS:
        assert set(re.findall(rf"\$\{{{secret}\b([^}}]*)\}}", text)) == {":?see .env.example"}
        assert re.search(rf"^{secret}=$", (ROOT / ".env.example").read_text(), re.MULTILINE), "it must be filled in"
    # Nothing that looks like a password is written down.
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|AUTH|URL|TOKEN", name):
                assert value is None or "${" in value, name


def test_every_variable_is_explained_and_passed_on(compose):
    explained = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    passed_on = set(compose["x-lotline"]["environment"])
    settings = (ROOT / "oms/settings.py").read_text()
    read = {*re.findall(r'env(?:\.\w+)?\(\s*"([A-Z_]+)"', settings), "DATABASE_URL", "DATABASE_OWNER_URL"}
    assert len(read) > 10, "this test has lost sight of how settings.py reads its variables"
    assert (read | variables(COMPOSE.read_text())) - explained == set(), "explain these in .env.example"
    assert read - passed_on - NOT_PASSED_ON == set(), "let docker-compose.yml pass these on"


def test_what_the_image_copies_is_there_and_not_ignored():
    copied = [word for line in dockerfile() if line.startswith("COPY") for word in line.split()[1:-1]]
    assert copied == ["requirements.txt", "."]
    for source in ("requirements.txt", "manage.py", "oms", "templates", "static"):
        assert (ROOT / source).exists()
        assert not any(fnmatch(source, pattern) for pattern in ignored()), source
    assert {".env", ".git", ".venv", ".lotline"} <= set(ignored()), "secrets and state must never be in an image"


def test_the_image_is_of_an_allowed_python_and_runs_as_nobody_special():
    (image,) = [line.split()[1] for line in dockerfile() if line.startswith("FROM")]
    version = tuple(map(int, re.fullmatch(r"python:(\d+)\.(\d+)-slim", image).groups()))
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert version >= tuple(map(int, re.fullmatch(r">=(\d+)\.(\d+)", oldest).groups()))
    installs = [line for line in dockerfile() if "pip install" in line]
    assert all("--require-hashes" in line for line in installs)
    steps = [line.split()[0] for line in dockerfile()]
    assert steps.index("USER") < steps.index("CMD")
    assert dockerfile()[steps.index("USER")] != "USER root"


SERVER = """
from oms.embedded import postgres
state = State(Path(sys.argv[1]), durable=False)
state.make()
postgres._provision = lambda _cluster, port, *_: tell(port=port, password=state.passwords()["superuser"])
with Supervisor(Console(quiet=True), state.folder / "pids") as supervisor:
    try:
        postgres.start(supervisor, state)
        supervisor.watch()
    except Interrupted:
        pass
"""


def test_the_script_for_the_roles_makes_what_the_wall_needs(compose):
    """It is run by a shell and psql as the image does, against a server that has neither role nor database yet."""
    text = compose["configs"]["roles"]["content"].replace("$$", "$")
    passwords = {"LOTLINE_OWNER_PASSWORD": 'it\'s; "own" $HOME', "LOTLINE_APP_PASSWORD": "plain"}
    with open_folder() as folder, script(SERVER, folder / "state") as process:
        server = told(process)
        connect = {"PGHOST": "127.0.0.1", "PGPORT": str(server["port"]), "PGPASSWORD": server["password"]}
        path = f"{find_postgres(server_user()).folder}:{os.defpath}"
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", text],
            env={"PATH": path, **connect, **passwords},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        at = {"host": "127.0.0.1", "port": server["port"], "dbname": "lotline"}
        roles = "SELECT rolsuper, rolbypassrls, pg_has_role('lotline_app', 'lotline_owner', 'MEMBER') FROM pg_roles"
        for user, password in zip(("lotline_owner", "lotline_app"), passwords.values(), strict=True):
            with psycopg.connect(**at, user=user, password=password) as connection:
                found = connection.execute(f"{roles} WHERE rolname = current_user").fetchone()
                assert found == (False, False, False)
        with psycopg.connect(**at, user="lotline_owner", password=passwords["LOTLINE_OWNER_PASSWORD"]) as owner:
            owner.execute("CREATE TABLE mine ()")
