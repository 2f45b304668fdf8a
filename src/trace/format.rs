//! The names of formats, and their options.

use std::fmt;
use std::str::FromStr;

macro_rules! formats {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal,)*) => {
        /// The formats that can be read. Numbers are little-endian unless the name says otherwise.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Format {
            $($(#[doc = $doc])* $name,)*
        }

        impl Format {
            /// All formats.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

formats! {
    /// A key a line; lines that start with `#`, and empty ones, are skipped.
    Txt = "txt",
    /// Columns, given by options or by a header.
    Csv = "csv",
    /// Records of a layout that is given as the option `format`.
    Binary = "binary",
    /// Numbers of 64 bits.
    U64le = "u64le",
    /// libCacheSim's records of 24 bytes: time, key, size, next request of the key.
    OracleGeneral = "oracleGeneral",
    /// The same with an operation and a namespace, 27 bytes.
    OracleGeneralOpNs = "oracleGeneralOpNS",
    /// libCacheSim's format with a header, versions 1 to 8.
    Lcs = "lcs",
    /// Twitter's records of 20 bytes.
    Twr = "twr",
    /// The same with a namespace, 22 bytes.
    TwrNs = "twrNS",
    /// Records of 34 bytes.
    OracleSysTwrNs = "oracleSysTwrNS",
    /// `VMware`'s block requests, versions 1 and 2.
    Vscsi = "vscsi",
    /// Ranges of blocks: start, count, ignored, number.
    Arc = "arc",
    /// A number a line, with marks.
    Lirs = "lirs",
    /// Loads and stores of memory.
    Address = "address",
    /// Numbers of 32 bits with a sign, big-endian.
    Cache2k = "cache2k",
    /// Numbers of 32 bits, big-endian.
    CloudPhysics = "cloud_physics",
    /// Numbers of 64 bits with a sign, big-endian.
    Corda = "corda",
    /// Numbers of 64 bits with a sign, big-endian.
    Scarab = "scarab",
    /// Time, key and size, separated by spaces.
    Lrb = "lrb",
    /// Twitter's text.
    Twitter = "twitter",
    /// Meta's key-value caches.
    CachelibKv = "cachelib-kv",
    /// Meta's content delivery network.
    CachelibCdn = "cachelib-cdn",
    /// Meta's block storage.
    CachelibBlock = "cachelib-block",
    /// Wikipedia's requests of 2007, 2016 and 2019.
    WikipediaCdn = "wikipedia-cdn",
    /// Tencent's photos.
    TencentPhoto = "tencent-photo",
    /// Tencent's block storage.
    TencentCbs = "tencent-cbs",
    /// Alibaba's block storage.
    Alibaba = "alibaba",
    /// Block requests of Microsoft Research Cambridge.
    Msr = "msr",
    /// IBM's object store.
    IbmObjectStore = "ibm-object-store",
    /// The blocks of prompts of language models. With the option `prefix=true` a block can hit only if
    /// all before it in its request hit.
    Mooncake = "mooncake",
    /// Lookups of `LMCache`: the hashes of the chunks of each prompt. The option `prefix=true` means the
    /// same as for `mooncake`.
    Lmcache = "lmcache",
    /// What MONITOR of Redis and Valkey prints.
    RedisMonitor = "redis-monitor",
    /// The append-only file of Redis and Valkey; it has writes only.
    RedisAof = "redis-aof",
    /// What `watch fetchers mutations` of memcached prints.
    MemcachedWatch = "memcached-watch",
}

impl Format {
    /// Whether its requests are ranges of blocks, which [`Spec::split`] can split. Those of csv are, if
    /// [`Spec::block`] is set.
    #[must_use]
    pub const fn has_blocks(self) -> bool {
        matches!(
            self,
            Self::Vscsi | Self::TencentCbs | Self::Alibaba | Self::Msr | Self::CachelibBlock
        )
    }

    /// The fields of a record, for messages.
    pub(super) const fn record(self) -> &'static str {
        match self {
            Self::Txt => "a key a line",
            Self::Csv => "columns as the options or the header say",
            Self::Binary => "fields as the option format says",
            Self::U64le | Self::Corda | Self::Scarab => "a number of 8 bytes",
            Self::Cache2k | Self::CloudPhysics => "a number of 4 bytes",
            Self::OracleGeneral => "24 bytes: time, id, size, next request",
            Self::OracleGeneralOpNs => {
                "27 bytes: time, id, size, operation, namespace, next request"
            }
            Self::Lcs => "24 to 100 bytes behind a header of 8192",
            Self::Twr => "20 bytes: time, id, sizes, operation and TTL",
            Self::TwrNs => "22 bytes: time, id, sizes, operation and TTL, namespace",
            Self::OracleSysTwrNs => {
                "34 bytes: time, id, sizes, operation, namespace, TTL, next request"
            }
            Self::Vscsi => "32 or 40 bytes: command, length, sector, time",
            Self::Arc => "start count ignored number",
            Self::Lirs => "a number a line",
            Self::Address => "s or l, 0xADDRESS, number",
            Self::Lrb => "time id size",
            Self::Twitter => "time,key,key size,value size,client,operation,TTL",
            Self::CachelibKv => "key,op,size,op_count,key_size, named by a header",
            Self::CachelibCdn => "timestamp,cacheKey,OpType,objectSize,TTL, named by a header",
            Self::CachelibBlock => {
                "block_id,rs_shard_id,io_size,io_offset,op_name, named by a header"
            }
            Self::WikipediaCdn => "time, hashed path and response size",
            Self::TencentPhoto => "YYYYMMDDhhmmss id format category size",
            Self::TencentCbs => "time,offset,size,0 or 1,volume",
            Self::Alibaba => "device,R or W,offset,length,microseconds",
            Self::Msr => "time,host,disk,Read or Write,offset,size,response time",
            Self::IbmObjectStore => "milliseconds REST.OPERATION.OBJECT id size",
            Self::Mooncake => "{\"timestamp\": …, \"hash_ids\": […]}",
            Self::Lmcache => "{\"timestamp\": …, \"chunk_hashes\": […]}",
            Self::RedisMonitor => "seconds [database address] \"COMMAND\" \"argument\" …",
            Self::RedisAof => "a command of the Redis protocol",
            Self::MemcachedWatch => "ts=… type=… key=…",
        }
    }

    /// Whether it is text, which may start with a byte order mark.
    pub(super) const fn is_text(self) -> bool {
        !matches!(
            self,
            Self::Binary
                | Self::U64le
                | Self::OracleGeneral
                | Self::OracleGeneralOpNs
                | Self::Lcs
                | Self::Twr
                | Self::TwrNs
                | Self::OracleSysTwrNs
                | Self::Vscsi
                | Self::Cache2k
                | Self::CloudPhysics
                | Self::Corda
                | Self::Scarab
                | Self::RedisAof
        )
    }

    fn has_columns(self) -> bool {
        matches!(self, Self::Csv | Self::Binary)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The error of parsing a [`Format`] or a [`Spec`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// No format has this name.
    #[error("there is no format {0:?}: use one of {all}", all = names())]
    Unknown(String),
    /// The format has no such option.
    #[error("{format} has no option {option:?}{}", accepted(*.format))]
    Option {
        /// The format.
        format: Format,
        /// The option as it was given.
        option: String,
    },
    /// The option has another kind of value.
    #[error("the option {option}={value} is wrong: use {accepted}")]
    Value {
        /// The option.
        option: String,
        /// Its value.
        value: String,
        /// The accepted values.
        accepted: &'static str,
    },
}

fn names() -> String {
    let names: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
    names.join(", ")
}

fn accepted(format: Format) -> String {
    let columns = "time-col, obj-id-col, obj-size-col, op-col, ttl-col, cnt-col";
    match format {
        Format::Csv => {
            format!(": use {columns}, delimiter, has-header, obj-id-is-num or block-size")
        }
        Format::Binary => format!(": use format, {columns}"),
        Format::Mooncake | Format::Lmcache => ": use prefix".into(),
        _ => String::new(),
    }
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(name: &str) -> Result<Self, FormatError> {
        let known = |format: &&Self| format.name().eq_ignore_ascii_case(name);
        let unknown = || FormatError::Unknown(name.into());
        Self::ALL.iter().find(known).copied().ok_or_else(unknown)
    }
}

/// The columns of a csv or binary format, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColumnNumbers {
    /// The time in seconds.
    pub time: Option<usize>,
    /// The key.
    pub key: Option<usize>,
    /// Bytes.
    pub size: Option<usize>,
    /// What the request does.
    pub op: Option<usize>,
    /// The TTL in seconds; 0 is none.
    pub ttl: Option<usize>,
    /// The number of requests of a record.
    pub count: Option<usize>,
}

impl ColumnNumbers {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A format with its options: what `--trace-format NAME[,option=value…]` says.
///
/// ```
/// use shardlab::trace::{Format, Spec};
///
/// let spec: Spec = "csv,delimiter=;,obj-id-col=2,has-header=true".parse()?;
/// assert_eq!((spec.format, spec.columns.key), (Format::Csv, Some(1)));
/// # Ok::<(), shardlab::trace::FormatError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The format.
    pub format: Format,
    /// Of csv and binary: where each field is.
    pub columns: ColumnNumbers,
    /// Of csv: what separates fields; `None` finds it.
    pub delimiter: Option<u8>,
    /// Of csv: whether the first line is a header; `None` finds it.
    pub header: Option<bool>,
    /// Of csv: keys are numbers, also when they are not in canonical form (`017`, `0x11`).
    pub numeric: bool,
    /// Of binary: the layout, such as `<IQI`.
    pub layout: Option<String>,
    /// Of csv: keys number blocks of this many bytes, at least 1. It has an effect with `split` only.
    pub block: Option<u64>,
    /// Of mooncake and lmcache: a block can hit only if all before it hit.
    pub prefix: bool,
    /// Of block formats: a request becomes one request for each block of this many bytes.
    pub split: Option<u64>,
}

impl From<Format> for Spec {
    fn from(format: Format) -> Self {
        Self {
            format,
            columns: ColumnNumbers::default(),
            delimiter: None,
            header: None,
            numeric: false,
            layout: None,
            block: None,
            prefix: false,
            split: None,
        }
    }
}

impl Spec {
    /// Sets one option. Other names and values than those in the messages are those of libCacheSim.
    fn set(&mut self, option: &str, value: &str) -> Result<(), FormatError> {
        let wrong = |accepted| FormatError::Value {
            option: option.into(),
            value: value.into(),
            accepted,
        };
        let is_csv = self.format == Format::Csv;
        let truth = || truth(value).ok_or(wrong("true or false"));
        match option {
            "delimiter" if is_csv => {
                self.delimiter = Some(delimiter(value).ok_or(wrong("one character, or tab"))?);
            }
            "has-header" | "header" if is_csv => self.header = Some(truth()?),
            "obj-id-is-num" if is_csv => self.numeric = truth()?,
            "block-size" if is_csv => {
                let bytes = value.parse().ok().filter(|&bytes: &u64| bytes > 0);
                self.block = Some(bytes.ok_or(wrong("bytes, at least 1"))?);
            }
            "prefix" if self.has_prefixes() => self.prefix = truth()?,
            "format" if self.format == Format::Binary => self.layout = Some(value.into()),
            _ => {
                let unknown = FormatError::Option {
                    format: self.format,
                    option: option.into(),
                };
                let number = column_number(value);
                let number = number.ok_or(wrong("the number of a column, from 1"));
                if self.has_ignored(option) {
                    // Several features are `feature-cols=5|6`.
                    return if option == "feature-cols" {
                        Ok(())
                    } else {
                        number.map(drop)
                    };
                }
                *self.column(option).ok_or(unknown)? = Some(number?);
            }
        }
        Ok(())
    }

    fn has_prefixes(&self) -> bool {
        matches!(self.format, Format::Mooncake | Format::Lmcache)
    }

    /// Whether this option names columns that have no part in a request.
    fn has_ignored(&self, option: &str) -> bool {
        let ignored = ["obj-cost-col", "cost-col", "tenant-col", "feature-cols"];
        self.format.has_columns() && ignored.contains(&option)
    }

    fn column(&mut self, option: &str) -> Option<&mut Option<usize>> {
        let columns = self.format.has_columns().then_some(&mut self.columns)?;
        Some(match option {
            "time-col" => &mut columns.time,
            "obj-id-col" => &mut columns.key,
            "obj-size-col" | "size-col" => &mut columns.size,
            "op-col" => &mut columns.op,
            "ttl-col" => &mut columns.ttl,
            "cnt-col" => &mut columns.count,
            _ => return None,
        })
    }

    /// Whether its requests are ranges of blocks, which can be split.
    pub(super) fn has_blocks(&self) -> bool {
        self.format.has_blocks() || self.block.is_some()
    }

    /// Whether columns are given.
    pub(super) fn has_columns(&self) -> bool {
        !self.columns.is_empty()
    }
}

/// The number of a column, from 0.
fn column_number(value: &str) -> Option<usize> {
    value.parse::<usize>().ok()?.checked_sub(1)
}

fn truth(value: &str) -> Option<bool> {
    match &*value.to_ascii_lowercase() {
        "true" | "1" | "yes" | "y" => Some(true),
        "false" | "0" | "no" | "n" => Some(false),
        _ => None,
    }
}

fn delimiter(value: &str) -> Option<u8> {
    match value.as_bytes() {
        b"tab" | b"\\t" => Some(b'\t'),
        b"\\," => Some(b','),
        [byte] => Some(*byte),
        _ => None,
    }
}

impl FromStr for Spec {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let (name, mut rest) = text.split_once([',', ';']).unwrap_or((text, ""));
        let mut spec = Self::from(name.trim().parse::<Format>()?);
        while !rest.is_empty() {
            let (option, after) = rest.split_once('=').unwrap_or((rest, ""));
            let option = option.trim().to_ascii_lowercase().replace('_', "-");
            let is_delimiter = option == "delimiter";
            let (value, after) = after.split_at(value_len(is_delimiter, after));
            // A delimiter may be a space.
            spec.set(&option, if is_delimiter { value } else { value.trim() })?;
            rest = after.get(1..).unwrap_or_default();
        }
        Ok(spec)
    }
}

/// How long the value of an option is: up to the next `,` or `;`, which may be the value itself only
/// for a delimiter, with or without a backslash.
fn value_len(is_delimiter: bool, after: &str) -> usize {
    let is_separator = |char| char == ',' || char == ';';
    match after.strip_prefix('\\') {
        Some(after) if is_delimiter && after.starts_with(is_separator) => 2,
        None if is_delimiter && after.starts_with(is_separator) => 1,
        _ => after.find(is_separator).unwrap_or(after.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_options_are_parsed() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse(), Ok(*format));
        }
        let spec: Spec = "csv,delimiter=,;time-col=1;obj-id-col=3,has-header=0"
            .parse()
            .expect("right");
        assert_eq!((spec.delimiter, spec.header), (Some(b','), Some(false)));
        assert_eq!((spec.columns.time, spec.columns.key), (Some(0), Some(2)));
        let given = "csv, time_col = 2, Obj-ID-col=5; SIZE-COL=4,cnt-col=6,op-col=7,ttl-col=8,\
            obj-cost-col=9,tenant-col=10,feature-cols=11|12,delimiter=\\,,header=Y,obj-id-is-num=TRUE,\
            block-size=512";
        let spec: Spec = given.parse().expect("right");
        let columns = ColumnNumbers {
            time: Some(1),
            key: Some(4),
            size: Some(3),
            op: Some(6),
            ttl: Some(7),
            count: Some(5),
        };
        assert_eq!((spec.columns, spec.delimiter), (columns, Some(b',')));
        assert_eq!((spec.header, spec.numeric), (Some(true), true));
        assert_eq!((spec.block, spec.split), (Some(512), None));
        let spec: Spec = "csv,delimiter= ".parse().expect("right");
        assert_eq!(spec.delimiter, Some(b' '));
        let spec: Spec = "binary,format=<IQI,obj-id-col=2".parse().expect("right");
        assert_eq!(spec.layout.as_deref(), Some("<IQI"));
        for wrong in [
            "",
            "nonsense",
            "csv,",
            "csv,nonsense=1",
            "csv,time-col=0",
            "csv,time-col=x",
            "csv,delimiter=xy",
            "txt,time-col=1",
            "csv,has-header=maybe",
            "csv,obj-id-col",
            "csv,é=1",
            "csv,block-size=0",
            "csv,block-size=4K",
            "csv,tenant-col=0",
            "msr,block-size=512",
            "mooncake,prefix=2",
        ] {
            let error = wrong.parse::<Spec>();
            assert_eq!(error.is_err(), wrong != "csv,", "{wrong}");
        }
    }
}
