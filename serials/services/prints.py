"""What is written about labels: the ledger of prints, and how an account prints."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from io import BytesIO

from django.core.files.uploadedfile import UploadedFile
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from PIL import Image, UnidentifiedImageError

from oms import files
from oms.errors import DomainError
from oms.models import Person
from oms.services.audit import record
from oms.tenancy import current_account_id
from serials.labels import LabelRun, Symbology
from serials.models import LabelPrint, LabelSetting, LabelShift
from serials.numbering import normalise
from serials.queries.prints import Choice, label_setting, shifts
from serials.services.locks import lock_account

LOGO_BYTES = 1024 * 1024
LOGO_PIXELS = 4_000
LOGO_SIZE = (600, 360)
"""A stored logo is not larger: 1 inch at the 600 dpi of the finest printers."""

Printed = tuple[int, str, int]
"""SKU's id, serial as typed, bin's id."""

INSERT = """
INSERT INTO serials_printedlabel (account_id, of_print_id, sku_id, serial_key, bin_id)
SELECT %s, %s, sku_id, serial_key, bin_id
FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) AS printed (sku_id, serial_key, bin_id)
"""


def record_print(
    *, run: LabelRun, choice: Choice, printed: Sequence[Printed], reprints: int, person: Person | None
) -> LabelPrint:
    """Write into the ledger what was printed; two statements, however many labels."""
    made: LabelPrint = LabelPrint.objects.create(
        title=run.title[:200],
        **{key: value for key, value in choice.params.items() if key != "start"},
        count=len(printed),
        reprints=reprints,
        person=person,
        printed_at=timezone.now(),
    )
    if run.items is not None:
        skus, serials, bins = zip(*printed, strict=True)
        # A bin is known by its id; its name may be longer, once normalised, than any serial.
        keys = ["" if place else normalise(serial) for serial, place in zip(serials, bins, strict=True)]
        with connection.cursor() as cursor:
            cursor.execute(INSERT, [current_account_id(), made.pk, list(skus), keys, list(bins)])
    return made


@transaction.atomic
def save_label_setting(
    *,
    sheet: str,
    symbology: Symbology,
    resolver: str,
    offsets: Mapping[str, tuple[Decimal, Decimal]],
    actor: Person,
    logo: bytes = b"",
    is_logo_removed: bool = False,
) -> None:
    """Save how the account prints labels; `offsets` is sheet → mm to the right and down, `logo` of `checked_logo`."""
    lock_account()  # two first saves would both make the row
    found = label_setting()
    before = _said(found, shifts())
    found.sheet, found.symbology, found.resolver = sheet, symbology, resolver
    if logo or is_logo_removed:
        found.logo = files.store("logo.png", "image/png", [logo]) if logo else None
    found.save()
    for name, (right, down) in offsets.items():
        LabelShift.objects.update_or_create(sheet=name, defaults={"right": right, "down": down})
    after = _said(found, shifts())
    changes = {name: (before[name], after[name]) for name in after if before[name] != after[name]}
    if changes:
        record(actor=actor, action="change", kind="labels", object_id=found.pk, label=_("Labels"), changes=changes)


def _said(setting: LabelSetting, moved: Mapping[str, LabelShift]) -> dict[str, str]:
    """The settings in words, for the audit log."""
    return {
        "sheet": setting.sheet,
        "symbology": setting.symbology,
        "resolver": setting.resolver,
        "logo": str(setting.logo.key) if setting.logo else "",
        "offsets": "; ".join(str(shift) for shift in moved.values() if shift.right or shift.down),
    }


def checked_logo(upload: "UploadedFile[bytes]") -> bytes:
    """An uploaded picture as a small PNG of ours. Raises DomainError for what is no PNG or JPEG, or too large.

    The picture is drawn anew, so that nothing else that the file held comes into the store or into labels.
    """
    if (upload.size or 0) > LOGO_BYTES:
        raise DomainError(_("The logo has more than 1 MB: make it smaller."))
    try:
        with Image.open(BytesIO(upload.read()), formats=("PNG", "JPEG")) as picture:
            if max(picture.size) > LOGO_PIXELS:
                raise _too_many_pixels()
            picture.thumbnail(LOGO_SIZE)
            with_alpha = picture.convert("RGBA")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # of what the header says, unread
        raise _too_many_pixels() from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DomainError(_("This is not a PNG or JPEG picture.")) from error
    # On white: label printers know no transparency.
    white = Image.new("RGBA", with_alpha.size, "white")
    white.alpha_composite(with_alpha)
    out = BytesIO()
    white.convert("RGB").save(out, "PNG", optimize=True)
    return out.getvalue()


def _too_many_pixels() -> DomainError:
    return DomainError(_("The logo has more than %(most)s pixels on a side: make it smaller.") % {"most": LOGO_PIXELS})
