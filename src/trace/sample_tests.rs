//! A sample of each format, with what is in it.

use super::Format;

/// Requests, objects, bytes, gets, sets, deletes.
pub type Expected = [u64; 6];

pub struct Sample {
    pub name: &'static str,
    pub format: Format,
    pub bytes: Vec<u8>,
    pub expected: Expected,
}

fn sample(
    name: &'static str,
    format: Format,
    bytes: impl Into<Vec<u8>>,
    expected: Expected,
) -> Sample {
    Sample {
        name,
        format,
        bytes: bytes.into(),
        expected,
    }
}

/// A record of numbers, each with its length in bytes.
pub fn record(fields: &[(i128, usize)]) -> Vec<u8> {
    let bytes = fields
        .iter()
        .flat_map(|(number, len)| number.to_le_bytes()[..*len].to_vec());
    bytes.collect()
}

/// Several records of this shape; the second of three is another request of the first key.
fn records(one: impl Fn(i128, i128) -> Vec<u8>) -> Vec<u8> {
    [one(10, 7), one(11, 8), one(11, 7)].concat()
}

fn lcs(version: i128, records: Vec<u8>) -> Vec<u8> {
    let magic = 0x1234_5678_9abc_def0;
    let mut bytes = record(&[(magic, 8), (version, 8)]);
    bytes.resize(8184, 0);
    [bytes, record(&[(magic, 8)]), records].concat()
}

fn lcs_3(version: i128, features: usize) -> Vec<u8> {
    let pad = vec![0; features * 4];
    lcs(
        version,
        records(|time, id| {
            let op = if id == 8 { 3 } else { 1 };
            let fields = [
                (time, 4),
                (id, 8),
                (5_000_000_000, 8),
                (op | 9 << 8, 4),
                (60, 4),
                (-1, 8),
            ];
            [record(&fields), pad.clone()].concat()
        }),
    )
}

#[expect(clippy::too_many_lines, reason = "a list")]
pub fn binary_samples() -> Vec<Sample> {
    let twr = |time, id| {
        record(&[
            (time, 4),
            (id, 8),
            (0x14 << 22 | 0x50, 4),
            (if id == 8 { 3 << 24 | 0x3c } else { 1 << 24 }, 4),
        ])
    };
    let mut two = vec![
        sample(
            "a.bin",
            Format::OracleGeneral,
            records(|time, id| record(&[(time, 4), (id, 8), (3_000_000_000, 4), (-1, 8)])),
            [3, 2, 9_000_000_000, 3, 0, 0],
        ),
        sample(
            "a.bin",
            Format::OracleGeneralOpNs,
            records(|time, id| {
                record(&[(time, 4), (id, 8), (100, 4), (id - 6, 1), (1, 2), (-1, 8)])
            }),
            [3, 2, 300, 3, 0, 0],
        ),
        sample("a.bin", Format::Twr, records(twr), [3, 2, 300, 2, 1, 0]),
        sample(
            "a.bin",
            Format::TwrNs,
            records(|time, id| [twr(time, id), vec![1, 0]].concat()),
            [3, 2, 300, 2, 1, 0],
        ),
        sample(
            "a.bin",
            Format::OracleSysTwrNs,
            records(|time, id| {
                record(&[
                    (time, 4),
                    (id, 8),
                    (20, 2),
                    (80, 4),
                    (id * 8 - 55, 2),
                    (1, 2),
                    (60, 4),
                    (-1, 8),
                ])
            }),
            [3, 2, 300, 2, 0, 1],
        ),
        sample(
            "a.bin",
            Format::Vscsi,
            records(|time, id| {
                record(&[
                    (0, 4),
                    (4096, 4),
                    (1, 4),
                    (if id == 8 { 42 } else { 40 }, 2),
                    (256, 2),
                    (id, 8),
                    (time, 8),
                ])
            }),
            [3, 2, 12_288, 2, 1, 0],
        ),
        sample(
            "a.bin",
            Format::Vscsi,
            records(|time, id| {
                record(&[
                    (40, 2),
                    (512, 2),
                    (0, 4),
                    (512, 4),
                    (1, 4),
                    (id, 8),
                    (time, 8),
                    (9, 8),
                ])
            }),
            [3, 2, 1536, 3, 0, 0],
        ),
        sample(
            "a.bin",
            Format::U64le,
            records(|_, id| record(&[(id, 8)])),
            [3, 2, 3, 3, 0, 0],
        ),
        sample(
            "a.bin",
            Format::Scarab,
            [1_i64, -1, 1, 7]
                .iter()
                .flat_map(|id| id.to_be_bytes())
                .collect::<Vec<_>>(),
            [4, 3, 4, 4, 0, 0],
        ),
        sample(
            "corda.bin",
            Format::Corda,
            [1_i64, 2, 1]
                .iter()
                .flat_map(|id| id.to_be_bytes())
                .collect::<Vec<_>>(),
            [3, 2, 3, 3, 0, 0],
        ),
        sample(
            "a.bin",
            Format::Cache2k,
            [1_i32, -1, 1, 7]
                .iter()
                .flat_map(|id| id.to_be_bytes())
                .collect::<Vec<_>>(),
            [4, 3, 4, 4, 0, 0],
        ),
        sample(
            "cloud_physics.bin",
            Format::CloudPhysics,
            [1_u32, 2, 1]
                .iter()
                .flat_map(|id| id.to_be_bytes())
                .collect::<Vec<_>>(),
            [3, 2, 3, 3, 0, 0],
        ),
        sample(
            "a.bin",
            Format::Lcs,
            lcs(
                1,
                records(|time, id| record(&[(time, 4), (id, 8), (100, 4), (-1, 8)])),
            ),
            [3, 2, 300, 3, 0, 0],
        ),
        sample(
            "a.bin",
            Format::Lcs,
            lcs(
                2,
                records(|time, id| {
                    record(&[(time, 4), (id, 8), (100, 4), (9 | 5 << 8, 4), (-1, 8)])
                }),
            ),
            [3, 2, 300, 0, 0, 3],
        ),
    ];
    for (version, features) in [(3, 0), (4, 1), (5, 2), (6, 4), (7, 8), (8, 16)] {
        two.push(sample(
            "a.bin",
            Format::Lcs,
            lcs_3(version, features),
            [3, 2, 15_000_000_000, 2, 1, 0],
        ));
    }
    two
}

#[expect(clippy::too_many_lines, reason = "a list")]
fn text_samples() -> Vec<Sample> {
    vec![
        sample(
            "a",
            Format::Txt,
            "# keys\napple\r\n\r\n17\napple\n a b \n-1",
            [5, 4, 5, 5, 0, 0],
        ),
        sample("a", Format::Txt, "", [0; 6]),
        sample(
            "a",
            Format::Csv,
            "time,key,size,op,ttl\r\n1,\"a,\"\"b\",10,get,\r\n1.5,17,0x10,set,60\r\n2,17,,delete,",
            [3, 2, 27, 1, 1, 1],
        ),
        sample(
            "a",
            Format::Csv,
            "Timestamp;Obj_ID;Length;Verb\n1;a;5000000000;r\n2;b;1;PUT\n",
            [2, 2, 5_000_000_001, 1, 1, 0],
        ),
        sample(
            "a",
            Format::Csv,
            "id\tsize\nx\t3\nx\t4\n",
            [2, 1, 7, 2, 0, 0],
        ),
        sample(
            "a.lis",
            Format::Arc,
            "10 3 0 1\n11 1 0 2\n",
            [4, 3, 4, 4, 0, 0],
        ),
        sample("a", Format::Lirs, "1\n-1\n*\n1\n", [3, 2, 3, 3, 0, 0]),
        sample("a.trc", Format::Lirs, "1\r\n2\r\n1", [3, 2, 3, 3, 0, 0]),
        sample(
            "a",
            Format::Address,
            "s 0xff 1\nl 0x100 2 1 100\nl 0xff 1\n",
            [3, 2, 3, 3, 0, 0],
        ),
        sample(
            "a",
            Format::Lrb,
            "1 7 68\n2 8 4000000000\n2.5 7 68 extra",
            [3, 2, 4_000_000_136, 3, 0, 0],
        ),
        sample(
            "a",
            Format::Twitter,
            "0,nz:u:a,20,80,1,get,0\n1,b,20,0,2,get,0\n1, b, 20, 80, 2, set, 60\n1,b,20,0,2,delete,0\n",
            [4, 2, 240, 2, 1, 1],
        ),
        sample(
            "a",
            Format::CachelibKv,
            "key,op,size,op_count,key_size\na,GET,10,3,2\nb,SET,0,1,2\na,DELETE,0,1,2\n",
            [5, 2, 40, 3, 1, 1],
        ),
        sample(
            "a",
            Format::CachelibCdn,
            "timestamp,cacheKey,OpType,objectSize,responseSize,responseHeaderSize,rangeStart,rangeEnd,TTL,SamplingRate,cache_hit,item_value,RequestHandler,cdn_content_type_id,vip_type\n1,12,1,1000,500,10,0,499,60,0.1,1,-,a,2,3\n2,13,1,-,0,0,-1,-1,-,0.1,0,-,a,2,3\n",
            [2, 2, 1001, 2, 0, 0],
        ),
        sample(
            "a",
            Format::WikipediaCdn,
            "relative_unix\thashed_path_query\timage_type\tresponse_size\ttime_firstbyte\n0\t-123\tjpeg\t100\t0.1\n1\t-123\tpng\t200\t0.1\n1\t-123\tpng\t200\t0.1\n",
            [3, 2, 500, 3, 0, 0],
        ),
        sample(
            "a",
            Format::WikipediaCdn,
            "0\t123\t100\t0.1\n1\t-123\t200\t0.1\n",
            [2, 2, 300, 2, 0, 0],
        ),
        sample(
            "a",
            Format::WikipediaCdn,
            "929840891 1190146243.326 http://en.wikipedia.org/wiki/X -\n929840892 1190146243.327 http://en.wikipedia.org/wiki/X save\n",
            [2, 1, 2, 1, 1, 0],
        ),
        sample(
            "a",
            Format::TencentPhoto,
            "20160201000000 d7a3f1 0 m 40000 1 PC 12\n20160201000001 d7a3f1 5 m 30000 0 PC 12\n",
            [2, 2, 70_000, 2, 0, 0],
        ),
        sample(
            "a",
            Format::TencentCbs,
            "1538323200,12910952,128,0,1063\n1538323200,12910952,8,1,1064\n",
            [2, 2, 69_632, 1, 1, 0],
        ),
        sample(
            "a",
            Format::Alibaba,
            "419,W,8792731648,16384,1577808144360767\n419,R,8792731648,4096,1577808144360768\n",
            [2, 1, 20_480, 1, 1, 0],
        ),
        sample(
            "a",
            Format::Msr,
            "128166372003061629,src1,0,Read,4096,8192,100\n128166372003061630,src2,0,Write,4096,4096,100\n",
            [2, 2, 12_288, 1, 1, 0],
        ),
        sample(
            "a",
            Format::IbmObjectStore,
            "1219008 REST.PUT.OBJECT 8d4fcda3d675bac9 1056\n1221974 REST.HEAD.OBJECT 39d177fb735ac5df 528\n1232437 REST.GET.OBJECT 8d4fcda3d675bac9 1056 0 1055\n1232438 REST.DELETE.OBJECT 8d4fcda3d675bac9\n",
            [4, 2, 2641, 2, 1, 1],
        ),
        sample(
            "a",
            Format::Mooncake,
            "{\"timestamp\": 27482, \"input_length\": 6955, \"output_length\": 52, \"hash_ids\": [46, 47]}\n{\"timestamp\": 30535, \"input_length\": 6472, \"output_length\": 26, \"hash_ids\": [46, 2353]}\n",
            [4, 3, 4, 4, 0, 0],
        ),
        sample(
            "a.jsonl",
            Format::Lmcache,
            "{\"timestamp\": 1711929600.123, \"request_id\": \"r1\", \"model_name\": \"m\", \"chunk_size\": 256, \"seq_len\": 520, \"dtypes\": [\"float8_e4m3fn\"], \"shapes\": [[32, 256, 128]], \"chunk_hashes\": [\"0xab\", \"0xcd\"]}\n{\"timestamp\": 1711929601, \"chunk_hashes\": [\"0xab\", \"17\", 17]}\n{\"timestamp\": 1711929602, \"chunk_hashes\": []}\n",
            [5, 3, 5, 5, 0, 0],
        ),
        sample(
            "a",
            Format::Csv,
            "# time, object, size\n1, 7, 10\n2, 8, 10\n",
            [2, 2, 20, 2, 0, 0],
        ),
        sample(
            "a",
            Format::RedisMonitor,
            "OK\n1339518083.107412 [0 127.0.0.1:60866] \"get\" \"a\\x20b\"\n1339518087.877697 [1 127.0.0.1:60866] \"SET\" \"a b\" \"\\\"red\\\"\" \"EX\" \"60\"\n1339518088.1 [0 lua] \"mget\" \"a b\" \"c\"\n1339518089.1 [0 unix:/tmp/s] \"HGETALL\" \"h\"\n1339518090.1 [0 127.0.0.1:1] \"DEL\" \"c\"\n",
            [5, 3, 12, 3, 1, 1],
        ),
        sample(
            "a",
            Format::RedisAof,
            "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n#TS:1600000000\r\n*5\r\n$3\r\nSET\r\n$1\r\na\r\n$4\r\n\r\n\0\n\r\n$4\r\nPXAT\r\n$13\r\n1600000060000\r\n*2\r\n$3\r\nDEL\r\n$1\r\na\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n",
            [3, 2, 7, 0, 2, 1],
        ),
        sample(
            "a",
            Format::MemcachedWatch,
            "OK\nts=1485897301.1 gid=1 type=item_get key=a%20b status=not_found clsid=0 cfd=7 size=0\nts=1485897301.2 gid=2 type=item_store key=a%20b status=stored cmd=set ttl=60 clsid=1 cfd=7 size=10\n[skipped: 5]\nts=1485897301.3 gid=3 type=item_get key=a%20b status=found clsid=1 cfd=7 size=10\n",
            [3, 1, 29, 2, 1, 0],
        ),
    ]
}

fn public_samples() -> Vec<Sample> {
    macro_rules! data {
        ($name:literal) => {
            include_bytes!(concat!("../../tests/data/traces/", $name)).as_slice()
        };
    }
    vec![
        sample(
            "kv.csv",
            Format::CachelibKv,
            data!("cachelib-kv_traces_1.csv"),
            [691, 52, 349_234, 678, 10, 3],
        ),
        sample(
            "kv.csv",
            Format::CachelibKv,
            data!("cachelib-kv_traces_2.csv"),
            [433, 62, 207_517, 418, 14, 1],
        ),
        sample(
            "block.csv",
            Format::CachelibBlock,
            data!("cachelib-block.csv"),
            [62, 42, 224_880_408, 35, 27, 0],
        ),
        sample(
            "mooncake.jsonl",
            Format::Mooncake,
            data!("mooncake.jsonl"),
            [426, 415, 426, 426, 0, 0],
        ),
        sample(
            "web07.trace",
            Format::Cache2k,
            data!("cache2k-web07.trace"),
            [2000, 1239, 2000, 2000, 0, 0],
        ),
    ]
}

pub fn samples() -> Vec<Sample> {
    [binary_samples(), text_samples(), public_samples()]
        .into_iter()
        .flatten()
        .collect()
}
