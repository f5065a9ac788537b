"""Local servers that speak the venues' own protocols, over one small exchange, and misbehave on command."""
