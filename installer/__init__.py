"""Puts Rightsize into an Open WebUI through its API, and starts one to try it in."""
