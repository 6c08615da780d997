"""The command line: reads input, calls one verb, shows the answer."""
