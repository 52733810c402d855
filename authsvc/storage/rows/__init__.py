"""Records as rows of columns and back, the same for every backend: one place per table.

Moments and lifetimes are integer microseconds, switches are truth values (an engine without them keeps 0 and 1), what
no statement looks into is JSON text. Must not know any engine, nor its SQL.
"""
