"""The keys of apps: making them, rotating and revoking them on demand, and doing what time brings.

Owns when a change of keys is written, by whom and with which new key; the rules themselves are in
``authsvc.signing.lifecycle``. Must not know the wire, tokens or accounts.
"""
