"""What rules read: a ledger independent of the state they judge, one turn, and the requirements of an attempt."""
