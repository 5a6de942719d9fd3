"""Doubles of local engines' servers: llama.cpp's, LM Studio's and vLLM's.

Their lists are in `data`. llama.cpp's were recorded from its server (build b1-86a2835, paths changed, the chat template
shortened); the others' are made after their documentation. They refuse what the real ones refuse, in the same words.
"""
