"""What runs say of themselves to others: their log and its events as plain objects."""
