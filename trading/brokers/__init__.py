"""Where orders go. Each broker is a module; what it promises is written down in docs/trading.md."""
