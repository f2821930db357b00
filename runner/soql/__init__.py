"""SOQL's grammar: from the text of a query to its parts, or to the place where it is wrong.

Pure, and the same for both sides of the wire: jobs are checked with it before anything is sent, and
the local org reads requests with it. Salesforce's own parser judges it in the contract tests. Knows
no org: objects and fields may not exist.
"""
