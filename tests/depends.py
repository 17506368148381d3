#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What examples/05_pipeline must print for FILE, REPEAT times, the TOP most: computed another way."""
import collections
import re
import sys

path, repeat, top = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
text = open(path, encoding="utf-8", errors="surrogateescape").read()
stanzas = [s for s in re.split(r"\n\n+", text) if s.strip("\n")]
count = collections.Counter()
for s in stanzas:
    unfolded = re.sub(r"\n[ \t]", " ", s.lstrip("\n"))
    for line in unfolded.split("\n"):
        if line.lower().startswith("depends:"):
            for part in re.split(r"[,|]", line[len("depends:"):]):
                name = re.match(r"[^\s(:\[<]+", part.strip())
                if name:
                    count[name.group(0)] += repeat
            break
print(f"{len(stanzas) * repeat} stanzas, {len(count)} packages depended on; the most:")
for name, n in sorted(count.items(), key=lambda kv: (-kv[1], kv[0].encode()))[:top]:
    print(f"{n:8d} {name}")
