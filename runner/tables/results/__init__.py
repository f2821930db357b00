"""Row results: what happened to each row, written beside the source columns."""
