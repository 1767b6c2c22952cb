"""What is tried with a learner's program, from the simple to the hard. A case ends, or raises Unmet."""
