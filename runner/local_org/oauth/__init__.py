"""Who may ask: sessions, refresh tokens, codes, apps; the rules without the wire."""
