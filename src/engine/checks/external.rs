//! Checks a server by a program: what it is given, how long it may take, what its end means.
//!
//! The program is started without a copy of this process's memory, so that threads are no danger; it reads nothing and
//! writes where this process writes. One that takes too long gets SIGTERM, and SIGKILL when that does not help.
//! Source: manual §4.2 "external-check command"; arguments, variables and codes observed on 2.6.12
//! (`tests/external.rs`).

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::unix::pipe::Receiver;
use tokio::time::timeout;

use super::clock;
use crate::ir::check::CheckStatus;
use crate::ir::{Endpoint, External, Proxy, ServerAddress, TrackRef};
use crate::pool::{CheckResult, Pool};
use crate::sys::pidfd::{PidFd, Signal};

/// How long a program that was asked to end may take.
const GRACE: Duration = Duration::from_millis(500);

/// What `NOT_USED` stands for in the arguments: no address, no port.
const NOT_USED: &str = "NOT_USED";

/// A program that is to be started.
#[derive(Debug)]
pub(super) struct Program {
    external: Arc<External>,
    /// Whether it gets the variables of this process.
    preserve: bool,
    arguments: [OsString; 4],
    variables: Vec<(&'static str, OsString)>,
    limit: Duration,
}

impl Program {
    /// What checks this server; `None`: no program does.
    pub(super) fn of(pool: &Pool, at: TrackRef) -> Option<Self> {
        let proxy = pool.config.proxies.get(at.proxy.0 as usize)?;
        let back = proxy.backend.as_ref()?;
        let external = Arc::clone(back.external.as_ref()?);
        let server = pool.server_now(at.proxy, at.server)?;
        let check = server.check.as_ref()?;
        let (listen, listen_port) = listener(proxy);
        let (address, port) = match &server.address {
            ServerAddress::Inet(address) => (address.ip().to_string().into(), Some(address.port())),
            ServerAddress::Unix(path) => (path.clone().into_os_string(), None),
            ServerAddress::Abstract(name) => (OsString::from_vec([b"abns@", &name[..]].concat()), None),
            ServerAddress::SockPair(_) => (OsString::new(), None),
            ServerAddress::Unresolved { .. } => return None,
        };
        let current = pool.back(at.proxy)?.servers.get(at.server.0 as usize)?.sessions.get();
        let number = |port: Option<u16>, none: &str| port.map_or_else(|| none.into(), |port| port.to_string().into());
        Some(Self {
            arguments: [
                listen.clone().unwrap_or_else(|| NOT_USED.into()),
                number(listen_port, NOT_USED),
                address.clone(),
                number(port, NOT_USED),
            ],
            variables: vec![
                ("HAPROXY_PROXY_ADDR", listen.unwrap_or_default()),
                ("HAPROXY_PROXY_ID", proxy.id.to_string().into()),
                ("HAPROXY_PROXY_NAME", proxy.name.clone().into()),
                ("HAPROXY_PROXY_PORT", number(listen_port, "")),
                ("HAPROXY_SERVER_ADDR", address),
                ("HAPROXY_SERVER_CURCONN", current.to_string().into()),
                ("HAPROXY_SERVER_ID", server.id.to_string().into()),
                ("HAPROXY_SERVER_MAXCONN", server.maxconn.to_string().into()),
                ("HAPROXY_SERVER_NAME", server.name.clone().into()),
                ("HAPROXY_SERVER_PORT", number(port, "")),
                ("HAPROXY_SERVER_SSL", "0".into()),
                ("HAPROXY_SERVER_PROTO", "tcp".into()),
            ],
            external,
            preserve: pool.config.global.external_checks.unwrap_or(false),
            limit: check.inter.duration(),
        })
    }

    /// Runs it; takes as long as the interval of the checks at most.
    pub(super) async fn run(self) -> CheckResult {
        let started = clock::now();
        let (status, code, detail) = match self.start() {
            Ok(child) => {
                let (status, code) = end(child, self.limit).await;
                (status, code, None)
            }
            // as if it had been started and had found nothing to be run
            Err(why) => (CheckStatus::ProcErr, Some(255), Some(why.to_string().into())),
        };
        let duration = u32::try_from(clock::now().since(started)).unwrap_or(u32::MAX);
        CheckResult { status, duration, code, detail }
    }

    fn start(&self) -> std::io::Result<Child> {
        let mut command = Command::new(&self.external.command);
        if !self.preserve {
            command.env_clear();
        }
        command.args(&self.arguments).envs(self.variables.iter().map(|(name, value)| (name, value)));
        match &self.external.path {
            Some(path) => _ = command.env("PATH", path),
            None if self.preserve => {}
            None => _ = command.env("PATH", ""),
        }
        command.stdin(Stdio::null()).spawn()
    }
}

/// The first address that the proxy listens on, and its port.
fn listener(proxy: &Proxy) -> (Option<OsString>, Option<u16>) {
    let binds = proxy.frontend.iter().flat_map(|front| &front.binds);
    let place = binds.into_iter().find_map(|bind| match &bind.endpoint {
        Endpoint::Inet(address) => Some((Some(address.ip().to_string().into()), Some(address.port()))),
        Endpoint::Unix(path) => Some((Some(path.clone().into_os_string()), None)),
        _ => None,
    });
    place.unwrap_or((None, None))
}

/// Waits for its end, and says what that means.
async fn end(mut child: Child, limit: Duration) -> (CheckStatus, Option<u16>) {
    let handle = i32::try_from(child.id()).ok().and_then(|pid| PidFd::open(pid).ok().flatten());
    // The descriptor of a process becomes readable when that ends, and nothing is ever read from it: what the runtime
    // knows as a pipe waits for just that.
    let ended = |handle: &PidFd| Receiver::from_owned_fd_unchecked(handle.as_fd().try_clone_to_owned()?);
    let Some((handle, ended)) = handle.and_then(|handle| ended(&handle).ok().map(|ended| (handle, ended))) else {
        // without a handle nobody can wait for it without blocking
        let _ = child.kill().and_then(|()| child.wait());
        return (CheckStatus::SockErr, None);
    };
    if timeout(limit, ended.readable()).await.is_err() {
        drop(tokio::task::spawn_local(async move {
            let _ = handle.signal(Signal::TERM);
            if timeout(GRACE, ended.readable()).await.is_err() {
                let _ = child.kill();
            }
            let _ = child.wait();
        }));
        return (CheckStatus::ProcTout, None);
    }
    match child.wait().ok().map(|status| (status.code(), status.signal())) {
        Some((Some(0), _)) => (CheckStatus::ProcOk, None),
        Some((Some(code), _)) => (CheckStatus::ProcErr, u16::try_from(code).ok()),
        // ended by a signal: told as -1
        _ => (CheckStatus::ProcErr, None),
    }
}
