"""The file around the payloads: sections, index, headers. Standard library only (SPEC §2-§5)."""
