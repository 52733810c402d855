"""One end user, connected: who that is, how a connection is made and ended, and one client a user in a process.

Owns ``UserClient`` and its awaited half, and the rules they share. Tokens are the manager's, calls the channel's.
"""
