"""About how many bits a group takes, from histograms of a sample: no coder is fitted.

That orders layouts and groupings as their files do, in a tenth of the time that a race takes.
"""
