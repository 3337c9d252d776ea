"""The lab's provider: an executable Pulumi plugin ``pulumi-resource-aws`` that carries resources of
pulumi-aws 7.51.1 to an AWS emulator on this machine with boto3, and nowhere else."""
