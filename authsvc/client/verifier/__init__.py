"""Checking tokens where they are used, without a call for each.

A verifier follows ``TrustService`` and judges tokens by the rules that the service itself has (``authsvc.verify``).
Owns what follows, how old that may be, and what is remembered. ``trusted``, ``age``, ``judging`` and ``asking`` do no
input or output: threads and tasks share them.
"""
