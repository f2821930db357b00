"""Sheets of workbooks as rows of text, one module per file format."""
