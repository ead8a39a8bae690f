"""What several rooms of tests share: tiny models, faults, processes."""
