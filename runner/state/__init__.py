"""What outlives a run: tokens, ledger, lock, atomic files."""
