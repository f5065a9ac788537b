"""Everything goes wrong, by seeds: ``make faults`` runs thousands of short scenarios, the suite a sample of them."""
