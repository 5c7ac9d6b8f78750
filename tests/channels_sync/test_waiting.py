"""While a page waits for another system, it keeps nothing of the database."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.db import connection as database, connections as databases

from channels_sync.services import connections
from oms.tenancy import account_context
from tests.factories import make_warehouse_link

STATES = """
SELECT state FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user
"""


class Slow(BaseHTTPRequestHandler):
    """Answers when it is told to."""

    is_asked, may_answer = threading.Event(), threading.Event()

    def do_GET(self):
        self.is_asked.set()
        self.may_answer.wait(60)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"items": [], "units": []}')

    def log_message(self, *_args):
        pass


@pytest.fixture
def slow(settings):
    Slow.is_asked.clear()
    Slow.may_answer.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    address = f"127.0.0.1:{server.server_address[1]}"
    settings.LOTLINE_PRIVATE_HOSTS = [address]
    yield f"http://{address}"
    Slow.may_answer.set()
    server.shutdown()
    server.server_close()


@pytest.mark.commits("threads, each with a connection of its own")
def test_a_test_of_a_connection_holds_no_transaction_and_no_connection(account_a, ana, client_for, slow):
    with account_context(account_a):
        made = connections.connect_sandbox(link=make_warehouse_link(), client="acme", url=slow, token="t")
    client, answers = client_for(ana), []

    def press():
        try:
            answers.append(client.post(f"/acme/sync/connections/{made.pk}/test/", follow=True))
        finally:
            databases.close_all()

    def taken():
        pool = database.pool.get_stats()
        return pool["pool_size"] - pool["pool_available"]

    page = threading.Thread(target=press)
    with database.cursor():
        before = taken()  # this test's own, and what a browser of an earlier test still holds
    page.start()
    assert Slow.is_asked.wait(60)
    with database.cursor() as cursor:
        states = {state for (state,) in cursor.execute(STATES).fetchall()}
    during = taken()
    Slow.may_answer.set()
    page.join(60)
    assert states <= {"idle"}, "nothing is in a transaction"
    assert during <= before, "the page that waits holds none"
    assert "It works. Sandbox warehouse: 0" in answers[0].content.decode()
