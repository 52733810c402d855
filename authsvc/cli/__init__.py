"""The ``authsvc`` command: one module per noun, over gRPC but for what works on the store or offline.

Owns what people and programs see on a terminal. Must not decide anything about tokens, apps or accounts: it asks the
service. Importing it loads no gRPC, because a server's process is prepared before gRPC is (authsvc.app.process).
"""
