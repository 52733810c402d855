"""What a worker decides from, in memory: apps, keys, accounts and revocations, and the feed that moves it.

``view`` owns the reading side and knows no storage, so that verifiers outside the server can hold one too.
``feed`` owns the moving side: it loads the store's state, opens sealed keys and follows commits.
"""
