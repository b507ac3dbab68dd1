"""What agents and tools were before: every change, who made it and why, and the way back."""
