"""Writes what libCacheSim misses on each trace of a folder: get, and insert on a miss.

A trace has one object a line, all of size 1. Not here: S3-FIFO, LIRS and W-TinyLFU, which differ from
their authors' programs in this version. The tests compare those with their definitions.
"""

import pathlib
import sys

import libcachesim
from libcachesim import Request, cache
from libcachesim.libcachesim_python import SLRU_init

SIZES = [20, 100, 300, 700]


def slru(size):
    """A fifth of the cache for probation; the package's own class cannot say so."""
    common = cache._create_common_params(size, 86400 * 300, 20, False, None)
    return SLRU_init(common, "seg-size=1:4")


POLICIES = {
    "fifo": libcachesim.FIFO,
    "lru": libcachesim.LRU,
    "lfu": libcachesim.LFU,
    "second-chance": libcachesim.Clock,
    "slru": slru,
    "2q": libcachesim.TwoQ,
    "arc": libcachesim.ARC,
    "sieve": libcachesim.Sieve,
    "belady": libcachesim.Belady,
}


def next_requests(trace):
    """The place of the next request of the same object, for Belady."""
    following, seen = [], {}
    for at in reversed(range(len(trace))):
        following.append(seen.get(trace[at], 1 << 62))
        seen[trace[at]] = at
    return following[::-1]


def misses(policy, trace, following):
    count = 0
    for at, (id, next_at) in enumerate(zip(trace, following)):
        request = Request(obj_id=id + 1, obj_size=1)
        request.clock_time = at
        request.next_access_vtime = next_at
        count += not policy.get(request)
    return count


def main(folder):
    print("trace,policy,size,requests,misses,match,source")
    for path in sorted(pathlib.Path(folder).glob("*.txt")):
        trace = [int(line) for line in path.read_text().split()]
        following = next_requests(trace)
        for name, make in POLICIES.items():
            for size in SIZES:
                count = misses(make(size), trace, following)
                row = [path.stem, name, size, len(trace), count, "exact", "libCacheSim 0.3.5"]
                print(*row, sep=",")


main(sys.argv[1])
