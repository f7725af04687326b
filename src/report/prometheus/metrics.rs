//! Which metrics there are: their names, types and order are those of haproxy 2.6's exporter.
//!
//! Seen on 2.6.12 and held against it in tests/metrics.rs. Each metric of proxies is a column of `show stat`, each of the
//! process a line of `show info`.

/// What a metric's value does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Gauge,
    Counter,
}

/// How a column becomes values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is; `NaN` where the column is empty.
    Plain,
    /// The same, of proxies in `mode http` only.
    Http,
    /// Milliseconds, told in seconds.
    Millis,
    /// Responses of a class, the label `code`; of proxies in `mode http` only.
    Class(&'static str),
    /// 1 for the state the object is in, 0 for the others: the label `state`.
    State,
    /// The same of what the last check found, for servers that are checked.
    Check,
    /// A number of servers that are checked: 0 where the column is empty.
    Code,
    /// Milliseconds of servers that have been checked, told in seconds.
    Duration,
    /// How many servers of a backend are in each state.
    Servers,
    /// Of how many servers the last check found what.
    Checks,
}

/// One metric of proxies.
pub(super) struct Metric {
    /// The column.
    pub(super) column: &'static str,
    /// The name behind `haproxy_SCOPE_`.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// For which objects: `f`rontends, `l`isteners, `b`ackends, `s`ervers.
    pub(super) scopes: &'static str,
    pub(super) form: Form,
}

const fn gauge(column: &'static str, name: &'static str, scopes: &'static str, form: Form) -> Metric {
    Metric { column, name, kind: Kind::Gauge, scopes, form }
}

const fn counter(column: &'static str, name: &'static str, scopes: &'static str, form: Form) -> Metric {
    Metric { column, name, kind: Kind::Counter, scopes, form }
}

use Form::{Check, Checks, Class, Code, Duration, Http, Millis, Plain, Servers, State};

/// All metrics of proxies, in order.
#[rustfmt::skip]
pub(super) const METRICS: [Metric; 75] = [
    gauge("qcur", "current_queue", "bs", Plain),
    gauge("qmax", "max_queue", "bs", Plain),
    gauge("scur", "current_sessions", "flbs", Plain),
    gauge("smax", "max_sessions", "flbs", Plain),
    gauge("slim", "limit_sessions", "flbs", Plain),
    counter("stot", "sessions_total", "flbs", Plain),
    counter("bin", "bytes_in_total", "flbs", Plain),
    counter("bout", "bytes_out_total", "flbs", Plain),
    counter("dreq", "requests_denied_total", "flb", Plain),
    counter("dresp", "responses_denied_total", "flbs", Plain),
    counter("ereq", "request_errors_total", "fl", Plain),
    counter("econ", "connection_errors_total", "bs", Plain),
    counter("eresp", "response_errors_total", "bs", Plain),
    counter("wretr", "retry_warnings_total", "bs", Plain),
    counter("wredis", "redispatch_warnings_total", "bs", Plain),
    gauge("status", "status", "flbs", State),
    gauge("weight", "weight", "bs", Plain),
    gauge("act", "active_servers", "b", Plain),
    gauge("bck", "backup_servers", "b", Plain),
    counter("chkfail", "check_failures_total", "s", Plain),
    counter("chkdown", "check_up_down_total", "bs", Plain),
    gauge("lastchg", "check_last_change_seconds", "bs", Plain),
    counter("downtime", "downtime_seconds_total", "bs", Plain),
    gauge("qlimit", "queue_limit", "s", Plain),
    gauge("throttle", "current_throttle", "s", Plain),
    counter("lbtot", "loadbalanced_total", "bs", Plain),
    gauge("rate_lim", "limit_session_rate", "f", Plain),
    gauge("rate_max", "max_session_rate", "fbs", Plain),
    gauge("check_status", "check_status", "s", Check),
    gauge("check_code", "check_code", "s", Code),
    gauge("check_duration", "check_duration_seconds", "s", Duration),
    counter("hrsp_1xx", "http_responses_total", "fbs", Class("1xx")),
    counter("hrsp_2xx", "http_responses_total", "fbs", Class("2xx")),
    counter("hrsp_3xx", "http_responses_total", "fbs", Class("3xx")),
    counter("hrsp_4xx", "http_responses_total", "fbs", Class("4xx")),
    counter("hrsp_5xx", "http_responses_total", "fbs", Class("5xx")),
    counter("hrsp_other", "http_responses_total", "fbs", Class("other")),
    gauge("req_rate_max", "http_requests_rate_max", "f", Http),
    counter("req_tot", "http_requests_total", "fb", Http),
    counter("cli_abrt", "client_aborts_total", "bs", Plain),
    counter("srv_abrt", "server_aborts_total", "bs", Plain),
    counter("comp_in", "http_comp_bytes_in_total", "fb", Http),
    counter("comp_out", "http_comp_bytes_out_total", "fb", Http),
    counter("comp_byp", "http_comp_bytes_bypassed_total", "fb", Http),
    counter("comp_rsp", "http_comp_responses_total", "fb", Http),
    gauge("lastsess", "last_session_seconds", "bs", Plain),
    gauge("qtime", "queue_time_average_seconds", "bs", Millis),
    gauge("ctime", "connect_time_average_seconds", "bs", Millis),
    gauge("rtime", "response_time_average_seconds", "bs", Millis),
    gauge("ttime", "total_time_average_seconds", "bs", Millis),
    gauge("conn_rate_max", "connections_rate_max", "f", Plain),
    counter("conn_tot", "connections_total", "f", Plain),
    counter("intercepted", "intercepted_requests_total", "f", Http),
    counter("dcon", "denied_connections_total", "fl", Plain),
    counter("dses", "denied_sessions_total", "fl", Plain),
    counter("wrew", "failed_header_rewriting_total", "flbs", Plain),
    counter("connect", "connection_attempts_total", "bs", Plain),
    counter("reuse", "connection_reuses_total", "bs", Plain),
    counter("cache_lookups", "http_cache_lookups_total", "fb", Http),
    counter("cache_hits", "http_cache_hits_total", "fb", Http),
    gauge("srv_icur", "idle_connections_current", "s", Plain),
    gauge("src_ilim", "idle_connections_limit", "s", Plain),
    gauge("qtime_max", "max_queue_time_seconds", "bs", Millis),
    gauge("ctime_max", "max_connect_time_seconds", "bs", Millis),
    gauge("rtime_max", "max_response_time_seconds", "bs", Millis),
    gauge("ttime_max", "max_total_time_seconds", "bs", Millis),
    counter("eint", "internal_errors_total", "flbs", Plain),
    gauge("idle_conn_cur", "unsafe_idle_connections_current", "s", Plain),
    gauge("safe_conn_cur", "safe_idle_connections_current", "s", Plain),
    gauge("used_conn_cur", "used_connections_current", "s", Plain),
    gauge("need_conn_est", "need_connections_current", "s", Plain),
    gauge("uweight", "uweight", "bs", Plain),
    gauge("agg_server_status", "agg_server_status", "b", Servers),
    gauge("agg_server_check_status", "agg_server_check_status", "b", Servers),
    gauge("agg_check_status", "agg_check_status", "b", Checks),
];

/// All metrics of the process, in order: the line of `show info`, the name behind `haproxy_process_`, what it does.
#[rustfmt::skip]
pub(super) const PROCESS: [(&str, &str, Kind); 60] = [
    ("Nbthread", "nbthread", Kind::Gauge),
    ("Nbproc", "nbproc", Kind::Gauge),
    ("Process_num", "relative_process_id", Kind::Gauge),
    ("Uptime_sec", "uptime_seconds", Kind::Gauge),
    ("PoolFailed", "pool_failures_total", Kind::Counter),
    ("Ulimit-n", "max_fds", Kind::Gauge),
    ("Maxsock", "max_sockets", Kind::Gauge),
    ("Maxconn", "max_connections", Kind::Gauge),
    ("Hard_maxconn", "hard_max_connections", Kind::Gauge),
    ("CurrConns", "current_connections", Kind::Gauge),
    ("CumConns", "connections_total", Kind::Counter),
    ("CumReq", "requests_total", Kind::Counter),
    ("MaxSslConns", "max_ssl_connections", Kind::Gauge),
    ("CurrSslConns", "current_ssl_connections", Kind::Gauge),
    ("CumSslConns", "ssl_connections_total", Kind::Counter),
    ("Maxpipes", "max_pipes", Kind::Gauge),
    ("PipesUsed", "pipes_used_total", Kind::Counter),
    ("PipesFree", "pipes_free_total", Kind::Counter),
    ("ConnRate", "current_connection_rate", Kind::Gauge),
    ("ConnRateLimit", "limit_connection_rate", Kind::Gauge),
    ("MaxConnRate", "max_connection_rate", Kind::Gauge),
    ("SessRate", "current_session_rate", Kind::Gauge),
    ("SessRateLimit", "limit_session_rate", Kind::Gauge),
    ("MaxSessRate", "max_session_rate", Kind::Gauge),
    ("SslRate", "current_ssl_rate", Kind::Gauge),
    ("SslRateLimit", "limit_ssl_rate", Kind::Gauge),
    ("MaxSslRate", "max_ssl_rate", Kind::Gauge),
    ("SslFrontendKeyRate", "current_frontend_ssl_key_rate", Kind::Gauge),
    ("SslFrontendMaxKeyRate", "max_frontend_ssl_key_rate", Kind::Gauge),
    ("SslFrontendSessionReuse_pct", "frontend_ssl_reuse", Kind::Gauge),
    ("SslBackendKeyRate", "current_backend_ssl_key_rate", Kind::Gauge),
    ("SslBackendMaxKeyRate", "max_backend_ssl_key_rate", Kind::Gauge),
    ("SslCacheLookups", "ssl_cache_lookups_total", Kind::Counter),
    ("SslCacheMisses", "ssl_cache_misses_total", Kind::Counter),
    ("CompressBpsIn", "http_comp_bytes_in_total", Kind::Counter),
    ("CompressBpsOut", "http_comp_bytes_out_total", Kind::Counter),
    ("CompressBpsRateLim", "limit_http_comp", Kind::Gauge),
    ("ZlibMemUsage", "current_zlib_memory", Kind::Gauge),
    ("MaxZlibMemUsage", "max_zlib_memory", Kind::Gauge),
    ("Tasks", "current_tasks", Kind::Gauge),
    ("Run_queue", "current_run_queue", Kind::Gauge),
    ("Idle_pct", "idle_time_percent", Kind::Gauge),
    ("Stopping", "stopping", Kind::Gauge),
    ("Jobs", "jobs", Kind::Gauge),
    ("Unstoppable Jobs", "unstoppable_jobs", Kind::Gauge),
    ("Listeners", "listeners", Kind::Gauge),
    ("ActivePeers", "active_peers", Kind::Gauge),
    ("ConnectedPeers", "connected_peers", Kind::Gauge),
    ("DroppedLogs", "dropped_logs_total", Kind::Counter),
    ("BusyPolling", "busy_polling_enabled", Kind::Gauge),
    ("FailedResolutions", "failed_resolutions", Kind::Counter),
    ("TotalBytesOut", "bytes_out_total", Kind::Counter),
    ("TotalSplicdedBytesOut", "spliced_bytes_out_total", Kind::Counter),
    ("BytesOutRate", "bytes_out_rate", Kind::Gauge),
    ("CumRecvLogs", "recv_logs_total", Kind::Counter),
    ("Build info", "build_info", Kind::Gauge),
    ("Memmax_bytes", "max_memory_bytes", Kind::Gauge),
    ("PoolAlloc_bytes", "pool_allocated_bytes", Kind::Gauge),
    ("PoolUsed_bytes", "pool_used_bytes", Kind::Gauge),
    ("Start_time_sec", "start_time_seconds", Kind::Gauge),
];

/// The states of an object, by its scope.
pub(super) fn states(scope: char) -> &'static [&'static str] {
    match scope {
        'l' => &["WAITING", "OPEN", "FULL"],
        's' => &SERVERS,
        _ => &["DOWN", "UP"],
    }
}

/// The states of a server.
pub(super) const SERVERS: [&str; 5] = ["DOWN", "UP", "MAINT", "DRAIN", "NOLB"];

/// What a check may find.
pub(super) const CHECKS: [&str; 16] = [
    "HANA", "SOCKERR", "L4OK", "L4TOUT", "L4CON", "L6OK", "L6TOUT", "L6RSP", "L7TOUT", "L7RSP", "L7OK", "L7OKC",
    "L7STS", "PROCERR", "PROCTOUT", "PROCOK",
];
