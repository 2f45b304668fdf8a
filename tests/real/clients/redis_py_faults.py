"""What redis-py tells its user of a crash and of a pause: python redis_py_faults.py PORT..."""

import sys
import threading
import time

import redis
from redis.exceptions import ClusterDownError, ConnectionError, ResponseError, TimeoutError

ports = list(map(int, sys.argv[1:]))
operator = redis.Redis(port=ports[0])
cluster = redis.RedisCluster("127.0.0.1", ports[0], decode_responses=True)


def shell(line):
    return operator.execute_command("SHARDLAB", line)


keys = [f"key{n}" for n in range(60)]
for key in keys:
    cluster.set(key, "before")
of_second = next(key for key in keys if cluster.get_node_from_key(key).port == ports[1])

# A crash: connections end, new ones are refused.
plain = redis.Redis(port=ports[1], retry=None)
plain.ping()
shell("CRASH 1")
for _ in range(2):
    try:
        plain.ping()
        raise AssertionError("node 1 is down")
    except ConnectionError:
        pass

# The next owner takes the slots over after the node timeout; until then there are errors.
acknowledged, errors = {}, set()
end = time.monotonic() + 20
while len(acknowledged) < len(keys):
    assert time.monotonic() < end, errors
    for key in keys:
        try:
            cluster.set(key, "after")
            acknowledged[key] = "after"
        except (ConnectionError, ClusterDownError, TimeoutError, ResponseError) as error:
            errors.add(type(error).__name__)
assert errors <= {"ConnectionError", "ClusterDownError", "ResponseError"}, errors
assert cluster.get_node_from_key(of_second).port != ports[1], "the client knows who took over"

shell("RESTART 1")
end = time.monotonic() + 20
while True:
    try:
        plain.ping()
        break
    except (ConnectionError, ResponseError):
        assert time.monotonic() < end
        time.sleep(0.05)
assert {key: cluster.get(key) for key in keys} == acknowledged

# A pause: silence. A client with a limit says so, one without waits for the end.
of_third = redis.Redis(port=ports[2], retry=None)
of_third.ping()
limited = redis.Redis(port=ports[2], retry=None, socket_timeout=0.3)
limited.ping()
shell("PAUSE 2")
try:
    limited.ping()
    raise AssertionError("node 2 is silent")
except TimeoutError:
    pass
answers = []
waiting = threading.Thread(target=lambda: answers.append(of_third.ping()))
waiting.start()
waiting.join(0.3)
assert answers == []
shell("RESUME 2")
waiting.join(20)
assert answers == [True]
