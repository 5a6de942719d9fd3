"""A demo engine for machines without Ollama: a faithful double of Ollama, and a small OpenAI-compatible cloud.

No model runs here. Every answer says so.
"""
