"""The frozen folder as people get it. `make test-package` runs these; `make test` does not collect them."""
