"""The HTTP face: routes for a page, mounted in ComfyUI's server or in our own. Owner of aiohttp."""
