"""The command line: click commands, loaded one at a time."""

INTERRUPTED, TERMINATED = 130, 143  # exit statuses
