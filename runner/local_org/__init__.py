"""An embedded Salesforce org. It imports nothing else of the package."""
