"""What an operation does and who must agree to it: judged by rules, then, where wanted, by the configured model."""
