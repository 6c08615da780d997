"""Says how late a process that does nothing else is woken on this machine: what is no fault of ours.

python idleticker.py     until stdin closes, then the greatest delays in seconds as JSON
"""

import json
import sys
import threading
import time

ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
late = []
while not ended.is_set():
    begun = time.perf_counter()
    time.sleep(0.002)
    late.append(time.perf_counter() - begun - 0.002)
print(json.dumps(sorted(late)[-5:]))  # noqa: T201 - its answer
