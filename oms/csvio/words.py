"""What the columns of packing lists, price lists and exports are called, once for every file that has them.

Case, spaces, dashes, underscores and signs never matter: "Serial No." and "serial_no" are one word (`cleaning.plain`).
"""

SKU = (
    *("Item", "Item no", "Item number", "Item code", "Part", "Part no", "Part number", "Article", "Article no"),
    *("Article number", "Product code", "Material", "Material number", "Stock code"),
)
SERIAL = ("Serials", "Serial no", "Serial nos", "Serial number", "Serial numbers", "SN", "SNs", "S No")
QUANTITY = ("Qty", "Pcs", "Pieces", "Quantity shipped", "Qty shipped", "Shipped qty", "Order qty")
LOT = ("Lot no", "Lot number", "Lot code", "Batch", "Batch no", "Batch number", "Batch code")
EXPIRY = (
    *("Expires", "Expires on", "Exp", "Exp date", "Expiry date", "Expiration", "Expiration date", "Lot expiry"),
    *("Best before", "Best before date", "BBD", "Use by", "Use by date"),
)
GTIN = ("UPC", "EAN", "EAN code", "Barcode", "GTIN14", "UPC code")
LOT_QUANTITY = ("Lot qty", "Batch qty", "Batch quantity")
FIRST = (
    *("From serial", "Serial from", "From SN", "SN from", "First", "First serial", "First SN", "Serial first"),
    *("Start", "Start serial", "Serial start", "Range start"),
)
LAST = (
    *("To serial", "Serial to", "To SN", "SN to", "Last", "Last serial", "Last SN", "Serial last"),
    *("End", "End serial", "Serial end", "Range end"),
)
