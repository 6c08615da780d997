"""comfywatchman: the models a ComfyUI workflow needs, verified and in their folders."""

__version__ = "0.1.0"
