"""The token of an end user on the client's side: where it comes from, how long it is used, when the next is fetched.

Owns providers, the rules of refreshing and the two managers that follow them, one for threads and one for an event
loop. Must not know whose channel a token is attached to, nor how a user is connected: that is ``authsvc.client.user``.
"""
