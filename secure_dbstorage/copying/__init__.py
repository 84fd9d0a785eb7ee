"""Files between storages: into ours, out of it, and from other packages' tables."""
