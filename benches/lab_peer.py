"""The peer of the bench `lab`: libCacheSim's Python package over a trace.

    lab_peer.py TRACE POLICY CAPACITY

It prints the seconds of processor time of `process_trace`, and the miss ratio.
"""

import sys
import time

import libcachesim


def cache(policy, capacity):
    makers = {
        "fifo": libcachesim.FIFO,
        "lru": libcachesim.LRU,
        "second-chance": libcachesim.Clock,
        "sieve": libcachesim.Sieve,
        "slru": libcachesim.SLRU,
        "lfu": libcachesim.LFU,
        "arc": libcachesim.ARC,
        "2q": libcachesim.TwoQ,
        "s3-fifo": libcachesim.S3FIFO,
        "lirs": libcachesim.LIRS,
        "w-tinylfu": libcachesim.WTinyLFU,
        "belady": libcachesim.Belady,
        "random": libcachesim.Random,
        "hyperbolic": libcachesim.Hyperbolic,
        "gdsf": libcachesim.GDSF,
    }
    return makers[policy](int(capacity))


def main():
    path, policy, capacity = sys.argv[1:]
    # Objects count, not bytes: every object of the trace has the size 1.
    reader = libcachesim.TraceReader(path, libcachesim.TraceType.ORACLE_GENERAL_TRACE)
    one = cache(policy, capacity)
    start = time.process_time()
    misses, _ = one.process_trace(reader)
    print(time.process_time() - start, misses)


main()
