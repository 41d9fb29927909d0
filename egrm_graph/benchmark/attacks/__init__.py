"""Attacks on a judge: text around a losing candidate that is to make it win, and how often that succeeds."""
