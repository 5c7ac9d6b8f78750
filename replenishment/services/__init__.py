"""Writes of replenishments: plan, submit, receive, end.

All of them lock in one order, so that nobody waits in a circle: discrepancies by their ids, the document, its receipt,
its SKUs (shared), units by their ids, lots by their ids, bins, places by (SKU, bin, lot). Who needs one that comes
earlier does not wait for it (`skip_locked`). Lots are locked without their keys (`serials.services.lots.hold_lots`): a
unit that names one asks for its key at the very end, when it has everything else.
"""
