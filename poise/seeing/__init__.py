"""What is the loop doing? Looks at everything below from outside, with threads of its own."""
