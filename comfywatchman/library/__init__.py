"""The library: model files under all roots of this installation."""
