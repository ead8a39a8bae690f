"""Small things every room stands on: errors, paths, log, ids, clock, sizes."""
