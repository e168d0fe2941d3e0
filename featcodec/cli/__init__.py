"""The command line: click commands, loaded one at a time."""
