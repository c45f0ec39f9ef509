"""Labelled sets: what models are asked, and the right answers, which never leave this process."""
