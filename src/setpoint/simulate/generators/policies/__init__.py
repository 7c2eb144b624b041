"""How policies are configured: each module generates one kind of gate or setting, and what becomes of it during the run."""
