"""The main job through the pages, as an operator does it: a replenishment to Ready units in the sandbox warehouse."""

import re
import time
from html import unescape

import httpx

from oms import demo

READY_SECONDS = 60.0
QUANTITY = 3
SKU = "L2201308"
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


class ChainBroken(Exception):
    """A step of the chain did not do what it should; the message says which, and what was seen."""


def replenishment_becomes_ready(url: str) -> str:
    """Olga adds a replenishment, generates serials and submits it; the sandbox receives it; its units are Ready.

    Raises ChainBroken where a page refuses or the units are not Ready, exactly as many as planned, in time.
    """
    with httpx.Client(base_url=url, follow_redirects=True, timeout=30, headers={"Referer": url}) as client:
        person = next(person for person in demo.PEOPLE if person.role == "Operator")
        _post(client, "/sign-in/", "/sign-in/", {"username": person.email, "password": demo.PASSWORD})
        home = f"/{person.accounts[0]}/replenishments/"
        number, detail = _insert(client, home)
        lines = re.findall(r'name="line"[^>]*?value="(\d+)"|value="(\d+)"[^>]*?name="line"', client.get(detail).text)
        _post(client, detail, f"{detail}generate/", {"line": ["".join(pair) for pair in lines]})
        serials = _planned(client, detail)
        _post(client, f"{detail}submit/", f"{detail}submit/", {})
        grid = f"/{person.accounts[0]}/inventory/serials/"
        seconds = _wait_until_ready(client, grid, number, serials)
    return f"{number}: {len(serials)} units Ready after {seconds:.1f} s"


def _insert(client: httpx.Client, home: str) -> tuple[str, str]:
    """Add Replenishment, Insert; its number and the address of its page."""
    page = client.get(f"{home}new/").text
    option = re.search(rf'<option value="(\d+)"[^>]*>\s*{re.escape(demo.WAREHOUSE)}', page)
    if option is None:
        raise ChainBroken(f"Add Replenishment does not offer the warehouse {demo.WAREHOUSE}")
    form = {
        "link": option[1],
        "lines-TOTAL_FORMS": "1",
        "lines-INITIAL_FORMS": "0",
        "lines-0-sku": SKU,
        "lines-0-quantity": str(QUANTITY),
    }
    told = _post(client, f"{home}new/", f"{home}new/", form)
    number = re.search(r"R-\d+", told.text)
    if number is None or told.url.path.endswith("/new/"):
        raise ChainBroken(f"Insert did not lead to a replenishment but to {told.url.path}")
    return number[0], told.url.path


def _planned(client: httpx.Client, detail: str) -> set[str]:
    """The serials of the download of all serials."""
    file = client.get(f"{detail}serials/download/")
    serials = {line.split(",")[1] for line in file.text.lstrip("\ufeff").splitlines()[1:]}
    if len(serials) != QUANTITY:
        raise ChainBroken(f"Generate Serials made {len(serials)} serials instead of {QUANTITY}")
    return serials


def _wait_until_ready(client: httpx.Client, grid: str, number: str, serials: set[str]) -> float:
    """Look at the Serials page until exactly these units are Ready; the seconds that it took."""
    started = time.monotonic()
    while True:
        file = client.get(grid, params={"process_id": number, "format": "csv"}).text
        rows = [line for line in file.lstrip("\ufeff").splitlines()[1:] if line]
        ready = {serial for serial in serials for row in rows if f",{serial}," in row and ",Ready," in row}
        if ready == serials and len(rows) == len(serials):
            return time.monotonic() - started
        if time.monotonic() - started > READY_SECONDS:
            raise ChainBroken(
                f"{number}: {len(ready)} of {len(serials)} units Ready after {READY_SECONDS:.0f} s: {rows}"
            )
        time.sleep(0.3)


def _post(client: httpx.Client, form_at: str, to: str, fields: dict[str, str | list[str]]) -> httpx.Response:
    """Send a page's form as a browser does, with its hidden fields. Raises ChainBroken where the answer is an error."""
    hidden = {name: unescape(value) for name, value in HIDDEN.findall(client.get(form_at).text)}
    told = client.post(to, data={**hidden, **fields})
    if told.status_code >= httpx.codes.BAD_REQUEST:
        alerts = " ".join(re.findall(r'role="alert".*?</div>', told.text, re.DOTALL))
        words = re.sub(r"<[^>]+>|\s+", " ", alerts)
        raise ChainBroken(f"{to} answered {told.status_code}: {words[:300]}")
    return told
