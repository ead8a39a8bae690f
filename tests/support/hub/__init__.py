"""A Hub on loopback: repositories, the API over them, and the servers that hand out their files."""
