// ioredis writes while nodes join and leave: node ioredis_moving.mjs FOLDER PORT...
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

const [folder, ...ports] = process.argv.slice(2);
const { Cluster, Redis } = createRequire(`${folder}/`)('ioredis');
const cluster = new Cluster([{ host: '127.0.0.1', port: ports[1] }]);
cluster.on('error', () => {});
const operator = new Redis(ports[1]);
// Slots that take their time may still move from the change before.
const change = async (line) => {
  for (;;) {
    try {
      return await operator.call('SHARDLAB', line);
    } catch (error) {
      assert.match(error.message, /still moving/);
      await sleep(100);
    }
  }
};

assert.equal(await cluster.set('apple', 'red'), 'OK');
assert.equal(await cluster.get('apple'), 'red');
const results = await cluster.multi().set('{t}x', 1).incr('{t}x').exec();
assert.deepEqual(results, [[null, 'OK'], [null, 2]]);

// The values that each key may have.
const possible = new Map();
let isOver = false;
const writing = (async () => {
  for (let n = 0; !isOver; n += 1) {
    const key = `key${n % 500}`;
    try {
      await cluster.set(key, n);
      possible.set(key, new Set([String(n)]));
    } catch {
      // It may have been stored.
      possible.set(key, new Set([...(possible.get(key) ?? [null]), String(n)]));
    }
  }
})();
await sleep(500);
await change('JOIN');
await sleep(1000);
await change('LEAVE 0');
while ((await operator.cluster('NODES')).includes(`:${ports[0]}@`)) await sleep(100);
await sleep(1000);
isOver = true;
await writing;

assert.equal(possible.size, 500);
for (const [key, values] of possible) assert.ok(values.has(await cluster.get(key)), key);
const shown = new Set((await operator.cluster('SLOTS')).map(([, , [, port]]) => port));
assert.ok(!shown.has(Number(ports[0])) && shown.size === ports.length);
const used = new Set(cluster.nodes('master').map((node) => node.options.port));
assert.deepEqual([...used].sort(), [...shown].sort());
cluster.disconnect();
operator.disconnect();
