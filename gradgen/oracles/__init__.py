"""Is an emitted gradient right? Independent oracles, each reported by itself."""
