"""The use cases of the product: issue, refresh, validate; one file each.

Owns what a caller may ask for, what a token of ours says, and the whole table of refresh. Must not know the wire: it
takes requests as values and answers with values.
"""
