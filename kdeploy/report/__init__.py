"""The report and its renderers: pure functions from events and the report to text."""
