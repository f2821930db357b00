"""A plan as text, JSON, Markdown and HTML."""
