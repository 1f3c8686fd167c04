"""How big is a derivative? Symbolic differentiation against automatic, counted with one counter."""
