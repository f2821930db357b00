"""Sign-in at Salesforce: OAuth, token refresh, identity."""
