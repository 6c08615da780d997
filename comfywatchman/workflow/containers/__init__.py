"""Any file ComfyUI saves, down to the workflow text it carries: JSON, images, video, audio, tensors."""

from .embedded import Embedded as Embedded
from .kinds import read_container as read_container
