"""The metadata of a Salesforce DX project: its files, what is declared in them, and where.

Knows the types and elements of the Metadata API. Knows no org, no describe and no job.
"""
