"""What the client tests stand on: the binary as a process, grpcurl, the seeds."""
