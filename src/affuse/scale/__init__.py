"""From one clip to millions: sources, worker processes, shards, tables, clusters."""
