"""The demonstration: a small hub on loopback, tiny models, and the story `comfywatchman demo` tells.

shelf        what the stand-in hub offers, as values
wire         HTTP: requests, answers, routes, origins
civitai      speaks as CivitAI does; civitai_search lists and ranks, civitai_json has the shapes
huggingface  speaks as Hugging Face does; huggingface_json has the shapes
delivery     the second host: holds the bytes behind signed addresses
standin      the three origins together
models       tiny, well-formed weight files
story        the acts, the stage and the ending;  scene has the graph
"""
