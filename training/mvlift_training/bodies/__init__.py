"""How the default bodies are made: a smooth surface round the bones, its skin weights and shapes (extra ``bodies``)."""
