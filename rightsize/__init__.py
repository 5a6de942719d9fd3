"""Rightsize's core: from a chat request to a decision, with no I/O and no Open WebUI import.

request -> signals -> constraints -> choice -> decision with reasons
"""
