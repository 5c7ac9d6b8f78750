"""Serials from a CSV file: spread over the lines of their SKU, every bad row with its line, column and reason."""

import io
from urllib.parse import urlencode

import pytest

from oms.models import AuditEntry, Sku, Workflow
from oms.tenancy import account_context
from replenishment.models import PlannedSerial, Replenishment
from replenishment.services import planning, serials_csv
from replenishment.services.drafts import LineInput, change_lines
from replenishment.services.lookalikes import look_alikes_of
from tests.factories import make_serialized_sku, make_sku
from tests.replenishment.browsing import answers
from tests.replenishment.factories import generate, line_of, make_replenishment, make_submitted

pytestmark = pytest.mark.django_db


@pytest.fixture
def in_a(account_a):
    with account_context(account_a):
        yield account_a


def parsed(text, schema=serials_csv.SCHEMA):
    return schema.read(io.BytesIO(text.encode()))


def apply(made, *rows):
    file = parsed("SKU,Serial\n" + "\n".join(rows))
    return serials_csv.apply_serials(replenishment_id=made.pk, parsed=file, actor=None)


def planned():
    rows = PlannedSerial.objects.filter(state="planned").order_by("pk")
    return list(rows.values_list("line__position", "serial", "is_generated"))


def test_serials_fill_the_lines_of_their_sku_in_order(in_a):
    one, other = make_serialized_sku(code="ONE"), make_serialized_sku(code="OTHER")
    made = make_replenishment((one, 2), (other, 1), (one, 3))
    planning.add_serials(line_id=line_of(made, 1).pk, serials=["TYPED"], actor=None)
    plan = apply(made, "one,A-1", "OTHER,B-1", "ONE,a-2 ", "ONE,A001")
    assert plan.errors == []
    assert planned() == [
        (1, "TYPED", False),
        (1, "A-1", False),
        (2, "B-1", False),
        (3, "a-2", False),
        (3, "A001", False),
    ]
    assert AuditEntry.objects.filter(action="Serials added").latest("pk").changes["serials"] == [None, 4]


def test_every_bad_row_is_told_and_the_rest_planned(in_a):
    sku, plain, away = make_serialized_sku(code="SER"), make_sku(code="PLAIN"), make_serialized_sku(code="AWAY")
    older, made = make_replenishment((sku, 3)), make_replenishment((sku, 3), (plain, 1))
    generate(older)
    taken = planned()[0][1]
    planning.remove_serials(line_id=line_of(older).pk, planned_ids=None, actor=None)
    planning.add_serials(line_id=line_of(older).pk, serials=["ELSEWHERE"], actor=None)
    rows = [
        "SER,GOOD",
        "NOBODY,X",
        "PLAIN,X",
        "AWAY,X",
        "SER,good",
        f"SER,{taken}",
        "SER,elsewhere",
        f"SER,{'x' * 101}",
    ]
    plan = apply(made, *rows, "SER,", "SER,TWO", "SER,THREE", "SER,FOUR")
    assert [(error.line, error.column) for error in plan.errors] == [
        (3, "SKU"), (4, "SKU"), (5, "SKU"), (6, "Serial"), (7, "Serial"), (8, "Serial"), (9, "Serial"),
        (10, "Serial"), (13, "Serial"),
    ]  # fmt: skip
    words = " ".join(error.message for error in plan.errors)
    for said in (
        "not on the replenishment",
        "In/Out SKUs only",
        "The same serial as in line 2",
        "never used again",
        f"Planned on {older.number}",
        "at most",
        "this one is too many",
    ):
        assert said in words
    assert [serial for _line, serial, _is in planned()] == ["ELSEWHERE", "GOOD", "TWO", "THREE"]
    assert away.code == "AWAY"


def test_a_typed_serial_of_a_removed_or_void_line_is_planned_again_a_generated_one_never(in_a):
    sku, other = make_serialized_sku(code="SER"), make_sku()
    made = make_replenishment((sku, 1), (other, 1), (sku, 1))
    planning.add_serials(line_id=line_of(made, 1).pk, serials=["TYPED"], actor=None)
    generate(made, 3)
    (_typed, (_line, generated, _is)) = planned()
    made.refresh_from_db()
    rest = [LineInput(other.pk, 1, line_id=line_of(made, 2).pk), LineInput(sku.pk, 2)]
    change_lines(replenishment_id=made.pk, version=made.version, lines=rest, actor=None)
    plan = apply(made, "SER,typed", f"SER,{generated.lower()}")
    assert [error.line for error in plan.errors] == [3]
    assert [serial for _line, serial, _is in planned()] == ["typed"]


def test_many_serials_are_planned_by_a_few_statements(in_a, django_assert_max_num_queries):
    sku = make_serialized_sku(code="SER")
    made = make_replenishment(*[(sku, 1_000)] * 10)
    file = parsed("SKU,Serial\n" + "".join(f"SER,S-{number:06}\n" for number in range(10_001)))
    with django_assert_max_num_queries(15):
        plan = serials_csv.apply_serials(replenishment_id=made.pk, parsed=file, actor=None)
    assert (len(plan.serials), len(plan.errors)) == (10_000, 1)
    assert [count for _line, count in plan.by_line] == [1_000] * 10


def test_a_line_of_a_million_has_room_without_being_written_out(in_a):
    made = make_replenishment(*[(make_serialized_sku(code="SER"), 1_000_000)] * 3)
    assert len(apply(made, "SER,A").serials) == 1


# --- the pages --------------------------------------------------------------------------------------------------------
def upload(web, made, text, query=""):
    file = io.BytesIO(text.encode())
    file.name = "serials.csv"
    return web.post(f"/acme/replenishments/{made.pk}/serials/csv/{query}", {"file": file})


def test_the_file_of_a_whole_replenishment(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_serialized_sku(code="SER"), 2))
    url = upload(web, made, "SKU,Serial\nSER,A\nSER,B\nSER,C\n").url
    page = web.get(url).content.decode()
    for words in ("this one is too many", "Apply the 2 good rows", "New serials"):
        assert words in page
    assert "SER,C,4,Serial:" in web.get(f"{url}?errors=1").content.decode()
    for _turn in range(2):
        assert "2 serials are added" in web.post(url, follow=True).content.decode()
    with account_context(account_a):
        assert [serial for _line, serial, _is in planned()] == ["A", "B"]


def test_the_file_of_one_line_needs_no_sku(web, account_a):
    with account_context(account_a):
        sku = make_serialized_sku(code="SER")
        made = make_replenishment((sku, 2), (sku, 2))
        second = line_of(made, 2)
    query = f"?line={second.pk}"
    page = web.get(f"/acme/replenishments/{made.pk}/serials/csv/{query}")
    assert "Upload serials of line 2, SER" in page.content.decode()
    template = web.get(f"/acme/replenishments/{made.pk}/serials/csv/{query}&template=1")
    assert template.content.decode("utf-8-sig").startswith("Serial")
    url = upload(web, made, "Serial\nA\nB\nC\n", query).url
    assert url.endswith(query)
    assert web.post(url).url == f"/acme/replenishments/lines/{second.pk}/serials/"
    with account_context(account_a):
        assert planned() == [(2, "A", False), (2, "B", False)]


def test_the_file_of_a_whole_replenishment_does_not_end_up_on_one_line(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_serialized_sku(code="SER"), 5), (make_serialized_sku(code="OTHER"), 5))
        query = f"?line={line_of(made, 1).pk}"
    url = upload(web, made, "SKU,Serial\nser,A\n,B\nOTHER,C\n,D\n", query).url
    page = web.get(url)
    assert "not the SKU of the line" in page.content.decode()
    assert [question.words for question in page.context["questions"]] == [["line 5, D: OTHER"]], "B is of the line"
    web.post(f"{url}&{urlencode(answers(page.context['questions'], blank='take'))}")
    with account_context(account_a):
        assert planned() == [(1, "A", False), (1, "B", False), (1, "D", False)]


def test_a_line_of_another_replenishment_or_account_is_not_there(web, account_a, account_b):
    with account_context(account_b):
        foreign = line_of(make_replenishment())
    with account_context(account_a):
        made, other = make_replenishment(), line_of(make_replenishment())
    for bad in (foreign.pk, other.pk, 0, "x", "9" * 30, "9" * 5_000, "-1"):
        assert web.get(f"/acme/replenishments/{made.pk}/serials/csv/?line={bad}").status_code == 404
        assert upload(web, made, "Serial\nA\n", f"?line={bad}").status_code == 404


def test_the_sku_of_another_account_is_not_on_it(web, account_a, account_b):
    with account_context(account_b):
        make_serialized_sku(code="FOREIGN")
    with account_context(account_a):
        made = make_replenishment()
    url = upload(web, made, "SKU,Serial\nFOREIGN,A\n").url
    assert "not on the replenishment" in web.get(url).content.decode()


def test_a_workflow_that_changed_is_told(in_a):
    made = make_replenishment((make_serialized_sku(code="SER"), 1))
    Sku.objects.update(workflow=Workflow.OUT)
    assert "In/Out" in apply(made, "SER,A").errors[0].message


def test_a_submitted_one_is_told_on_the_page(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_serialized_sku(code="SER"), 1))
    url = upload(web, made, "SKU,Serial\nSER,A\n").url
    with account_context(account_a):
        Replenishment.objects.update(status="in_transit", submitted_at="2026-01-01T00:00Z")
    assert "already submitted" in web.post(url, follow=True).content.decode()
    with account_context(account_a):
        assert planned() == []
        assert make_submitted()


# --- look-alikes ------------------------------------------------------------------------------------------------------
def test_the_page_of_a_file_names_serials_that_look_like_others_of_their_sku(web, account_a):
    with account_context(account_a):
        one, other = make_serialized_sku(code="ONE"), make_serialized_sku(code="OTHER")
        make_submitted((one, 1))
        made = make_replenishment((one, 5), (other, 5))
        planning.add_serials(line_id=line_of(made, 2).pk, serials=["Lap-1"], actor=None)
    rows = "ONE,SN0000000I\nOTHER,SN0000000I\nOTHER,LAP-I\nONE,ABB\nOTHER,AB8\nONE,AB8\n"
    answer = web.get(upload(web, made, "SKU,Serial\n" + rows).url)
    found = [(pair.serial, pair.other) for pair in answer.context["alike"]]
    assert found == [("SN0000000I", "SN00000001"), ("LAP-I", "Lap-1"), ("AB8", "ABB")]
    page = answer.content.decode()
    assert "These look like others of this SKU: are they typed right?" in page
    assert '<span class="mono">LAP-I</span> looks like <span class="mono">Lap-1</span>' in page


def test_a_file_without_look_alikes_warns_of_none(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_serialized_sku(code="SER"), 2))
    assert "look like others" not in web.get(upload(web, made, "SKU,Serial\nSER,A1\nSER,B2\n").url).content.decode()


def test_look_alikes_of_a_large_file_of_many_skus_are_one_statement(in_a, django_assert_num_queries):
    made = make_replenishment(*[(make_serialized_sku(), 10) for _n in range(20)])
    skus = list(made.lines.values_list("sku_id", flat=True))
    serials = [(sku, f"S{number:03}{tail}") for sku in skus for number in range(10) for tail in ("B", "8")]
    with django_assert_num_queries(1):
        assert len(look_alikes_of(serials)) == 200


def test_what_rows_may_mean_is_asked_by_kind_and_answered_for_all_of_them(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_serialized_sku(code="SER"), 9))
    url = upload(web, made, 'SKU,Serial\nSER,U4-U6\nSER,"A,B"\nSER,C1\nSER,TBD\nSER,V1-V2\n').url
    page = web.get(url)
    text = page.content.decode()
    assert "2 entries look like ranges" in text
    assert "1 entry looks like a list of serials" in text
    assert "Use these answers" in text
    assert "Apply" not in text, "not before each question has an answer"
    assert web.post(url).url == url
    with account_context(account_a):
        assert planned() == [], "and not without the button either"
    some = answers(page.context["questions"], range="proposed", placeholder="leave")
    assert "Apply" not in web.get(url, some).content.decode()
    every = answers(page.context["questions"], range="proposed", placeholder="leave", list="take")
    assert "Apply 4 rows" in web.get(url, every).content.decode()
    assert web.post(f"{url}?{urlencode(every)}").status_code == 302
    with account_context(account_a):
        assert [serial for _line, serial, _is in planned()] == ["U4", "U5", "U6", "A,B", "C1", "V1", "V2"]


def test_an_answer_is_about_the_rows_that_were_shown(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_serialized_sku(code="SER"), 9))
    asked = web.get(upload(web, made, "SKU,Serial\nSER,U4-U6\n").url).context["questions"]
    other = upload(web, made, "SKU,Serial\nSER,U4-U7\n").url
    assert "Apply" not in web.get(other, answers(asked, range="proposed")).content.decode()


def test_what_a_spreadsheet_makes_of_serials_is_told_before_it_is_planned(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_serialized_sku(code="SER"), 20))
    rows = ["8.93901E+18", "10023.0", "8939010102358470000", "#N/A", "N/A", "TBD", "-", "#REF!", '"=""000123"""']
    url = upload(web, made, "SKU,Serial\n" + "".join(f"SER,{row}\n" for row in rows)).url
    page = web.get(url)
    assert {question.code: question.words for question in page.context["questions"]} == {
        "decimal": ["10023.0: 10023"],
        "rounded": ["8939010102358470000"],
        "placeholder": ["N/A", "TBD", "-"],
    }
    assert [error.line for error in page.context["errors"]] == [2, 5, 9]
    assert all("ormat the column as text" in error.message for error in page.context["errors"])
    every = answers(page.context["questions"], decimal="proposed", rounded="take", placeholder="leave")
    web.post(f"{url}?{urlencode(every)}")
    with account_context(account_a):
        assert [serial for _line, serial, _is in planned()] == ["10023", "8939010102358470000", "000123"]


def test_a_job_asks_nothing_and_leaves_out_what_it_would_ask(in_a):
    made = make_replenishment((make_serialized_sku(code="SER"), 3))
    plan = apply(made, "SER,A1", "SER,N/A", "SER,A2")
    assert [error.line for error in plan.errors] == [3]
    assert [serial for _line, serial, _is in planned()] == ["A1", "A2"]


def test_the_sku_of_a_serial_is_named_by_its_barcode(in_a):
    sku = make_serialized_sku(code="SER", gtin="9521234543213", product_id="88302")
    made = make_replenishment((sku, 2))
    apply(made, "09521234543213,A1", "88302,A2")
    assert [serial for _line, serial, _is in planned()] == ["A1", "A2"]
