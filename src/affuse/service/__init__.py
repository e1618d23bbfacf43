"""Answers over a network: jobs, live sessions, a client, tools for assistants, and the page."""
