#!/usr/bin/env python3
"""What both listeners answer, held against their own /openapi.json, by Schemathesis. Started by Tests/Interoperability/run.

No server error, and no status, content type, header or body that is not described. CURFEW_EXAMPLES cases a call (60), from CURFEW_SEED (1).
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import requests
from clients import Broken, Node, cluster, expect

CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
          "response_schema_conformance"]
# A stream of events has no end.
ENDLESS = ["/v1/audit", "/v1/events"]


def hold(name, base, bearer, *choice):
    description = requests.get(f"{base}/openapi.json", headers={"Authorization": f"Bearer {bearer}"}, timeout=10)
    expect(description.status_code == 200, f"{base}/openapi.json was answered {description.status_code}")
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "openapi.json")
        file.write_bytes(description.content)
        run = subprocess.run(
            [pathlib.Path(sys.executable).with_name("st"), "run", file, "--url", base, "--no-color",
             "-H", f"Authorization: Bearer {bearer}", "--checks", ",".join(CHECKS),
             "--max-examples", os.environ.get("CURFEW_EXAMPLES") or "60", "--seed", os.environ.get("CURFEW_SEED") or "1",
             *choice],
            cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    expect(run.returncode == 0, f"{name}: {run.stdout[-6000:]}{run.stderr[-2000:]}")
    cases = [line.strip() for line in run.stdout.splitlines() if " generated," in line]
    print(f"Schemathesis finds nothing that {name} does not describe: {' '.join(cases)}")


def main():
    with cluster(os.path.abspath(sys.argv[1])) as (dev, _):
        node = Node(dev["nodes"][0], dev["apiKey"])
        without = [word for path in ENDLESS for word in ("--exclude-path", path)]
        hold("the admin listener", node.admin, node.key, *without)
        # A session that lives throughout, and one that these calls may end: they find its id in the list of sessions.
        ending = ["/v1/logout", "/v1/sessions/{id}"]
        session = node.issue(userId="u_1", kind="web")["token"]
        hold("the public listener", node.public, session, *without, *(word for path in ending for word in ("--exclude-path", path)))
        expect(node.is_active(session), "the session ended meanwhile: its calls were answered 401 from then on")
        hold("the end of sessions", node.public, node.issue(userId="u_2", kind="web")["token"],
             *(word for path in ending for word in ("--include-path", path)))


if __name__ == "__main__":
    try:
        main()
    except Broken as broken:
        sys.exit(f"broken: {broken}")
