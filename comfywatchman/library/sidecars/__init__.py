"""Small files beside a model file that other programs write: one module a dialect, read only."""
