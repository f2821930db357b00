"""An embedded Salesforce org; a world of its own: imports nothing of the rest of the package."""
