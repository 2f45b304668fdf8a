"""redis-py on a healthy cluster, on the virtual clock: python redis_py_basics.py PROTOCOL PORT..."""

import sys

import redis

protocol, *ports = map(int, sys.argv[1:])
options = {"protocol": protocol, "decode_responses": True}
cluster = redis.RedisCluster("127.0.0.1", ports[0], **options)
nodes = {int(port): redis.Redis(port=port, **options) for port in ports}


def owner(key):
    """A client of the node that owns the key."""
    return nodes[cluster.get_node_from_key(key).port]


def advance(time):
    cluster.execute_command("SHARDLAB", f"ADVANCE {time}", target_nodes=cluster.get_random_node())


# The map.
assert {node.port for node in cluster.get_nodes()} == set(ports)
assert len({cluster.get_node_from_key(f"key{n}").port for n in range(100)}) == len(ports)

# Strings and keys.
for n in range(100):
    assert cluster.set(f"key{n}", n) is True
assert [cluster.get(f"key{n}") for n in range(100)] == [str(n) for n in range(100)]
assert cluster.mget_nonatomic([f"key{n}" for n in range(10)]) == [str(n) for n in range(10)]
assert cluster.set("key1", "new", nx=True) is None
assert cluster.set("key1", "new", xx=True, get=True) == "1"
assert cluster.incrby("key2", 40) == 42
assert cluster.incrbyfloat("key3", 0.5) == 3.5
assert cluster.append("key4", "!") == 2
assert cluster.getdel("key5") == "5"
assert cluster.exists("key5") == 0
assert sum(len(list(client.scan_iter("key*"))) for client in nodes.values()) == 99
assert cluster.dbsize(target_nodes=redis.RedisCluster.PRIMARIES) == 99

# Hashes.
assert cluster.hset("hash", mapping={"a": 1, "b": 2}) == 2
assert cluster.hincrby("hash", "a", 4) == 5
assert cluster.hgetall("hash") == {"a": "5", "b": "2"}

# Transactions and pipelines.
pipeline = cluster.pipeline()
for n in range(50):
    pipeline.incr(f"key{n + 50}")
assert pipeline.execute() == [n + 51 for n in range(50)]
with owner("{t}x").pipeline() as transaction:
    transaction.watch("{t}x")
    transaction.multi()
    transaction.set("{t}x", 1).incr("{t}x").get("{t}x")
    assert transaction.execute() == [True, 2, "2"]
with owner("{t}x").pipeline() as transaction:
    transaction.watch("{t}x")
    cluster.set("{t}x", "changed")
    transaction.multi()
    transaction.set("{t}x", "lost")
    try:
        transaction.execute()
        raise AssertionError("the key was changed meanwhile")
    except redis.WatchError:
        pass

# A channel reaches other nodes.
first, last = nodes[ports[0]], nodes[ports[-1]]
channel = first.pubsub(ignore_subscribe_messages=True)
channel.subscribe("news")
assert channel.get_message(timeout=5) is None
last.publish("news", "hello")
assert channel.get_message(timeout=5)["data"] == "hello"

# A deadline, with the notification at its instant.
here = owner("soon")
here.config_set("notify-keyspace-events", "Ex")
expiries = here.pubsub(ignore_subscribe_messages=True)
expiries.subscribe("__keyevent@0__:expired")
assert expiries.get_message(timeout=5) is None
cluster.set("soon", "gone", ex=3600)
assert cluster.ttl("soon") == 3600
advance("3599s")
assert cluster.pttl("soon") == 1000
advance("1s")
assert expiries.get_message(timeout=5)["data"] == "soon"
assert cluster.get("soon") is None

# A lock, which is released and extended by scripts.
lock = owner("lock").lock("lock", timeout=30)
assert lock.acquire(blocking=False)
assert lock.extend(30)
advance("59s")
assert lock.owned()
lock.release()
