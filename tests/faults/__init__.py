"""What happens when things break: kills at every boundary, a control, and a soak."""
