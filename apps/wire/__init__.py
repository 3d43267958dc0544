"""The way of a request to AWS and of its answer back: signing, HTTP/1.1, TLS, sockets.

Knows nothing of agents, of Django or of the rest of Loom.
"""
