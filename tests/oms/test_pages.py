"""Pages of the platform under bad input, two tabs, and with one row and with thirty."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from oms.models import AuditEntry, Job, Sku, StoredFile
from oms.tenancy import account_context
from tests import factories
from tests.tables import column

SKU = {"code": "LAMP", "name": "Lamp", "product_id": "", "product_id_wh": "", "gtin": "", "workflow": "no"}


@pytest.fixture
def sku(account_a):
    with account_context(account_a):
        return factories.make_sku(code="LAMP", name="Lamp")


def skus(account):
    with account_context(account):
        return list(Sku.objects.order_by("pk").values_list("code", "name", "workflow"))


# --- one SKU ----------------------------------------------------------------------------------------------------------
def test_add_a_sku_twice_from_two_tabs(client_for, olga, account_a):
    client = client_for(olga)
    assert client.post("/acme/inventory/skus/new/", SKU).status_code == 302
    second = client.post("/acme/inventory/skus/new/", {**SKU, "code": "lamp"})
    assert second.status_code == 422
    assert "There is already a SKU" in second.content.decode()
    assert len(skus(account_a)) == 1


def test_save_from_a_tab_that_is_older_than_somebody_elses_save(client_for, ana, sku, account_a):
    client = client_for(ana)
    url = f"/acme/inventory/skus/{sku.pk}/"
    assert client.post(url, {**SKU, "name": "First", "version": 1}).status_code == 302
    second = client.post(url, {**SKU, "name": "Second", "version": 1})
    assert second.status_code == 422
    assert "Somebody changed this SKU" in second.content.decode()
    assert 'value="Second"' in second.content.decode(), "what was typed is kept"
    assert skus(account_a) == [("LAMP", "First", "no")]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "x" * 10_000, "at most 250 characters"),
        ("name", "a\x00b", "Null characters are not allowed"),
        ("name", "two\u2028lines", "Remove U+2028"),
        ("name", "  ", "This field is required"),
        ("code", "x" * 81, "at most 80 characters"),
        ("gtin", "123", "8, 12, 13 or 14 digits"),
        ("gtin", "4006381333932", "should be 1"),
        ("gtin", "４００６３８１３３３９３１", "8, 12, 13 or 14 digits"),
        ("workflow", "sometimes", "Select a valid choice"),
    ],
)
def test_bad_input_is_said_at_the_field_and_nothing_is_saved(client_for, ana, sku, account_a, field, value, words):
    answer = client_for(ana).post(f"/acme/inventory/skus/{sku.pk}/", {**SKU, "version": 1, field: value})
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert skus(account_a) == [("LAMP", "Lamp", "no")]


def test_markup_in_a_name_is_text_everywhere(client_for, ana, sku):
    client = client_for(ana)
    client.post(f"/acme/inventory/skus/{sku.pk}/", {**SKU, "name": '<img src=x onerror=alert(1)>"', "version": 1})
    for page in (f"/acme/inventory/skus/{sku.pk}/", "/acme/inventory/skus/", "/acme/settings/audit/"):
        text = client.get(page).content.decode()
        assert "<img src=x" not in text
        assert "&lt;img src=x" in text


def test_an_operator_edits_but_does_not_set_serial(client_for, olga, sku, account_a):
    form = {**SKU, "name": "New", "workflow": "in_out", "version": 1}
    assert client_for(olga).post(f"/acme/inventory/skus/{sku.pk}/", form).status_code == 302
    assert skus(account_a) == [("LAMP", "New", "no")]


def test_a_viewer_sees_facts_and_no_form(client_for, ben, sku):
    client = client_for(ben)
    text = client.get(f"/acme/inventory/skus/{sku.pk}/").content.decode()
    assert '<dl class="facts">' in text
    assert 'name="code"' not in text
    assert client.post(f"/acme/inventory/skus/{sku.pk}/", SKU).status_code == 403


# --- the list ---------------------------------------------------------------------------------------------------------
def listed(client, query=""):
    return column(client.get(f"/acme/inventory/skus/{query}").content.decode(), "SKU")


def test_filters_search_sort_and_pages_live_in_the_address(client_for, ben, account_a):
    with account_context(account_a):
        for n in range(60):
            factories.make_sku(code=f"S-{n:02}", name=f"Thing {n % 3}", workflow="out" if n % 2 else "no")
    client = client_for(ben)
    assert listed(client) == [f"S-{n:02}" for n in range(50)]
    assert listed(client, "?page=2") == [f"S-{n:02}" for n in range(50, 60)]
    assert listed(client, "?page=99") == [f"S-{n:02}" for n in range(50, 60)]
    assert listed(client, "?page=-1&per_page=7") == [f"S-{n:02}" for n in range(50)]
    assert listed(client, "?sort=-sku&per_page=25") == [f"S-{n:02}" for n in range(59, 34, -1)]
    assert listed(client, "?sku=s-1&serial=out") == [f"S-{n}" for n in range(11, 20, 2)]
    assert listed(client, "?q=thing+2&sku=5") == ["S-05", "S-35", "S-50", "S-53", "S-56", "S-59"]
    assert listed(client, "?sort=password&page=x&per_page=x")[:2] == ["S-00", "S-01"]
    for query in ("serial=nonsense", "update_from=yesterday", f"sku={'x' * 500}"):
        assert listed(client, f"?{query}") == [], "what cannot be used is not taken for all"


@pytest.mark.parametrize("query", ["update_to=9999-12-31", "update_from=0001-01-01", "update_to=0001-01-01"])
def test_days_at_the_ends_of_the_calendar(client_for, ben, sku, query):
    assert client_for(ben).get(f"/acme/inventory/skus/?{query}").status_code == 200


def test_a_needle_with_wildcards_is_text(client_for, ben, account_a):
    with account_context(account_a):
        factories.make_sku(code="100%")
        factories.make_sku(code="1000")
        factories.make_sku(code="a_b")
    client = client_for(ben)
    assert listed(client, "?sku=%25") == ["100%"]
    assert listed(client, "?sku=_") == ["a_b"]


def test_the_fragment_is_the_table_of_the_page(client_for, ben, sku):
    client = client_for(ben)
    page = client.get("/acme/inventory/skus/?sku=lamp")
    part = client.get("/acme/inventory/skus/?sku=lamp", headers={"HX-Request": "true"})
    assert "HX-Request" in page.headers["Vary"]
    assert "<html" not in part.content.decode()
    assert part.context["table"]["rows_html"] == page.context["table"]["rows_html"]
    back = {"HX-Request": "true", "HX-History-Restore-Request": "true"}
    assert "<html" in client.get("/acme/inventory/skus/", headers=back).content.decode()


def test_empty_and_no_match_say_different_things(client_for, olga, account_a):
    client = client_for(olga)
    assert "No SKUs yet" in client.get("/acme/inventory/skus/").content.decode()
    text = client.get("/acme/inventory/skus/?sku=zzz").content.decode()
    assert "No match" in text
    assert "zzz" in text


def test_an_export_has_the_rows_and_columns_of_the_screen(client_for, ben, account_a):
    with account_context(account_a):
        factories.make_sku(code="=1+1", name="Formula", workflow="in_out")
        factories.make_sku(code="LAMP", name="Desk, oak")
    answer = client_for(ben).get("/acme/inventory/skus/?format=csv&sort=-sku&name=d")
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert lines[0] == "SKU,Name,ProductID,ProductIDWH,GTIN,Serial,Update"
    assert [line.rsplit(",", 2)[0] for line in lines[1:]] == ['LAMP,"Desk, oak",,,']
    everything = b"".join(client_for(ben).get("/acme/inventory/skus/?format=csv").streaming_content)
    assert b"'=1+1" in everything


# --- bulk change of Serial --------------------------------------------------------------------------------------------
def test_nothing_checked(client_for, ana, account_a):
    text = client_for(ana).post("/acme/inventory/skus/serial/", follow=True).content.decode()
    assert "You must check at least one" in text


def test_all_that_match_is_the_filter_not_the_page(client_for, ana, account_a):
    with account_context(account_a):
        factories.make_skus(60)
        other = factories.make_sku(code="OTHER")
    form = {"all": "1", "filter": "sku=SKU-", "workflow": "out"}
    client_for(ana).post("/acme/inventory/skus/serial/", form)
    with account_context(account_a):
        assert Sku.objects.filter(workflow="out").count() == 60
        assert Sku.objects.get(pk=other.pk).workflow == "no"


def test_ids_of_another_account_are_not_found(client_for, ana, account_a, account_b, sku):
    with account_context(account_b):
        foreign = factories.make_sku(code="THEIRS")
    form = {"pk": [str(foreign.pk), str(sku.pk), "x", "9" * 30, "9" * 5_000], "workflow": "out"}
    client_for(ana).post("/acme/inventory/skus/serial/", form)
    assert skus(account_b) == [("THEIRS", foreign.name, "no")]
    assert skus(account_a) == [("LAMP", "Lamp", "out")]


def test_what_is_refused_or_asked_is_no_success(client_for, ana, account_a, sku):
    with account_context(account_a):
        factories.make_stock(sku=sku)
    web, chosen = client_for(ana), {"pk": [str(sku.pk)]}
    address = "/acme/inventory/skus/serial/"
    assert web.post(address, chosen).status_code == 200, "the choice itself"
    assert web.post(address, chosen | {"workflow": "nothing"}).status_code == 422
    blocked = web.post(address, chosen | {"workflow": "in_out"})
    assert (blocked.status_code, "Nothing is changed" in blocked.content.decode()) == (422, True)


# --- upload -----------------------------------------------------------------------------------------------------------
def upload(client, content, name="skus.csv"):
    return client.post("/acme/inventory/skus/upload/", {"file": SimpleUploadedFile(name, content)})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "This file is empty"),
        (b"PK\x03\x04" + bytes(200), "Excel"),
        (b"\x89PNG\r\n" + bytes(200), "PNG"),
        (b"SKU,Name\n", "no rows"),
        (b"<!doctype html><p>", "web page"),
    ],
)
def test_a_file_that_is_no_catalogue_is_refused_in_words(client_for, olga, account_a, content, words):
    answer = upload(client_for(olga), content)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    with account_context(account_a):
        assert not StoredFile.objects.exists()


def test_a_file_without_its_needed_column_says_which(client_for, olga, account_a):
    page = upload(client_for(olga), b"Thing,Name\nA,B\n")
    text = client_for(olga).get(page.headers["Location"]).content.decode()
    assert "The column SKU is missing" in text
    assert "Apply" not in text


def test_a_check_changes_nothing_and_applying_twice_is_one_job(client_for, olga, account_a):
    client = client_for(olga)
    url = upload(client, b"SKU,Name\nA,One\nB,\n").headers["Location"]
    text = client.get(url).content.decode()
    assert "Apply the 1 good row" in text
    assert "A SKU needs a name" in text
    assert skus(account_a) == []
    first, second = client.post(url), client.post(url)
    assert first.headers["Location"] == second.headers["Location"]
    with account_context(account_a):
        assert Job.objects.count() == 1


def test_a_check_speaks_in_the_words_of_the_product(client_for, ana):
    client = client_for(ana)
    text = client.get(upload(client, b"SKU,Name,Serial\nA,One,in/out\n").headers["Location"]).content.decode()
    assert "In/Out" in text
    assert "in_out" not in text


def test_what_was_cancelled_can_be_applied_again(client_for, olga, account_a):
    client = client_for(olga)
    url = upload(client, b"SKU,Name\nA,One\n").headers["Location"]
    first = client.post(url).headers["Location"]
    client.post(f"{first}cancel/")
    second, third = (client.post(url).headers["Location"] for _tab in "ab")
    assert first != second == third
    with account_context(account_a):
        assert sorted(Job.objects.values_list("state", flat=True)) == ["cancelled", "queued"]


def test_the_file_of_bad_rows(client_for, olga, account_a):
    client = client_for(olga)
    url = upload(client, b"SKU,Name\nA,\nB,\n").headers["Location"]
    lines = client.get(f"{url}errors/").content.decode("utf-8-sig").splitlines()
    assert lines[0].split(",")[:2] == ["Line", "Column"]
    assert [line.split(",")[0] for line in lines[1:]] == ["2", "3"]


def test_the_template_can_be_uploaded_as_it_is(client_for, ana, account_a):
    client = client_for(ana)
    url = upload(client, client.get("/acme/inventory/skus/template/").content).headers["Location"]
    assert "Apply 1 row" in client.get(url).content.decode()


def test_an_upload_of_another_account_is_not_there(client_for, olga, cid, account_a, account_b):
    url = upload(client_for(olga), b"SKU,Name\nA,One\n").headers["Location"]
    for other in (url.replace("/acme/", "/bolt/"), url):
        assert client_for(cid).get(other).status_code == 404
        assert client_for(cid).post(other).status_code == 404
    with account_context(account_b):
        assert not AuditEntry.objects.filter(kind="sku").exists()


# --- the style of cards -----------------------------------------------------------------------------------------------
def test_the_names_of_columns_are_only_ever_text(client_for, ben):
    answer = client_for(ben).get(
        "/appearance/cards.css", {"2": 'A"} body { display: none } </style>', "x": "B", "-1": "C", "3": "Größe 2"}
    )
    assert answer["Content-Type"] == "text/css; charset=utf-8"
    rules = answer.content.decode().splitlines()
    assert len(rules) == 2
    assert 'td:nth-child(2)::before { content: "A\\000022\\00007d body' in rules[0]
    assert not {"<", ">", "}"} & set(rules[0].split('content: "')[1].removesuffix('" }'))
    assert rules[1].endswith('{ content: "Größe 2" }')
