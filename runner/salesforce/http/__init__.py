"""HTTP: transport, messages, hosts, retries and error bodies."""
