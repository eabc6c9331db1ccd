"""`scrub.py LOG FOLDER TARGET`: an event log without what tells of the machine, compressed as Spark does it."""

import json
import re
import sys
from pathlib import Path

import zstandard

log, folder, target = sys.argv[1:]
script = str(Path(__file__).resolve().parent)
lines = []
for line in Path(log).read_text().splitlines():
    line = line.replace(folder, "/home/ann/shop").replace(script, "/home/ann/shop")
    line = re.sub(r'"Host":"[^"]*"', '"Host":"localhost"', line)
    line = re.sub(r"/[\w./-]*/(?:site-packages|python[\d.]+)/", "/usr/lib/python3/", line)
    try:
        event = json.loads(line)
    except json.JSONDecodeError:
        lines.append(line)  # the cut one of a killed application
        continue
    if event["Event"] == "SparkListenerEnvironmentUpdate":
        settings = event["Spark Properties"]
        kept = {
            name: settings[name]
            for name in settings
            if name.startswith(("spark.sql", "spark.master", "spark.app"))
        }
        event = {"Event": event["Event"], "JVM Information": {}, "Spark Properties": kept}
    if "Properties" in event:
        kept = ("spark.sql.execution.id", "spark.job.description", "callSite.short")
        event["Properties"] = {
            name: event["Properties"][name] for name in kept if name in event["Properties"]
        }
    if "User" in event:
        event["User"] = "ann"
    event.pop("physicalPlanDescription", None)
    lines.append(json.dumps(event, separators=(",", ":")))
text = "\n".join(lines) + ("" if line is lines[-1] else "\n")
Path(target).write_bytes(zstandard.ZstdCompressor(level=19).compress(text.encode()))
