"""The token store: token files, encryption and the keyring."""
