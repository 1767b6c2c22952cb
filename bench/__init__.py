"""Side-by-side measurements of Poise and its peers; ``python3 -m bench --help`` says how."""
