"""A real engine for a machine without Ollama: llama.cpp's server and two models, fetched, verified and started."""
