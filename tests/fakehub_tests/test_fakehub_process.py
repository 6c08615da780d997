"""The test server as a process of its own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

TESTS = Path(__file__).resolve().parents[1]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to end a process gently")
def test_process():
    """It prints its addresses, answers on them, and at SIGTERM ends with status 0 and what it has seen."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])}
    command = [sys.executable, "-m", "fakehub.server", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            urls = json.loads(process.stdout.readline())
            found = requests.get(f"{urls['civitai']}/api/v1/models?query=ink", timeout=5).json()
            assert [item["name"] for item in found["items"]] == ["Ink Wash"]
            path = "/Comfy-Org/lighthouse/resolve/main/vae/lamp.safetensors"
            assert requests.get(urls["huggingface"] + path, timeout=5).content == b"lamp" * 1000
        finally:
            process.send_signal(signal.SIGTERM)
        told = json.loads(process.stdout.readline())
        assert process.wait(timeout=10) == 0
    assert told["requests"] == {"civitai.models": 1, "huggingface.resolve": 1, "delivery.bytes": 1}
