//! The lines of `show info`: the process, in 2.6's order and under 2.6's names, then what 2.7 to 3.0 added.
//! `TotalSplicdedBytesOut` stands beside the name that it has now.
//!
//! Lines about what baton does not have (TLS, compression, memory pools) say 0, as haproxy does when it is
//! not used.

use std::sync::Mutex;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::value::{Cell, Tags, Value, large, small, text};
use crate::pool::peers::PeerState;
use crate::pool::{Limited, Pool};
use crate::report::Identity;
use crate::units::Tick;

/// One line.
pub(super) struct Line {
    /// Its number in typed output: 2.6 leaves out two.
    pub(super) position: usize,
    pub(super) name: &'static str,
    pub(super) tags: Tags,
    pub(super) value: for<'a> fn(&Info<'a>) -> Cell<'a>,
    /// What it means, for `show info desc`.
    pub(super) description: &'static str,
}

/// What the lines are made of.
pub(crate) struct Info<'a> {
    pub(crate) pool: &'a Pool,
    pub(crate) identity: &'a Identity,
    pub(crate) lost_logs: u64,
    pub(crate) now: Tick,
    /// Sent bytes per second and idle percentage since the last look.
    pub(crate) sample: Sample,
}

/// Figures that need two moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) bytes_per_second: u64,
    pub(crate) idle_percent: u32,
}

/// Remembers the last look at figures whose rate is asked for.
#[derive(Debug, Default)]
pub(crate) struct Process {
    last: Mutex<Option<(Look, Sample)>>,
}

#[derive(Debug, Clone, Copy)]
struct Look {
    at: Tick,
    bytes: u64,
    /// Processor time of the process, ms.
    busy: u64,
}

impl Process {
    /// The rates between the look before this one and now. Looks less than a second apart see the same figures.
    pub(crate) fn sample(&self, pool: &Pool, now: Tick) -> Sample {
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (before, sample) = match *last {
            Some((before, sample)) if now.since(before.at) < 1000 => return sample,
            Some((before, sample)) => (before, sample),
            None => (
                Look { at: pool.process.started, bytes: 0, busy: 0 },
                Sample { bytes_per_second: 0, idle_percent: 100 },
            ),
        };
        let look = Look { at: now, bytes: pool.process.bytes_out.get(), busy: processor_time() };
        let elapsed = now.since(before.at);
        if elapsed == 0 {
            return sample;
        }
        let threads = u64::from(pool.process.threads.load(Relaxed).max(1));
        let busy = (look.busy.saturating_sub(before.busy) * 100 / (elapsed * threads)).min(100);
        let sample = Sample {
            bytes_per_second: look.bytes.saturating_sub(before.bytes) * 1000 / elapsed,
            idle_percent: 100 - busy as u32,
        };
        *last = Some((look, sample));
        sample
    }
}

/// Processor time of this process so far, ms.
fn processor_time() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    (time.tv_sec as u64).saturating_mul(1000) + time.tv_nsec as u64 / 1_000_000
}

impl Info<'_> {
    fn uptime(&self) -> u64 {
        self.now.since(self.pool.process.started) / 1000
    }

    /// What was planned; without a plan, the limit.
    fn maxsock(&self) -> u64 {
        match self.pool.process.maxsock.load(Relaxed) {
            0 => self.descriptors(),
            planned => u64::from(planned),
        }
    }

    fn descriptors(&self) -> u64 {
        match self.pool.process.nofile.load(Relaxed) {
            0 => getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
            planned => u64::from(planned),
        }
    }

    fn maxconn(&self) -> u32 {
        self.pool.process.maxconn.load(Relaxed)
    }

    fn listeners(&self) -> usize {
        let proxies = self.pool.config.proxies.iter().filter(|proxy| !proxy.disabled);
        let binds: usize = proxies.filter_map(|proxy| proxy.frontend.as_ref()).map(|front| front.binds.len()).sum();
        binds + self.pool.config.global.stats_sockets.len()
    }
}

/// `0d 1h02m03s`.
pub(crate) fn uptime(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    format!("{days}d {hours}h{minutes:02}m{:02}s", seconds % 60)
}

const fn line(
    position: usize,
    name: &'static str,
    tags: &'static str,
    value: for<'a> fn(&Info<'a>) -> Cell<'a>,
    description: &'static str,
) -> Line {
    Line { position, name, tags: Tags(tags), value, description }
}

impl Info<'_> {
    /// Peers of whom that is true.
    fn peers(&self, of: impl Fn(&PeerState) -> bool) -> u32 {
        let sections = self.pool.peers.iter();
        sections.map(|section| section.lock().peers.iter().filter(|peer| of(peer)).count() as u32).sum()
    }
}

fn zero<'a>(_: &Info<'a>) -> Cell<'a> {
    small(0u32)
}

fn big_zero<'a>(_: &Info<'a>) -> Cell<'a> {
    large(0u32)
}

#[rustfmt::skip]
pub(super) const LINES: [Line; 75] = [
    line(0, "Name", "POS", |_| text("HAProxy"), "Name of the product, as tools expect it"),
    line(1, "Version", "POS", |i| text(i.identity.version.as_str()), "Version of this program"),
    line(2, "Release_date", "POS", |i| text(i.identity.released.as_str()), "Date of this version"),
    line(3, "Nbthread", "CGS", |i| small(i.pool.process.threads.load(Relaxed)), "Serving threads"),
    line(4, "Nbproc", "CGS", |_| small(1u32), "Serving processes"),
    line(5, "Process_num", "KGP", |_| small(1u32), "Number of this serving process"),
    line(6, "Pid", "SGP", |_| small(std::process::id()), "Process id"),
    line(7, "Uptime", "MDP", |i| text(uptime(i.uptime())), "Time since the start"),
    line(8, "Uptime_sec", "MDP", |i| small(i.uptime()), "Seconds since the start"),
    line(9, "Memmax_MB", "CLP", zero, "Memory limit (-m) in megabytes"),
    line(10, "PoolAlloc_MB", "MGP", zero, "Megabytes in memory pools"),
    line(11, "PoolUsed_MB", "MGP", zero, "Megabytes in use in memory pools"),
    line(12, "PoolFailed", "MCP", zero, "Failed allocations"),
    line(13, "Ulimit-n", "CLP", |i| small(i.descriptors()), "Limit on open descriptors"),
    line(14, "Maxsock", "CLP", |i| small(i.maxsock()), "Descriptors that the limits need"),
    line(15, "Maxconn", "CLP", |i| small(i.maxconn()), "Limit on client connections"),
    line(16, "Hard_maxconn", "CLP", |i| small(i.pool.process.hard_maxconn.load(Relaxed)), "Limit on client connections at the start"),
    line(17, "CurrConns", "MGP", |i| small(i.pool.process.connections.get()), "Client connections now"),
    line(18, "CumConns", "MCP", |i| small(i.pool.process.connections_total.get()), "Client connections since the start"),
    line(19, "CumReq", "MCP", |i| small(i.pool.process.requests_total.get()), "Requests and commands since the start"),
    line(20, "MaxSslConns", "MMP", zero, "Limit on TLS connections"),
    line(21, "CurrSslConns", "MGP", zero, "TLS connections now"),
    line(22, "CumSslConns", "MCP", zero, "TLS connections since the start"),
    line(23, "Maxpipes", "CLP", |i| small(i.pool.process.maxpipes.load(Relaxed)), "Limit on pipes for splicing"),
    line(24, "PipesUsed", "MGP", zero, "Pipes in use"),
    line(25, "PipesFree", "MGP", zero, "Pipes in reserve"),
    line(26, "ConnRate", "MRP", |i| small(i.pool.process.connection_rate.get(i.now)), "Client connections in the last second"),
    line(27, "ConnRateLimit", "CLP", |i| small(i.pool.process.rates.get(Limited::Connections)), "Limit on client connections per second"),
    line(28, "MaxConnRate", "MMP", |i| small(i.pool.process.connection_rate.max()), "Most client connections in a second"),
    line(29, "SessRate", "MRP", |i| small(i.pool.process.session_rate.get(i.now)), "Sessions in the last second"),
    line(30, "SessRateLimit", "CLP", |i| small(i.pool.process.rates.get(Limited::Sessions)), "Limit on sessions per second"),
    line(31, "MaxSessRate", "MRP", |i| small(i.pool.process.session_rate.max()), "Most sessions in a second"),
    line(32, "SslRate", "MRP", zero, "TLS connections in the last second"),
    line(33, "SslRateLimit", "CLP", |i| small(i.pool.process.rates.get(Limited::SslSessions)), "Limit on TLS connections per second"),
    line(34, "MaxSslRate", "MMP", zero, "Most TLS connections in a second"),
    line(35, "SslFrontendKeyRate", "MGP", zero, "TLS keys computed for clients in the last second"),
    line(36, "SslFrontendMaxKeyRate", "MMP", zero, "Most TLS keys computed for clients in a second"),
    line(37, "SslFrontendSessionReuse_pct", "MGP", zero, "Percentage of resumed TLS sessions of clients"),
    line(38, "SslBackendKeyRate", "MRP", zero, "TLS keys computed for servers in the last second"),
    line(39, "SslBackendMaxKeyRate", "MMP", zero, "Most TLS keys computed for servers in a second"),
    line(40, "SslCacheLookups", "MCP", zero, "TLS session lookups"),
    line(41, "SslCacheMisses", "MCP", zero, "TLS session lookups without a result"),
    line(42, "CompressBpsIn", "MRP", zero, "Bytes per second into compression"),
    line(43, "CompressBpsOut", "MRP", zero, "Bytes per second out of compression"),
    line(44, "CompressBpsRateLim", "CLP", |i| small(i.pool.process.rates.get(Limited::Compression).saturating_mul(1024)), "Limit on bytes per second out of compression"),
    line(47, "Tasks", "MGP", |i| small(i.pool.process.connections.get()), "Tasks: sessions that are served"),
    line(48, "Run_queue", "MGP", zero, "Tasks that wait for a thread"),
    line(49, "Idle_pct", "MaP", |i| small(i.sample.idle_percent), "Percentage of time the threads had nothing to do"),
    line(50, "node", "COS", |i| text(i.pool.config.global.node.as_deref().unwrap_or(&i.identity.hostname)), "Name of this node"),
    line(51, "description", "COS", |i| i.pool.config.global.description.as_deref().and_then(text), "Description of this node"),
    line(52, "Stopping", "MGP", |i| small(u32::from(i.pool.process.stopping.load(Relaxed))), "1 while it is stopping"),
    line(53, "Jobs", "MGP", |i| small(u64::from(i.pool.process.connections.get()) + i.listeners() as u64), "Listeners and connections"),
    line(54, "Unstoppable Jobs", "MGP", zero, "Jobs that do not keep it from ending"),
    line(55, "Listeners", "MGP", |i| small(i.listeners()), "Listening addresses"),
    line(56, "ActivePeers", "MGP", |i| small(i.peers(|peer| peer.active)), "Peers that are in sync"),
    line(57, "ConnectedPeers", "MGP", |i| small(i.peers(|peer| peer.talks)), "Peers that are connected"),
    line(58, "DroppedLogs", "MGP", |i| small(i.lost_logs), "Log lines that could not be sent"),
    line(59, "BusyPolling", "MGP", zero, "1 when threads never sleep"),
    line(60, "FailedResolutions", "MGP", zero, "Names that could not be resolved"),
    line(61, "TotalBytesOut", "MGP", |i| large(i.pool.process.bytes_out.get()), "Bytes sent since the start"),
    line(62, "TotalSplicdedBytesOut", "MGP", |i| large(i.pool.process.bytes_spliced.get()), "Bytes sent by splicing since the start"),
    line(62, "TotalSplicedBytesOut", "MGP", |i| large(i.pool.process.bytes_spliced.get()), "Bytes sent by splicing since the start"), // 2.7 and later
    line(63, "BytesOutRate", "MRP", |i| large(i.sample.bytes_per_second), "Bytes sent per second since the last look"),
    line(64, "DebugCommandsIssued", "MGP", zero, "Debugging commands that were run"),
    line(65, "CumRecvLogs", "MCP", zero, "Log messages received"),
    line(66, "Build info", "POS", |i| text(i.identity.version.as_str()), "Version of this build"),
    line(67, "Memmax_bytes", "CLP", zero, "Memory limit (-m) in bytes"),
    line(68, "PoolAlloc_bytes", "MGP", big_zero, "Bytes in memory pools"),
    line(69, "PoolUsed_bytes", "MGP", big_zero, "Bytes in use in memory pools"),
    line(70, "Start_time_sec", "MDP", started, "When it started, in seconds since 1970"),
    line(71, "Tainted", "SGP", |_| text("0"), "What was used that is not supported"),
    // From here on: 2.7 to 3.0.
    line(72, "TotalWarnings", "MCP", |i| small(i.pool.process.warnings.load(Relaxed)), "Warnings of the start"),
    line(73, "MaxconnReached", "MCP", |i| large(i.pool.process.limit_reached.get()), "Times that a connection was the last that the limit allows"),
    line(74, "BootTime_ms", "MDP", |i| small(i.pool.process.boot_millis.load(Relaxed)), "Milliseconds that the start took"),
    line(75, "Niced_tasks", "MGP", zero, "Tasks with a priority of their own that wait for a thread"),
];

fn started<'a>(info: &Info<'a>) -> Cell<'a> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Some(Value::U32(now.saturating_sub(info.uptime()) as u32))
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Style {
    pub(crate) described: bool,
    pub(crate) typed: bool,
    /// Rates and seconds as numbers that may have a fraction.
    pub(crate) float: bool,
}

/// The lines that `show info float` has as such numbers, but for those of seconds. Observed on 2.6.12.
const FLOATS: [&str; 8] = [
    "ConnRate",
    "SessRate",
    "SslRate",
    "SslFrontendKeyRate",
    "SslFrontendSessionReuse_pct",
    "SslBackendKeyRate",
    "CompressBpsIn",
    "CompressBpsOut",
];

impl Line {
    /// Its tags; what is told with a fraction is a rate.
    pub(super) fn tags(&self, float: bool) -> Tags {
        if float && FLOATS.contains(&self.name) { Tags("MRP") } else { self.tags }
    }
}

impl<'a> Info<'a> {
    /// A line's value, as it is or as a number with a fraction.
    pub(super) fn value(&self, line: &Line, float: bool) -> Cell<'a> {
        let value = (line.value)(self)?;
        if !float {
            return Some(value);
        }
        let uptime = self.now.since(self.pool.process.started) as f64 / 1000.0;
        Some(match (line.name, value) {
            ("Uptime_sec", _) => Value::F64(uptime),
            ("Start_time_sec", _) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Value::F64(now.as_secs_f64() - uptime)
            }
            (name, Value::U32(n)) if FLOATS.contains(&name) => Value::F64(n.into()),
            (_, value) => value,
        })
    }
}

impl<'a> Info<'a> {
    /// The value of a line by its name, and what it means; `None`: there is no such line.
    pub(crate) fn named(&self, name: &str) -> Option<(Cell<'a>, &'static str)> {
        LINES.iter().find(|line| line.name == name).map(|line| ((line.value)(self), line.description))
    }
}

impl Info<'_> {
    /// `name: value` lines, or typed ones.
    pub(crate) fn lines(&self, style: Style) -> String {
        use std::fmt::Write;
        let mut out = String::new();
        for line in &LINES {
            let Some(value) = self.value(line, style.float) else { continue };
            // Writing to a String cannot fail.
            let _ = match style.typed {
                true => {
                    let tags = line.tags(style.float);
                    write!(out, "{}.{}.1:{}:{}:{value}", line.position, line.name, tags.0, value.kind())
                }
                false => write!(out, "{}: {value}", line.name),
            };
            if style.described {
                let _ = write!(out, ":\"{}\"", line.description);
            }
            out.push('\n');
        }
        out
    }
}
