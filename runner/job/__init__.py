"""The declared job: text, positions, schema, typed model; binds; secret references."""
