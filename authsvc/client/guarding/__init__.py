"""Users' tokens on the calls of somebody's own gRPC service: who may call what, and how a call is refused.

Owns the rules of methods and the verified token of the call that is being served. Must not know how a token is
checked: that is a verifier's. ``rules``, ``demands`` and ``refusing`` are shared by threads and tasks.
"""
