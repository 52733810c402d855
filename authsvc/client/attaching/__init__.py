"""The user's token on the calls of any channel: attached, and renewed once where the peer answers that it has expired.

Owns the interceptors for channels of both kinds. Must not know where tokens come from: it asks a manager.
"""
