"""The administration of apps: making them with their first key, changing their settings, suspending them.

Owns what a setting may be and what an app remembers of its past. Must not know the wire, tokens or accounts.
"""
