"""Control: the one door to the system. Every command and query there is, each with its permission."""
