"""The stable address of an instance: an HTTP/1.1-aware proxy in front of its replicas, a tunnel for everything else."""
