"""Persistence: the contract (``base``), its backends and their migrations.

Owns transactions, durability and the order of revisions. Must not know policy, the wire or cryptography: it keeps
sealed bytes and digests, and judges nothing beyond what one statement's condition says.
"""

from authsvc.storage.opening import apply_missing, back_up, find_missing, open_store, restore, scrub, store_exists

__all__ = ["apply_missing", "back_up", "find_missing", "open_store", "restore", "scrub", "store_exists"]
