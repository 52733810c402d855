"""Who calls us: service accounts, their credentials, and the way from a credential to a principal.

Owns the credential's form, its comparison and the life of accounts. Must not know tokens of end users or the wire.
"""
