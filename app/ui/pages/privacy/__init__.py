"""The privacy page: the switch, the network ledger, and what is kept on this computer."""
