"""Exercises: programs that a learner writes, and a checker that runs them against a real kernel and explains what fails."""
