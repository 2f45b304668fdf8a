"""redis-py sends an INCR again whose reply was lost, and CHECK says so: python redis_py_twice.py PORT PORT"""

import json
import sys
import threading
import time

import redis

ports = list(map(int, sys.argv[1:]))
operator = redis.Redis(port=ports[0])
client = redis.Redis(port=ports[0])


def shell(line):
    return json.loads(operator.execute_command("SHARDLAB", line))


assert shell("WHERE n")["owners"] == [0, 1]
assert client.incr("n") == 1
assert shell("CHECK")["sent_again"] == []

# Node 0 stores the increment, but the other owner cannot acknowledge it.
shell("PARTITION 1 | 0 ONEWAY")
counted = []
waiting = threading.Thread(target=lambda: counted.append(client.incr("n")))
waiting.start()
end = time.monotonic() + 20
while "unknown" not in [it["outcome"] for it in shell("HISTORY")["operations"]]:
    assert time.monotonic() < end
    time.sleep(0.01)
shell("HEAL")
waiting.join(20)

# The user sees one call that has succeeded, and a counter that has gone up by more.
assert len(counted) == 1 and counted[0] > 2, counted
found = shell("CHECK")
assert found["verdict"] == "kept", "the cluster has kept its promise"
[again] = found["sent_again"]
assert again["key"] == "n"
outcomes = [it["outcome"] for it in again["operations"]]
assert outcomes[0] == "unknown" and outcomes[-1] == "value", outcomes
assert {it["command"] for it in again["operations"]} == {"INCRBY n 1"}
