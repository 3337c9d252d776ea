"""AWS on a laptop: engine, provider, emulator, database, DNS. It knows Pulumi's protocols and
AWS's APIs, and nothing of the system that is deployed into it."""
