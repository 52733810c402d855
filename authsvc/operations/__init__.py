"""What operators do to a running process: so far, how much it logs.

Owns the rules of these requests. Must not know the wire, and nothing of tokens, accounts or apps.
"""
