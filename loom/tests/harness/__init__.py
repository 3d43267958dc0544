"""The harness of the tests: parts, budgets of computing, what they leave behind."""
