"""OAuth's rules without HTTP: apps, codes, approvals, refresh tokens, sessions."""
