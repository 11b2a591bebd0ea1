"""What runs when nobody waits: durable workflows, each calling an action."""
