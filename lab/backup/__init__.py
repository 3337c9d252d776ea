"""AWS Backup's jobs: made by the deployed plans at their times, copied to other vaults."""
