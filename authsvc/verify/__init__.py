"""Is this token good? Each layer of the check under its own name, the order of them in ``verifier``.

Owns what the claims of a token must look like, time, revocation and the questions a caller may ask. Must not know
storage or the wire: it decides from a trust view, so the server and verifiers elsewhere reach the same verdict.
"""
