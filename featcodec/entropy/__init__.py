"""Entropy coding: integer tables, rANS, symbols sorted by table, integer side information."""
