"""A small real warehouse system to try Lotline with: a server of its own, with its own state and its own count.

    python -m channels_sync.sandbox --port 8055 --state DIR [--delay 3]

The token is LOTLINE_SANDBOX_TOKEN, or the text in DIR/token, which is made where there is none. Nothing here imports
anything of Lotline outside this folder, so what it counts is evidence.
"""
