"""Replicas of one instance: which to start and stop, their health, and the sockets in front of them."""
