"""The stream process: one connection to each enabled venue, bars built from what it says, stored and published.

``service`` follows the venues that are switched on, ``connection`` hears one venue, ``recorder`` writes and publishes for all.
"""
