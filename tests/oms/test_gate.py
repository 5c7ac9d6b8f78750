"""What a request may weigh: nobody's little, a form's some, a file's much."""

from io import BytesIO

import pytest
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from oms.csvio.schema import MAX_BYTES
from oms.gate import MOST_OF_ANYBODY, MOST_URL, takes_up_to
from oms.urls import urlpatterns as product

pytestmark = pytest.mark.django_db
BIG = "a" * (MOST_OF_ANYBODY + 1)


class Unread(BytesIO):
    """A body that says whether somebody read it."""

    is_read = False

    def read(self, *args):
        self.is_read = True
        return super().read(*args)


@login_not_required
@csrf_exempt
@takes_up_to(2 * MOST_OF_ANYBODY)
def weigh(request):
    return HttpResponse(len(request.body))


urlpatterns = [path("hooks/", weigh), *product]


def post(client, text, address="/sign-in/", content_type="application/x-www-form-urlencoded"):
    body = Unread(text.encode())
    answer = client.generic("POST", address, body.getvalue(), content_type=content_type, **{"wsgi.input": body})
    return answer, body.is_read


def test_nobody_sends_little():
    answer, is_read = post(Client(), BIG)
    assert answer.status_code == 413
    assert "Nothing was read and nothing was changed" in answer.content.decode()
    assert not is_read
    assert post(Client(), BIG[:MOST_OF_ANYBODY])[0].status_code == 422, "an empty sign-in form, but it was read"


def every_answers_headers(answer):
    return (
        answer.headers["Cache-Control"] == "private, no-store"
        and answer.headers["X-Content-Type-Options"] == "nosniff"
        and "default-src 'none'" in answer.headers["Content-Security-Policy"]
    )


def test_a_refusal_carries_what_every_answer_carries(client):
    assert every_answers_headers(post(client, BIG)[0])
    assert every_answers_headers(client.get("/sign-in/", {"q": "a" * MOST_URL}))


def test_a_form_of_an_ended_session_comes_back(client):
    client.cookies[settings.SESSION_COOKIE_NAME] = "ended"
    answer, is_read = post(client, f"notes={BIG}", "/acme/inventory/skus/new/")
    assert (answer.status_code, is_read) == (401, True)
    assert BIG in answer.content.decode()
    too_much = "a" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    assert post(client, too_much, "/acme/inventory/skus/new/")[0].status_code == 413


def test_files_come_from_who_is_signed_in(client, client_for, olga):
    file = f"--x\r\nContent-Disposition: form-data; name=file; filename=a.csv\r\n\r\n{BIG}\r\n--x--\r\n"
    asked = file, "/acme/inventory/skus/upload/", "multipart/form-data; boundary=x"
    assert post(client_for(olga), *asked)[0].status_code == 302, "to the page that checks it"
    larger = {"CONTENT_LENGTH": str(settings.LOTLINE_MOST_BODY + 1)}
    answer = client_for(olga).generic("POST", asked[1], b"", content_type=asked[2], **larger)
    assert answer.status_code == 413
    assert f"A CSV file may have {MAX_BYTES // 1024**2} MB" in answer.content.decode()
    client.cookies[settings.SESSION_COOKIE_NAME] = "made-up"
    answer, is_read = post(client, *asked)
    assert (answer.status_code, is_read) == (413, False)


@pytest.mark.urls(__name__)
def test_a_view_may_take_more_from_anybody():
    assert post(Client(), BIG, "/hooks/")[0].content.decode() == str(len(BIG))
    assert post(Client(), BIG * 2, "/hooks/")[0].status_code == 413


def test_a_long_address_has_its_page(client):
    answer = client.get("/sign-in/", {"q": "a" * MOST_URL})
    assert answer.status_code == 414
    assert "This address is too long" in answer.content.decode()


def test_a_length_that_is_no_number_is_no_length(client):
    answer = client.generic("POST", "/sign-in/", b"", CONTENT_LENGTH="many")
    assert answer.status_code == 422
