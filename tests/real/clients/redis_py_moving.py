"""redis-py writes while nodes join and leave: python redis_py_moving.py PORT..."""

import sys
import threading
import time

import redis

ports = list(map(int, sys.argv[1:]))
operator = redis.Redis(port=ports[1])
cluster = redis.RedisCluster("127.0.0.1", ports[1], decode_responses=True)
is_over = threading.Event()
acknowledged = {}


def write():
    n = 0
    while not is_over.is_set():
        key = f"key{n % 500}"
        try:
            cluster.set(key, n)
            acknowledged[key] = {str(n)}
        except (redis.RedisError, AttributeError):
            # It may have been stored. redis-py has an AttributeError for an ASK to a node that it does not know yet.
            acknowledged.setdefault(key, {None}).add(str(n))
        n += 1


def change(line):
    """Slots that take their time may still move from the change before."""
    while True:
        try:
            return operator.execute_command("SHARDLAB", line)
        except redis.ResponseError as error:
            assert "still moving" in str(error), error
            time.sleep(0.1)


writer = threading.Thread(target=write)
writer.start()
time.sleep(0.5)
change("JOIN")
time.sleep(1)
change("LEAVE 0")
while any(address.endswith(f":{ports[0]}") for address in operator.cluster("NODES")):
    time.sleep(0.1)
time.sleep(1)
is_over.set()
writer.join()

assert len(acknowledged) == 500
for key, values in acknowledged.items():
    assert cluster.get(key) in values, (key, cluster.get(key), values)
shown = {int(address.rsplit(":")[1]) for address in operator.cluster("NODES")}
assert ports[0] not in shown and len(shown) == len(ports), shown
used = {cluster.get_node_from_key(f"key{n}").port for n in range(500)}
assert used == shown, (used, shown)
