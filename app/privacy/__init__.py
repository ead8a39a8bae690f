"""The gate that every outgoing request passes, its policy, and the ledger's vocabulary."""
