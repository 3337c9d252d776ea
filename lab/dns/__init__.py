"""Route 53 on a laptop: health checks that probe, a DNS server that answers, a front door."""
