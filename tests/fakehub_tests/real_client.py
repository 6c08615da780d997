"""Drives the real huggingface_hub against HF_ENDPOINT and prints what it saw; run as a process of its own."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_download, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError

REPO = "Comfy-Org/lighthouse"
GATED = "black-forest-labs/gated"


def refused(call: Callable[[], Any]) -> str:
    """The name of the error a call ends with."""
    try:
        call()
    except HfHubHTTPError as fault:
        return type(fault).__name__
    return "nothing"


def main(cache: str, token: str) -> dict[str, Any]:
    """Everything the project will ever ask the client for."""
    api = HfApi(token=False)
    info = api.model_info(REPO, files_metadata=True)
    large = get_hf_file_metadata(hf_hub_url(REPO, "vae/lamp.safetensors"), token=False)
    gated = hf_hub_url(GATED, "g.safetensors")
    small = get_hf_file_metadata(hf_hub_url(REPO, "README.md"), token=False)

    def download(repo: str, path: str, **options: Any) -> Path:
        return Path(hf_hub_download(repo, path, cache_dir=cache, **options))

    return {
        "listed": [
            [model.id, [sibling.rfilename for sibling in model.siblings or ()]]
            for model in api.list_models(author="Comfy-Org", expand=["siblings", "sha"], limit=2)
        ],
        "paged": len(list(api.list_models(search="PAGE"))),
        "searched": [model.id for model in api.list_models(search="LIGHT", full=True)],
        "info": [
            info.sha,
            info.gated,
            [[one.rfilename, one.size, one.lfs and one.lfs.sha256] for one in info.siblings or ()],
        ],
        "old": [one.rfilename for one in api.model_info(REPO, revision=sys.argv[3]).siblings or ()],
        "paths": [one.path for one in api.get_paths_info(REPO, ["vae/lamp.safetensors", "missing", "vae"])],
        "tree": sorted(one.path for one in api.list_repo_tree(REPO, recursive=True, expand=True)),
        "large": [large.commit_hash, large.etag, large.size],
        "small": [small.commit_hash, small.etag, small.size],
        "bytes": [
            download(REPO, name, token=False).read_bytes().decode()
            for name in ("vae/lamp.safetensors", "README.md")
        ],
        "gated_info": api.model_info(GATED).gated,
        "granted": download(GATED, "g.safetensors", token=token).read_bytes().decode(),
        "whoami": HfApi(token=token).whoami()["name"],
        "refusals": {
            "gated": refused(lambda: get_hf_file_metadata(gated, token=False)),
            "ungranted": refused(lambda: get_hf_file_metadata(gated, token="token-of-stranger")),
            "auth-check": refused(lambda: api.auth_check(GATED)),
            "repo": refused(lambda: api.model_info("nobody/nothing")),
            "private": refused(lambda: api.model_info("Comfy-Org/private")),
            "signed-in": refused(lambda: api.model_info("nobody/nothing", token=token)),
            "revision": refused(lambda: api.model_info(REPO, revision="nope")),
            "entry": refused(lambda: download(REPO, "nope.safetensors", token=False)),
            "disabled": refused(lambda: api.model_info("Comfy-Org/disabled")),
            "bad-token": refused(lambda: api.model_info(REPO, token="bad")),
            "rate": refused(
                lambda: get_hf_file_metadata(hf_hub_url("Comfy-Org/busy", "x.gguf"), token=False)
            ),
        },
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], sys.argv[2])))
