"""Chosen columns and saved views, on the Serials page."""

import csv
import io
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse

from oms import jobs
from oms.models import AuditEntry, ColumnChoice, Job, JobState, SavedView
from oms.tenancy import account_context
from oms.ui import exports
from oms.ui.tables import Table
from serials.tables import SerialTable
from tests.serials.factories import make_units
from tests.tables import column

GRID = "/acme/inventory/serials/"
COLUMNS, NEW = "/acme/views/columns/", "/acme/views/new/"


@pytest.fixture
def web(client_for, olga, account_a):
    with account_context(account_a):
        make_units(3)
    return client_for(olga)


def headers(page):
    """The names of the columns that a page shows."""
    head = re.search(r'<tr class="head-row">(.*?)</tr>', page, re.DOTALL)[1]
    return re.findall(r'id="sort-(\w+)"', head)


def see(web, query=""):
    answer = web.get(GRID + (f"?{query}" if query else ""))
    assert answer.status_code == 200
    return answer.content.decode()


def choose(web, *names, order=(), state="", what="save"):
    data = {"list": "serials", "state": state, "order": order or names, "show": names, "do": what}
    return web.post(COLUMNS, data)


def save(web, name, state="", **fields):
    return web.post(NEW, {"list": "serials", "state": state, "name": name, **fields})


def menu(page):
    """The labels in the menu of views, the one of the open view with a star."""
    panel = re.search(r'<details class="menu menu-end">\s*<summary class="btn">(.*?)</details>', page, re.DOTALL)[1]
    items = re.findall(r'<(?:a|button) class="menu-item"(.*?)>(.*?)</(?:a|button)>', panel, re.DOTALL)
    return [re.sub(r"<[^>]+>|\s+", " ", text).strip() + "*" * ("aria-current" in tag) for tag, text in items]


# --- columns ----------------------------------------------------------------------------------------------------------
def test_a_table_is_arranged_and_its_controls_stay():
    table = SerialTable([])
    table.arrange(["serial", "nonsense", "sku", "serial"])
    assert [bound.name for bound in table.columns] == ["expand", "serial", "sku", "menu"]
    assert table.shown() == ["serial", "sku"]
    fresh = SerialTable([])
    fresh.arrange(["nonsense"])
    assert len(fresh.shown()) == 12
    assert isinstance(fresh, Table)


def test_chosen_columns_are_remembered_for_this_person_and_account(web, client_for, ana, wes, account_b):
    assert choose(web, "serial", "sku", "bin").headers["Location"] == GRID
    assert headers(see(web)) == ["serial", "sku", "bin"]
    assert len(headers(see(client_for(ana)))) == 12
    both = client_for(wes)
    choose(both, "status")
    assert headers(see(both)) == ["status"]
    with account_context(account_b):
        make_units(1)
    assert len(headers(both.get("/bolt/inventory/serials/").content.decode())) == 12
    choose(web, "status", what="reset")
    assert len(headers(see(web))) == 12


def test_at_least_one_column_stays(web, account_a):
    answer = choose(web, order=["sku", "serial"])
    assert answer.status_code == 422
    assert "Choose at least one column." in answer.content.decode()
    with account_context(account_a):
        assert not ColumnChoice.objects.exists()


def test_an_arrow_moves_a_column_and_saves_nothing(web, account_a):
    page = choose(web, "sku", "bin", order=["sku", "bin", "serial"], what="down:sku").content.decode()
    assert re.findall(r'name="order" value="(\w+)"', page)[:3] == ["bin", "sku", "serial"]
    assert re.findall(r'value="(\w+)" checked', page) == ["bin", "sku"]
    assert re.search(r'value="down:sku" autofocus', page)
    page = choose(web, "sku", "bin", order=["sku", "bin"], what="up:bin").content.decode()
    assert re.search(r'value="down:bin" autofocus', page)  # it is the first now, and cannot go up
    assert choose(web, "sku", what="up:nonsense").status_code == 200
    with account_context(account_a):
        assert not ColumnChoice.objects.exists()


def test_the_filter_and_the_sort_of_a_hidden_column_stay(web):
    choose(web, "serial")
    page = see(web, "status=ready&sort=-sku&update_from=2020-01-01")
    assert "Status: <strong>Ready</strong>" in page
    for name, value in (("status", "ready"), ("sort", "-sku"), ("update_from", "2020-01-01")):
        assert re.search(rf'form="filters"\s+name="{name}"\s+value="{value}"', page), name
    hrefs = re.findall(r'id="sort-serial"\s+href="([^"]+)"', page)
    assert "status=ready" in hrefs[0]


def test_an_export_has_the_chosen_columns_in_their_order(web, account_a, monkeypatch):
    choose(web, "serial", "sku")
    rows = list(csv.reader(io.StringIO(web.get(f"{GRID}?format=csv").getvalue().decode("utf-8-sig"))))
    assert rows[0] == ["Serial", "SKU"]
    monkeypatch.setattr(exports, "AT_ONCE", 2)
    web.get(f"{GRID}?format=csv")
    with account_context(account_a):
        assert Job.objects.get().params["columns"] == ["serial", "sku"]


@pytest.mark.commits("a job commits step by step")
def test_a_job_exports_them_too(web, account_a, monkeypatch):
    monkeypatch.setattr(exports, "AT_ONCE", 2)
    choose(web, "status", "serial")
    web.get(f"{GRID}?format=csv")
    with account_context(account_a):
        job = Job.objects.get()
    assert jobs.run(account_a.pk, job.pk) == JobState.DONE
    with account_context(account_a):
        key = Job.objects.get().result_file.key
    file = web.get(f"/acme/files/{key}/").getvalue().decode("utf-8-sig")
    assert file.splitlines()[0] == "Status,Serial"


# --- views ------------------------------------------------------------------------------------------------------------
def test_a_view_is_filters_sort_page_size_and_columns(web, account_a):
    choose(web, "serial", "status")
    answer = save(web, "On hold", "status=hold&sort=serial&per_page=25&page=3&format=csv")
    where = urlsplit(answer.headers["Location"])
    with account_context(account_a):
        view = SavedView.objects.get()
    assert where.path == GRID
    assert parse_qs(where.query) == {"status": ["hold"], "sort": ["serial"], "per_page": ["25"], "view": [str(view.pk)]}
    choose(web, "sku")
    page = see(web, where.query)
    assert headers(page) == ["serial", "status"]
    assert menu(page) == [
        "Without a view",
        "On hold*",
        "Save this view…",
        "Update “On hold”",
        "Rename, share or delete…",
    ]
    assert re.search(rf'form="filters"\s+name="view"\s+value="{view.pk}"', page)
    assert headers(see(web)) == ["sku"]


def test_the_address_of_the_list_says_what_is_saved(web, account_a):
    """A filter changes the address without a new page, so the dialog goes by where it was opened from."""
    came = {"Referer": f"http://testserver{GRID}?status=ready&page=2"}
    page = web.get(NEW, {"list": "serials"}, headers=came).content.decode()
    assert 'name="state" value="status=ready&amp;page=2"' in page
    other = {"Referer": "http://testserver/acme/inventory/skus/?status=ready"}
    assert 'name="state" value=""' in web.get(NEW, {"list": "serials"}, headers=other).content.decode()


def test_changed_columns_of_an_open_view_are_ones_own_until_it_is_updated(web, account_a):
    query = urlsplit(save(web, "Mine", "status=ready").headers["Location"]).query
    answer = choose(web, "sku", "bin", state=query)
    changed = urlsplit(answer.headers["Location"]).query
    assert changed == f"{query}&columns=own"
    assert headers(see(web, changed)) == ["sku", "bin"]
    assert len(headers(see(web, query))) == 12
    with account_context(account_a):
        pk = SavedView.objects.get().pk
    update = web.post(f"/acme/views/{pk}/update/", headers={"Referer": f"http://testserver{GRID}?{changed}&sku=x"})
    assert update.headers["Location"] == f"{GRID}?status=ready&sku=x&view={pk}"
    with account_context(account_a):
        view = SavedView.objects.get()
    assert (view.query, view.columns) == ("status=ready&sku=x", ["sku", "bin"])


def test_a_name_is_there_once_for_each_owner(web, client_for, ana):
    save(web, "Mine")
    again = save(web, "Mine")
    assert again.status_code == 422
    assert "There is a view called “Mine” already." in again.content.decode()
    assert save(client_for(ana), "Mine").status_code == 302
    assert save(web, "  ").status_code == 422
    assert save(web, "a\nb").status_code == 422
    assert save(web, "Long", "sku=" + "x" * 5000).status_code == 422


def test_a_filter_that_cannot_be_used_is_not_kept_in_a_view(web, account_a):
    save(web, "Mine", "status=ready")
    with account_context(account_a):
        pk = SavedView.objects.get().pk
    faulty = {
        "update_from=1.2.2027": "Update: Use the form yyyy-mm-dd",
        "q=ab": "Search: One more character …",
        "skuu=x": "“skuu” is no filter of this list.",
        "sku=" + "x" * 5000: "SKU: Use at most 120 characters",
        "&".join(f"sort={n}" for n in range(900)): "These filters are too long to be saved.",
        "q=%00%00%00": "Search: Remove the character",
    }
    for state, words in faulty.items():
        for answer in (save(web, "Other", state), web.post(f"/acme/views/{pk}/update/", {"state": state})):
            assert answer.status_code == 422, state[:40]
            assert words in answer.content.decode(), state[:40]
    with account_context(account_a):
        assert SavedView.objects.get().query == "status=ready"


def test_a_view_whose_filter_cannot_be_used_any_more_opens_with_its_fault(web, account_a):
    save(web, "Old", "status=ready&sort=serial")
    with account_context(account_a):
        view = SavedView.objects.get()
        SavedView.objects.update(query="status=gone&skuu=x&sort=nonsense&sort=&sku=a&per_page=x")
    page = see(web, f"status=gone&skuu=x&sort=nonsense&sort=&sku=a&per_page=x&view={view.pk}")
    assert menu(page)[1] == "Old*"
    assert "Status: <strong>There is no such choice" in page
    assert "“skuu” is no filter of this list." in page
    assert column(page, "Serial") == []
    assert len(column(see(web, f"sort=nonsense&sort=&sku=S&per_page=x&view={view.pk}"), "Serial")) == 3


def test_who_sees_and_who_changes_a_view(web, client_for, account_a, ana, ben, olga):
    for name, shared in (("Private", ""), ("Team", "on")):
        save(web, name, "status=ready", **({"is_shared": shared} if shared else {}))
    with account_context(account_a):
        private, team = SavedView.objects.order_by("name")
    viewer, admin = client_for(ben), client_for(ana)
    assert menu(see(viewer))[:2] == ["Without a view*", "Team · Olga"]
    assert menu(see(viewer, f"view={team.pk}"))[-1] == "Save this view…"
    assert menu(see(viewer, f"view={private.pk}")) == ["Without a view*", "Team · Olga", "Save this view…"]
    for who, view, status in ((viewer, team, 404), (viewer, private, 404), (admin, private, 404), (admin, team, 302)):
        assert who.post(f"/acme/views/{view.pk}/update/", {"state": "status=out"}).status_code == status
        assert who.post(f"/acme/views/{view.pk}/", {"name": "New", "is_shared": "on"}).status_code == status
    assert admin.post(f"/acme/views/{team.pk}/delete/").status_code == 302
    with account_context(account_a):
        assert list(SavedView.objects.all()) == [private]
        assert list(AuditEntry.objects.filter(kind="view").order_by("pk").values_list("action", "actor", "label")) == [
            ("create", olga.pk, "Team"),
            ("change", ana.pk, "Team"),
            ("change", ana.pk, "New"),
            ("remove", ana.pk, "New"),
        ]
    assert "Team" in admin.get(reverse("audit", kwargs={"account_slug": "acme"})).content.decode()


def test_a_view_keeps_what_it_is_where_nothing_says_what_the_list_shows(web, account_a):
    save(web, "Mine", "status=ready")
    with account_context(account_a):
        pk = SavedView.objects.get().pk
    for headers in ({}, {"Referer": "http://testserver/acme/orders/?q=x"}):
        page = web.post(f"/acme/views/{pk}/update/", headers=headers, follow=True).content.decode()
        assert "Nothing is changed: your browser did not say what the list shows." in page
    with account_context(account_a):
        assert SavedView.objects.get().query == "status=ready"
    web.post(f"/acme/views/{pk}/update/", headers={"Referer": f"http://testserver{GRID}?status=out"})
    with account_context(account_a):
        assert SavedView.objects.get().query == "status=out"


def test_a_view_begins_at_its_first_page(web, account_a):
    save(web, "Deep", 'sort=serial&after=["A-1","4"]&page=202')
    with account_context(account_a):
        assert SavedView.objects.get().query == "sort=serial"


def test_a_viewer_saves_for_themselves_only(web, client_for, account_a, ben):
    assert save(client_for(ben), "Mine", is_shared="on").status_code == 302
    with account_context(account_a):
        assert not SavedView.objects.get().is_shared


def test_a_deleted_view_leaves_the_list_as_it_was(web, account_a):
    query = urlsplit(save(web, "Mine", "status=ready").headers["Location"]).query
    with account_context(account_a):
        pk = SavedView.objects.get().pk
    assert "Delete “Mine”" in web.get(f"/acme/views/{pk}/delete/").content.decode()
    answer = web.post(f"/acme/views/{pk}/delete/", {"state": query})
    assert answer.headers["Location"] == f"{GRID}?status=ready"


def test_another_accounts_view_is_unknown(client_for, wes, cid, account_a, account_b):
    both = client_for(wes)
    save(both, "Ours", "status=ready", is_shared="on")
    with account_context(account_a):
        pk = SavedView.objects.get().pk
    page = client_for(cid).get("/bolt/inventory/serials/", {"view": pk}).content.decode()
    assert "Ours" not in page
    for client in (both, client_for(cid)):
        assert client.get(f"/bolt/views/{pk}/").status_code == 404
        assert client.post(f"/bolt/views/{pk}/delete/").status_code == 404


@pytest.mark.parametrize("name", ["", "nonsense", "home", "audit", "serial", "account_home", "members"])
def test_a_page_without_layouts_has_none(web, name):
    assert web.get(COLUMNS, {"list": name}).status_code == 404
    assert web.post(NEW, {"list": name, "name": "x"}).status_code == 404
