"""Says how late a process that does nothing else is woken on this machine: what is no fault of ours.

python idleticker.py     until stdin closes, then [[when, seconds late] …] above 5 ms as JSON, by the clock of
                         `time.perf_counter`, which Linux has one of for all processes
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
    over = time.perf_counter() - begun - 0.002
    if over > 0.005:
        late.append((begun, over))
print(json.dumps(late))  # noqa: T201 - its answer
