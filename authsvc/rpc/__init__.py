"""The gRPC surface: the only server code that knows gRPC.

Owns the way of a call from the wire to a use case and back: the interceptor chain, the access table, the table from
errors to status codes, conversion, health and reflection. Must not decide anything about tokens, apps or accounts.
"""
