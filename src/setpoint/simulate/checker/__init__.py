"""What checks a world after every turn: a ledger of its own, one turn as the rules see it, and the requirements of an attempt."""
