"""The command line: talks to a server through its client, never to the engine."""
