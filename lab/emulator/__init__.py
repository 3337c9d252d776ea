"""The AWS emulator, wrapped in process: its gaps are mended here, one file a service or a mend."""
