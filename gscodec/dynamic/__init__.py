"""(12) The dynamic profile: files whose splats change with time, read, written and looked at.

`TimelineReader` turns bytes into events, `FileWriter` and `StreamWriter` turn payloads into bytes, `Scene`
shows a file at a time. Payloads of chunks and motion are opaque to all but `shown`.
"""
