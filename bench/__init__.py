"""What `make bench` runs: the service against a bare echo on the same kind of server, in the same run."""
