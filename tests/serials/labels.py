"""Labels to print in tests, and what a reader of one must say."""

from datetime import date
from io import BytesIO

from PIL import Image

from serials.labels import Label

GTIN, LOT, EXPIRY = "9506000134352", "LOT77", date(2026, 12, 31)


def some(count, **more):
    facts = {"gtin": GTIN, "lot": LOT, "expires_on": EXPIRY, **more}
    return [Label("L2201308", "Laptop 14", f"LAP{number:08}", **facts) for number in range(count)]


def expected(label, symbology):
    if not symbology.is_gs1:
        return label.serial
    return {"01": GTIN.zfill(14), "17": "261231", "10": LOT, "21": label.serial}


def a_logo(size=(300, 150), colour="black"):
    out = BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()
