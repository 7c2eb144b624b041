"""The pure core: what each actor decides, as functions of its state, the facts that came, and the time."""
