"""Codecs and readers for stores, data sets and engines; each module needs the package it is for."""
