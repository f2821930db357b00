"""What a run did, and the runs of a job, as pages."""
