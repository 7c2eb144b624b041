"""The server: HTTP and server-sent events over control, and the client that the command line uses."""
