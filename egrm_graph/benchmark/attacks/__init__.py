"""Attacks on a judge: text around a losing candidate that should make it win, and how often it succeeds."""
