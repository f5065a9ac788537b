"""Owns the argument types of compiled functions.

They are declared so that one version is compiled, once, and kept in Numba's cache. Read-only arrays are accepted:
that is how stored bars arrive.
"""

from numba import float64, int64, types

series = types.Array(float64, 1, "C", readonly=True)
stamps = types.Array(int64, 1, "C", readonly=True)

# Results are rows of one array that the caller makes: NumPy asks for huge pages, Numba's allocator does not, and on
# a million bars the page faults would cost more than the arithmetic.
rows = float64[:, ::1]
row = float64[::1]
