"""Owns the proofs that stand before a deployment: no look ahead, no memory, the history it declares. See docs/proofs.md.

Pure. ``prove`` asks a strategy, as any callable from bars to decisions, many small questions and compares the answers;
``subjects`` makes such a callable of a strategy of ours or of a file in the sandbox.
"""

from strategies.proving.decisions import Intents
from strategies.proving.history import warm_up
from strategies.proving.proof import prove
from strategies.proving.verdict import Verdict

__all__ = ["Intents", "Verdict", "prove", "warm_up"]
