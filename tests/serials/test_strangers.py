"""Another account's units in everything that the Serials page takes: posted ids, filters, files, lists, views and jobs.

Ana is an admin of Acme and of Bolt. All that is made in Acme is hers, so that nothing but the account keeps it from her
at Bolt's addresses. What she types herself may be shown again; everything else of Acme's units says "hush". Addresses
with other accounts' ids are in tests/meta/test_url_sweep.py.
"""

import json
import re
from dataclasses import dataclass, field

import pypdfium2
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from oms import files, jobs
from oms.models import Account, Job, JobState, Membership, Person, Role, SavedView, StoredFile
from oms.services.layouts import save_view
from oms.tenancy import account_context
from serials import labels_jobs
from serials.lifecycle import Actor, Event
from serials.models import FoundList, Unit, UnitAttribute
from serials.services import Fact, Row, attributes, record_event
from serials.services.find_many import find_many
from serials.services.number_lists import read_list
from serials.services.units import By, annotate_units
from serials.views import actions, attributes_csv
from tests.factories import make_bin, make_serialized_sku
from tests.fingerprints import fingerprint
from tests.serials.samples import PRINT
from tests.tables import column, rows

pytestmark = pytest.mark.commits("a job commits step by step")
HUSH = re.compile("hush", re.IGNORECASE)
GRID = "/bolt/inventory/serials/"
BY = By(Actor.OFFICE)
TYPED = "TWIN\nASKED-1\nASKED-2\nOWN-1"
FILE = """SKU,Serial,Attribute,Value
SHARED,TWIN,Grade,B
SHARED,OWN-1,Grade,B
SHARED,ASKED-1,Grade,B
ASKED,ASKED-2,Grade,B
"""


@dataclass
class World:
    """Ana at Bolt, and what Acme has."""

    ana: Person
    web: Client
    bolt: Account
    own: list[int] = field(default_factory=list)
    theirs: list[int] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    found = upload = file = None
    view = job = 0

    def see(self, answer):
        """Keep what an answer shows and do the jobs that it started; the answer."""
        data = answer.getvalue() if answer.streaming else answer.content
        if answer.headers.get("Content-Type") == "application/pdf":
            text = " ".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(data))
        else:
            text = data.decode("utf-8-sig")
        self.seen.append(text)
        with account_context(self.bolt):
            waiting = list(Job.objects.filter(state=JobState.QUEUED).values_list("pk", flat=True))
        for pk in waiting:
            jobs.run(self.bolt.pk, pk)
            with account_context(self.bolt):
                job = Job.objects.get(pk=pk)
                self.seen.append(json.dumps(job.result))
            self.see(self.web.get(f"/bolt/jobs/{pk}/"))
            if job.result_file_id:
                with account_context(self.bolt):
                    key = StoredFile.objects.get(pk=job.result_file_id).key
                self.see(self.web.get(f"/bolt/files/{key}/"))
        if answer.status_code == 302:
            self.see(self.web.get(answer.headers["Location"]))
        return answer

    def get(self, path="", **query):
        """The answer of a page of Bolt's grid."""
        return self.see(self.web.get(f"{GRID}{path}", query))

    def post(self, path, data):
        """The answer to a form of Bolt's grid."""
        return self.see(self.web.post(f"{GRID}{path}", data))

    @property
    def text(self):
        """All that Ana saw."""
        return "\n".join(self.seen)


def fill(sku_serials, marks):
    """Units with a place, a note and an attribute, all of which hold `marks`; their ids."""
    place = make_bin(name=f"{marks}-BIN", location=f"{marks} zone")
    pks = []
    for code, serials in sku_serials.items():
        sku = make_serialized_sku(code=code, name=f"{marks} goods", product_id=f"{marks}-{code}")
        received = [Row(sku_id=sku.pk, serial=serial, bin_id=place.pk, is_new_allowed=True) for serial in serials]
        record_event(Fact(Event.RECEIVE, Actor.WAREHOUSE, process_id=f"{marks}-R", source=f"test:{code}"), received)
        pks += Unit.objects.filter(sku=sku).order_by("pk").values_list("pk", flat=True)
    annotate_units(rows=[Row(unit_id=pk, oms_notes=f"{marks} note") for pk in pks], by=BY)
    attributes.set_attribute(units=pks, name=f"{marks} name", value=f"{marks} value", overwrite=True, by=BY)
    return pks


@pytest.fixture
def world(client_for, ana, account_a, account_b):
    """TWIN is a unit of both accounts, ASKED-1 and ASKED-2 are Acme's. At the end Ana saw nothing of Acme's, and all of
    it is as it was.
    """
    Membership.objects.create(person=ana, account=account_b, role=Role.ADMIN, joined_at=timezone.now())
    made = World(ana, client_for(ana), account_b)
    with account_context(account_b):
        made.own = fill({"SHARED": ["TWIN", "OWN-1"]}, "OWN")
    with account_context(account_a):
        made.theirs = fill({"SHARED": ["TWIN", "ASKED-1"], "ASKED": ["ASKED-2"], "HUSH-SKU": ["HUSH-S"]}, "HUSH")
        made.found = find_many(asked=read_list(TYPED.encode()), person=ana).key
        made.upload = files.store("hush.csv", "text/csv", [FILE.encode()]).key
        look = {"page": "serials", "query": "serial=hush", "columns": ["serial"], "is_shared": True}
        made.view = save_view(person=ana, name="Hush view", **look).pk
        params = {"path": "/acme/inventory/serials/", "pks": made.theirs}
        made.job = jobs.start("serials.history", "Hush job", params, person=ana).pk
    assert jobs.run(account_a.pk, made.job) == JobState.DONE
    with account_context(account_a):
        made.file = Job.objects.select_related("result_file").get(pk=made.job).result_file.key
    before = fingerprint(account_a)
    yield made
    assert HUSH.findall(made.text) == []
    assert fingerprint(account_a) == before


def graded(account):
    """The serials of an account that have the attribute which the tests set."""
    with account_context(account):
        return sorted(UnitAttribute.objects.filter(name="Grade").values_list("unit__serial", flat=True))


# --- actions on what is selected --------------------------------------------------------------------------------------
MIXED = {
    "their ids and one's own": lambda world: {"pk": [*world.theirs, *world.own]},
    "all": lambda _world: {"all": "1", "filter": ""},
    "all and their ids": lambda world: {"all": "1", "filter": "", "pk": world.theirs},
    "all of their view": lambda world: {"all": "1", "filter": f"view={world.view}"},
}
THEIRS = {
    "their ids": lambda world: {"pk": world.theirs},
    "their found list": lambda world: {"all": "1", "filter": f"list={world.found}"},
    "their serial": lambda _world: {"all": "1", "filter": "serial=asked"},
    "a search": lambda _world: {"all": "1", "filter": "q=asked"},
}
ACTIONS = {"history/": {}, "labels/": {**PRINT, "do": "print"}, "attributes/": {"name": "Grade", "value": "B"}}
LIMITS = ((actions, "AT_ONCE"), (actions, "SET_AT_ONCE"), (labels_jobs, "AT_ONCE"))


@pytest.mark.parametrize("chosen", MIXED.values(), ids=MIXED)
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("is_job", [False, True], ids=["at once", "by a job"])
def test_an_action_is_done_to_ones_own_units_alone(world, monkeypatch, chosen, action, is_job):
    for module, name in LIMITS if is_job else ():
        monkeypatch.setattr(module, name, 0)
    if action == "attributes/":
        world.post(action, chosen(world))
        assert "For 2 selected serials." in world.text
    world.post(action, {**chosen(world), **ACTIONS[action]})
    with account_context(world.bolt):
        assert Job.objects.filter(state=JobState.DONE).count() == (
            is_job or action == "attributes/"
        )  # small work is one, too
    if action == "attributes/":
        assert graded(world.bolt) == ["OWN-1", "TWIN"]
    else:
        assert "OWN-1" in world.text
    assert "ASKED" not in world.text


@pytest.mark.parametrize("chosen", THEIRS.values(), ids=THEIRS)
@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_on_another_accounts_units_finds_none(world, chosen, action):
    if action == "attributes/":
        world.post(action, chosen(world))
        assert "For 0 selected serials." in world.text
    assert world.post(action, {**chosen(world), **ACTIONS[action]}).status_code in {200, 302, 422}
    assert graded(world.bolt) == []
    assert "ASKED-" not in world.text


@pytest.mark.parametrize("kind", ["serials.history", "serials.labels", "serials.attribute"])
def test_a_job_finds_no_ids_of_another_account(world, kind):
    chosen = {"path": GRID, "pks": world.theirs}
    params = {
        "serials.history": chosen,
        "serials.labels": {"source": "selected units", "args": chosen, "sheet": "4x6"},
        "serials.attribute": {"selection": chosen, "name": "Grade", "value": "B", "overwrite": True},
    }
    with account_context(world.bolt):
        job = jobs.start(kind, "Forged", params[kind], person=None)
    world.get()
    with account_context(world.bolt):
        job.refresh_from_db()
    if kind == "serials.attribute":
        assert (job.state, job.result["counts"]["Serials"]) == (JobState.DONE, 0)
    else:
        said = {
            "serials.history": "You must check at least one",
            "serials.labels": "There is nothing to print a label for.",
        }
        assert (job.state, job.message) == (JobState.FAILED, said[kind])
    assert "ASKED" not in world.text


# --- files ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("limit", [100_000, 0], ids=["at once", "by a job"])
@pytest.mark.parametrize("overwrite", [{}, {"overwrite": "on"}], ids=["keeping", "overwriting"])
def test_a_file_names_units_of_ones_own_alone(world, monkeypatch, limit, overwrite):
    file = SimpleUploadedFile("attributes.csv", FILE.encode(), "text/csv")
    page = world.post("attributes/csv/", {"file": file, **overwrite}).headers["Location"]
    assert graded(world.bolt) == []
    path, _mark, query = page.partition("?")
    world.see(world.web.get(f"{path}failed/?{query}"))
    failed = world.seen[-1].splitlines()[1:]
    assert [line.split(",")[:2] for line in failed] == [["SHARED", "ASKED-1"], ["ASKED", "ASKED-2"]]
    monkeypatch.setattr(attributes_csv, "AT_ONCE", limit)
    world.see(world.web.post(page))
    assert graded(world.bolt) == ["OWN-1", "TWIN"]
    with account_context(world.bolt):
        assert Job.objects.filter(state=JobState.DONE).count() == 1


# --- lists, views, jobs and files -------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", [TYPED, "SKU,Serial\nSHARED,TWIN\nSHARED,ASKED-1\nASKED,ASKED-2\n,OWN-1"])
def test_find_many_finds_ones_own_alone(world, text):
    page = world.post("find/", {"numbers": text}).headers["Location"]
    with account_context(world.bolt):
        found = FoundList.objects.get()
    assert sorted(found.unit_ids) == sorted(world.own)
    assert [row[1] for row in found.rest["not_found"]] == ["ASKED-1", "ASKED-2"]
    assert [row[3] for row in found.rest["not_found"]] == ["", ""]
    for group in ("found", "not_found", "ambiguous", "duplicate"):
        world.see(world.web.get(f"{page}{group}/"))
    world.get(list=str(found.key))
    assert sorted(column(world.seen[-1], "Serial")) == ["OWN-1", "TWIN"]
    world.post("history/", {"all": "1", "filter": f"list={found.key}"})
    assert "ASKED" not in world.seen[-1]


def test_a_found_list_of_another_account_is_unknown(world):
    for group in ("", "found/", "not_found/"):
        assert world.get(f"find/{world.found}/{group}").status_code == 404
    for query in ({}, {"format": "csv"}, {"void": "on", "sort": "serial"}):
        world.get(list=str(world.found), **query)
    assert not re.search("ASKED|TWIN|OWN-1", world.text)
    with account_context(world.bolt):  # nor would a list that somebody forged show what it names
        empty = {"not_found": [], "ambiguous": [], "duplicate": []}
        forged = FoundList.objects.create(person=world.ana, unit_ids=world.theirs, rest=empty)
    world.get(f"find/{forged.key}/")
    world.get(f"find/{forged.key}/found/")
    world.get(list=str(forged.key))
    assert not re.search("ASKED|TWIN|OWN-1", world.text)


def test_a_view_of_another_account_is_none(world):
    world.get(view=world.view)
    assert sorted(column(world.seen[-1], "Serial")) == ["OWN-1", "TWIN"]
    assert len(rows(world.seen[-1])[0]) > 10, "its columns are not those of the view"
    world.get(view=world.view, format="csv")
    for path in ("", "update/", "delete/"):
        for ask in (world.web.get, world.web.post):
            answer = world.see(ask(f"/bolt/views/{world.view}/{path}"))
            assert answer.status_code in {404, 405}
    state = {"list": "serials", "state": f"view={world.view}"}
    world.see(world.web.post("/bolt/views/columns/", {**state, "order": ["serial", "sku"], "show": ["serial", "sku"]}))
    world.see(world.web.post("/bolt/views/new/", {**state, "name": "Mine"}))
    with account_context(world.bolt):
        mine = SavedView.objects.get()
    assert (mine.name, mine.query, mine.columns) == ("Mine", "", ["serial", "sku"])


def test_jobs_and_files_of_another_account_are_unknown(world):
    check = f"{GRID}attributes/csv/{world.upload}/"
    for address in (f"/bolt/files/{world.file}/", check, f"{check}failed/", f"/bolt/jobs/{world.job}/"):
        if "/jobs/" not in address:  # one's own job is out of the tray as soon as one looks at it
            there = world.web.get(address.replace("/bolt/", "/acme/"))
            assert there.status_code == 200
            there.getvalue()
        assert world.see(world.web.get(address)).status_code == 404
    for address in (
        check,
        f"{check}?overwrite=1",
        f"/bolt/jobs/{world.job}/cancel/",
        f"/bolt/jobs/{world.job}/dismiss/",
    ):
        assert world.see(world.web.post(address)).status_code == 404
    world.see(world.web.post("/bolt/jobs/dismiss/", {"job": [world.job]}))
    world.see(world.web.get("/bolt/jobs/"))
    world.see(world.web.get("/bolt/jobs/tray/"))
    assert graded(world.bolt) == []
