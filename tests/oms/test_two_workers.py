"""The workers as `up` starts them: neither long jobs nor slow systems keep the dispatcher and the outbox waiting."""

import os
import socket
from contextlib import ExitStack
from dataclasses import replace
from types import SimpleNamespace
from uuid import uuid4

import pytest
import yaml
from django.conf import settings
from django.core.cache import cache

from oms import jobs, outbox
from oms.bootstrap import ROOT
from oms.celery import app, clock
from oms.embedded.children import Setting, children, worker
from oms.models import Account, Job, JobState, Sku
from oms.tenancy import account_context
from tests.channels_sync.warehouse import connect
from tests.worker_process import WorkerProcess, environment, wait_until
from tests.worker_settings import TEST_JOBS, TEST_SUBSCRIBERS

MAY_TAKE_MINUTES = {"oms.tasks.run_jobs", "oms.tasks.tidy"}
ASKS_OTHERS = {"channels_sync.tasks.push", "channels_sync.tasks.pull"}


# --- who serves what --------------------------------------------------------------------------------------------------
def our_tasks():
    app.loader.import_default_modules()
    return {name for name in app.tasks if not name.startswith(("celery.", "tests."))}


def queue_of(task, application=app):
    return application.amqp.router.route({}, task)["queue"].name


def served(argv):
    """The queue in a worker's command line, and who works there."""
    found = dict(part[2:].split("=", 1) for part in argv if part.startswith("--") and "=" in part)
    return found["queues"], found["pool"], int(found["concurrency"])


def test_what_may_take_long_has_queues_of_its_own():
    assert {task for task in our_tasks() if queue_of(task) == "jobs"} == MAY_TAKE_MINUTES
    assert {task for task in our_tasks() if queue_of(task) == "sync"} == ASKS_OTHERS
    limited = {task for task in our_tasks() if app.tasks[task].time_limit}
    assert limited <= MAY_TAKE_MINUTES, "a task that may run for long does not belong to the quick queues"
    assert settings.DUE_TASKS["job"] in MAY_TAKE_MINUTES


def test_beat_and_the_dispatcher_send_to_the_same_queues():
    for task in our_tasks():
        assert queue_of(task, clock) == queue_of(task)
    assert {entry["task"] for entry in clock.conf.beat_schedule.values()} <= our_tasks()


def test_each_queue_is_served_by_exactly_one_worker(tmp_path):
    served_by_up = {
        service.name: served(service.argv)
        for service in children(Setting({"REDIS_URL": "redis://127.0.0.1:9/0"}, 1, tmp_path))
        if "worker" in service.argv
    }
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    served_by_compose = {
        name: served(service["command"]) for name, service in compose.items() if "worker" in service.get("command", [])
    }
    assert served_by_up == served_by_compose == settings.WORKERS
    queues = [queue for queue, _pool, _count in settings.WORKERS.values()]
    assert sorted(queues) == sorted(set(queues)) == sorted(app.amqp.queues)
    assert {queue_of(task) for task in our_tasks()} <= set(queues)


# --- what that is good for --------------------------------------------------------------------------------------------
@pytest.fixture
def workers(django_db_setup, django_db_blocker, settings, tmp_path):
    """All workers, with the command lines that `up` gives them. There is no beat: what is due wakes the dispatcher."""
    settings.JOBS = {**settings.JOBS, **TEST_JOBS}
    settings.OUTBOX_SUBSCRIBERS = {**settings.OUTBOX_SUBSCRIBERS, **TEST_SUBSCRIBERS}
    env = environment()
    started = {}
    with ExitStack() as stack:
        for name, (queue, _pool, _count) in settings.WORKERS.items():
            folder = tmp_path / name
            folder.mkdir()
            argv = worker(replace(Setting(env, 1, tmp_path), is_talkative=True), name).argv
            started[name] = WorkerProcess(folder, argv, {"LOTLINE_PRIVATE_HOSTS": "*"})
            stack.callback(started[name].stop)
            started[name].wait_until_ready(queue)
        yield started


def busy_jobs(accounts, folder, count):
    """So many jobs that wait midway for the file `go`; they are midway when this returns."""
    folders = [folder / str(number) for number in range(count)]
    for number, each in enumerate(folders):
        each.mkdir()
        with account_context(accounts[number % len(accounts)]):
            params = {"folder": str(each)}
            jobs.start("test.wait_midway", f"{number}", params, person=None, idempotency_key=os.urandom(8).hex())
    wait_until(lambda: all((each / "started-1").exists() for each in folders), what="the jobs are midway")
    return folders


def states(accounts):
    found = []
    for account in accounts:
        with account_context(account):
            found += Job.objects.values_list("state", flat=True)
    return found


@pytest.fixture
def hang(settings):
    """`hang(accounts)`: each asks its warehouse, which says nothing; one taken connection each."""
    settings.LOTLINE_PRIVATE_HOSTS = ["*"]
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as taken:
        server.settimeout(14)  # sooner than the first gives up
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

        def ask(accounts):
            for account in accounts:
                with account_context(account):
                    connect(SimpleNamespace(client=account.slug, url=url))
            return [taken.enter_context(server.accept()[0]) for _account in accounts]

        yield ask


@pytest.mark.commits("another process looks at the rows")
@pytest.mark.xdist_group("worker")
def test_while_every_job_and_every_sync_child_is_busy_the_rest_goes_on(workers, hang, account_a, account_b, tmp_path):
    accounts = (account_a, account_b)
    folders = busy_jobs(accounts, tmp_path, len(workers["jobs"].children()))
    midway = {int((folder / "started-1").read_text()) for folder in folders}
    assert midway == workers["jobs"].children(), "every child is busy"
    count = settings.WORKERS["sync"][2]
    connections = hang([*accounts, *(Account.objects.create(name=f"{n}", slug=f"more-{n}") for n in range(count - 2))])

    # One more job and one more task of the sync wait behind them.
    late = tmp_path / "late"
    late.mkdir()
    (late / "go").touch()
    nonce = uuid4().hex
    app.send_task("oms.tasks.ping", args=[nonce], queue="sync")
    with account_context(account_b):
        last = jobs.start("test.wait_midway", "late", {"folder": str(late)}, person=None, idempotency_key="late")
        message = outbox.publish("test.heard", "meanwhile")

    # The dispatcher ran and the outbox was drained, all in the other worker …
    def is_heard():
        with account_context(account_b):
            return Sku.objects.filter(code=f"heard-{message.pk}").exists()

    wait_until(is_heard, what="the outbox was drained")
    # … while not one job came to its end, nor the late one to its beginning, and every pull hung.
    assert states(accounts).count(JobState.RUNNING) == len(folders)
    assert not (late / "started-1").exists()
    assert cache.get(f"lotline:ping:{nonce}") is None

    for folder in folders:
        (folder / "go").touch()
    for each in connections:
        each.close()
    wait_until(lambda: set(states(accounts)) == {JobState.DONE}, what=f"all jobs are done, {last} too")
    wait_until(lambda: cache.get(f"lotline:ping:{nonce}"), what="the task of the sync ran")
