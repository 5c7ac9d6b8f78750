"""Files are private to their account, exist if and only if their row does, and go when their days are over."""

import os
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from oms import files, jobs
from oms.models import Due, Job, JobState, StoredFile
from oms.tasks import tidy
from oms.tenancy import account_context

LATER = timedelta(days=400)


def on_disk(account):
    folder = Path(settings.FILES_ROOT) / str(account.pk)
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def stored(account, name="list.csv", content_type="text/csv", chunks=(b"SKU\r\n", b"A\r\n")):
    with account_context(account):
        return files.store(name, content_type, chunks)


def url(file, slug="acme"):
    return f"/{slug}/files/{file.key}/"


def body(response):
    return b"".join(response.streaming_content)


# --- storing ----------------------------------------------------------------------------------------------------------
@pytest.mark.commits("files come and go with a commit or its rollback")
def test_a_file_lies_under_its_account_by_its_key(account_a):
    file = stored(account_a, "../../etc/passwd")
    assert on_disk(account_a) == [file.key.hex]
    assert (file.name, file.size, file.content_type) == ("passwd", 8, "text/csv")
    with files.open_file(file) as content:
        assert content.read() == b"SKU\r\nA\r\n"
    path = Path(settings.FILES_ROOT) / str(account_a.pk) / file.key.hex
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("prices.csv", "prices.csv"),
        ("C:\\Users\\me\\prices.csv", "prices.csv"),
        ('a"b\r\nSet-Cookie: x.csv', "a_b_Set-Cookie_ x.csv"),
        ("\u202efdp.exe", "_fdp.exe"),
        (" .. ", "file"),
        ("", "file"),
        ("Prüfung 検査.csv", "Prüfung 検査.csv"),
        ("x" * 300 + ".csv", "x" * 180 + ".csv"),
        ("a/b." + "x" * 300, "b." + "x" * 19),
        ("x" * 300, "x" * 200),
    ],
)
@pytest.mark.django_db
def test_names_are_made_harmless(account_a, given, kept):
    assert stored(account_a, given).name == kept


@pytest.mark.parametrize("content_type", ["", "text/html\r\nX: y", "text", "a/b; charset=x; y=z"])
@pytest.mark.django_db
def test_odd_content_types_are_plain_bytes(account_a, content_type):
    assert stored(account_a, content_type=content_type).content_type == "application/octet-stream"


@pytest.mark.commits("files come and go with a commit or its rollback")
def test_a_file_goes_with_the_transaction_that_made_it(account_a):
    with account_context(account_a):
        files.store("a.csv", "text/csv", [b"a"])
        assert len(on_disk(account_a)) == 1
        transaction.set_rollback(True)
    assert on_disk(account_a) == []


@pytest.mark.commits("files come and go with a commit or its rollback")
def test_a_file_goes_with_the_savepoint_that_made_it(account_a):
    with account_context(account_a):
        with transaction.atomic():
            files.store("a.csv", "text/csv", [b"a"])
            transaction.set_rollback(True)
        kept = files.store("b.csv", "text/csv", [b"b"])
    assert on_disk(account_a) == [kept.key.hex]


@pytest.mark.commits("files come and go with a commit or its rollback")
def test_a_file_whose_source_fails_halfway_leaves_nothing(account_a):
    def chunks():
        yield b"half"
        raise RuntimeError("the rest is missing")

    with pytest.raises(RuntimeError), account_context(account_a):
        files.store("a.csv", "text/csv", chunks())
    assert on_disk(account_a) == []


# --- reading ----------------------------------------------------------------------------------------------------------
@pytest.mark.commits("files come and go with a commit or its rollback")
def test_download(account_a, ben, client_for):
    file = stored(account_a, 'Prüfung "1".csv', "text/csv; charset=utf-8")
    response = client_for(ben).get(url(file))
    assert (response.status_code, body(response)) == (200, b"SKU\r\nA\r\n")
    assert response["Content-Disposition"] == "attachment; filename*=utf-8''Pr%C3%BCfung%20_1_.csv"
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"] == "private, no-store"
    assert response["Content-Length"] == "8"


@pytest.mark.commits("files come and go with a commit or its rollback")
def test_uploaded_html_is_never_shown(account_a, ben, client_for):
    response = client_for(ben).get(url(stored(account_a, "x.html", "text/html", [b"<script>"])))
    assert response["Content-Disposition"] == 'attachment; filename="x.html"'
    assert body(response) == b"<script>"


@pytest.mark.commits("files come and go with a commit or its rollback")
def test_a_file_of_another_account_is_not_there(account_a, account_b, ana, cid, wes, client_for):
    file = stored(account_a)
    assert client_for(cid).get(url(file)).status_code == 404
    assert client_for(cid).get(url(file, "bolt")).status_code == 404
    assert client_for(ana).get(url(file, "bolt")).status_code == 404
    assert client_for(wes).get(url(file, "bolt")).status_code == 404  # a member of both, by the wrong door
    assert body(client_for(wes).get(url(file))) == b"SKU\r\nA\r\n"


@pytest.mark.commits("files come and go with a commit or its rollback")
def test_a_jobs_file_is_its_persons_and_the_admins(account_a, ana, ben, olga, client_for):
    given, made = stored(account_a), stored(account_a)
    with account_context(account_a):
        job = jobs.start("ui.export", "x", {}, person=olga, idempotency_key="1", input_file=given)
        Job.objects.filter(pk=job.pk).update(result_file=made)
    for file in (given, made):
        answers = [client_for(person).get(url(file)) for person in (olga, ana, ben)]
        assert [answer.status_code for answer in answers] == [200, 200, 404]
        assert [body(answer) for answer in answers[:2]] == [b"SKU\r\nA\r\n"] * 2


@pytest.mark.commits("files come and go with a commit or its rollback")
def test_only_reading(account_a, ana, client_for):
    file = stored(account_a)
    assert client_for(ana).post(url(file)).status_code == 405
    with closing(client_for(ana).head(url(file))) as response:
        assert (response["Content-Length"], body(response)) == ("8", b"")


@pytest.mark.commits("files come and go with a commit or its rollback")
def test_what_is_not_there(account_a, ana, client_for, caplog):
    file = stored(account_a)
    assert client_for(ana).get(f"/acme/files/{uuid4()}/").status_code == 404
    (Path(settings.FILES_ROOT) / str(account_a.pk) / file.key.hex).unlink()
    assert client_for(ana).get(url(file)).status_code == 404
    assert "are gone" in caplog.text


# --- going ------------------------------------------------------------------------------------------------------------
@pytest.mark.commits("files come and go with a commit or its rollback")
def test_expired_files_go_and_their_jobs_stay(account_a, account_b, olga, client_for):
    given, made, loose, other = stored(account_a), stored(account_a), stored(account_a), stored(account_b)
    with account_context(account_a):
        job = jobs.start("ui.export", "x", {}, person=olga, idempotency_key="1", input_file=given)
        Job.objects.filter(pk=job.pk).update(
            result_file=made, state=JobState.DONE, result={"file": made.name}, finished_at=timezone.now()
        )
    assert files.delete_expired(account_a.pk, timezone.now() - timedelta(days=1)) == 0
    assert files.delete_expired(account_a.pk, timezone.now() + LATER) == 3
    assert (on_disk(account_a), on_disk(account_b)) == ([], [other.key.hex])
    with account_context(account_a):
        assert not StoredFile.objects.exists()
    assert client_for(olga).get(url(loose)).status_code == 404
    assert b"The file was deleted" in client_for(olga).get(f"/acme/jobs/{job.pk}/").content


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
@pytest.mark.commits("files come and go with a commit or its rollback")
def test_the_file_of_an_open_job_stays(account_a, olga, state):
    given = stored(account_a)
    with account_context(account_a):
        job = jobs.start("ui.export", "x", {}, person=olga, idempotency_key="1", input_file=given)
        Job.objects.filter(pk=job.pk).update(state=state)
    assert files.delete_expired(account_a.pk, timezone.now() + LATER) == 0
    assert on_disk(account_a) == [given.key.hex]


@pytest.mark.commits("files come and go with a commit or its rollback")
def test_bytes_that_no_row_knows_are_swept_when_they_are_old(account_a, account_b):
    kept, other = stored(account_a), stored(account_b)
    folder = Path(settings.FILES_ROOT) / str(account_a.pk)
    old = time.time() - 3 * 86_400
    for name in (uuid4().hex, f"{uuid4().hex}.part", "fresh"):
        (folder / name).write_bytes(b"x")
        if name != "fresh":
            os.utime(folder / name, (old, old))
    os.utime(folder / kept.key.hex, (old, old))
    tidy(account_a.pk)
    assert on_disk(account_a) == sorted([kept.key.hex, "fresh"])
    assert on_disk(account_b) == [other.key.hex]
    assert files.sweep(account_b.pk + 1000, timezone.now()) == 0


@pytest.mark.commits("files come and go with a commit or its rollback")
def test_the_daily_task_keeps_files_for_their_days(account_a, settings):
    stored(account_a)
    tidy(account_a.pk)
    assert len(on_disk(account_a)) == 1
    settings.LOTLINE_FILE_DAYS = -1
    tidy(account_a.pk)
    assert on_disk(account_a) == []
    assert not Due.objects.exists()
