"""Rightsize's edge to Open WebUI: everything here talks to it, and `host` alone imports it."""
