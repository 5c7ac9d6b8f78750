"""QR code (ISO/IEC 18004), error correction level M."""

import segno
from django.utils.translation import gettext as _

from oms.errors import DomainError
from serials.labels.matrix import Matrix, from_rows

QUIET = 4


def encode(text: str) -> Matrix:
    """The symbol of a text, capital letters and digits compactly, else as UTF-8. Raises DomainError if too long."""
    try:
        made = segno.make_qr(text, error="m", boost_error=False, encoding="utf-8")
    except segno.DataOverflowError as error:
        raise DomainError(_("“%(text)s” is too long for a QR code.") % {"text": text}) from error
    return from_rows(made.matrix, QUIET)
