//! The listening sockets of a run: taken from an old process, inherited, or bound.
//!
//! [`wants`] says which sockets a configuration asks for; [`open`] gets all of them or none. What is bound in the file
//! system appears under its name only by [`Opened::publish`], when nothing can fail any more. Sends no signal: what to do
//! about a busy address is asked of a [`Busy`].

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::engine::{Listening, Purpose};
use crate::ir::{BindOptions, Config, Endpoint, FilePermissions, ServerAddress};
use crate::plan::{self, Line};
use crate::sys::channel;
use crate::sys::fd::Inherited;
use crate::sys::socket::{self, Local, TcpOptions};
use crate::text::Span;
use crate::units::Millis;

/// One socket that a configuration asks for.
#[derive(Debug, Clone)]
pub(crate) struct Want {
    purpose: Purpose,
    place: Place,
    options: TcpOptions,
    file: FilePermissions,
    backlog: u32,
    /// The proxy's name, or `GLOBAL`.
    owner: String,
    span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Local(Local),
    Descriptor(i32),
    Channel(i32),
}

/// Why a socket cannot be had.
#[derive(Debug, Error)]
#[error("proxy {owner}: cannot bind socket to [{address}]: {why}")]
pub(crate) struct ListenError {
    /// The proxy's name, or `GLOBAL`.
    owner: String,
    address: String,
    /// What the system says.
    #[source]
    why: io::Error,
    /// The line to blame.
    pub(crate) span: Span,
}

/// Keeps the inherited sockets that servers are reached by (`sockpair@N`), whoever else takes them.
///
/// # Errors
/// The first descriptor that is no socket.
pub(crate) fn keep_channels(config: &Config) -> Result<(), ChannelError> {
    let backs = || config.proxies.iter().filter(|proxy| !proxy.disabled).filter_map(|proxy| proxy.backend.as_ref());
    let servers = backs().flat_map(|back| back.servers.iter().map(|server| &server.address));
    let addresses = servers.chain(backs().filter_map(|back| back.forward.as_ref()).map(|to| &to.address));
    let numbers: Vec<i32> = addresses
        .filter_map(|address| match address {
            ServerAddress::SockPair(number) => Some(*number),
            _ => None,
        })
        .collect();
    channel::keep(&numbers).map_err(|(number, why)| ChannelError { number, why })
}

/// Why a server behind an inherited socket cannot be reached.
#[derive(Debug, Error)]
#[error("a server is to be reached by sockpair@{number}: {why}")]
pub(crate) struct ChannelError {
    number: i32,
    /// What the system says.
    #[source]
    why: io::Error,
}

/// What is done when an address is in use.
pub(crate) trait Busy {
    /// Called after a failure; `true`: something changed, or may soon: try again.
    fn retry(&mut self, address: SocketAddr) -> bool;
}

/// All sockets of a run.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    /// The sockets, listening.
    pub(crate) listening: Vec<Listening>,
    /// How many of them were taken from an old process.
    pub(crate) taken: usize,
    /// How many were bound.
    pub(crate) bound: usize,
    /// Sockets in the file system: where they are, and where they are to be.
    unpublished: Vec<(PathBuf, PathBuf)>,
}

/// The sockets that `config` asks for, in the plan's order.
pub(crate) fn wants(config: &Config, maxconn: u32) -> Vec<Want> {
    let reuse_port = !config.global.no_reuseport;
    let want = |socket: plan::Socket<'_>| {
        let (options, span) = match socket.line {
            Line::Bind(bind) => (tcp_options(&bind.options, reuse_port, socket.backlog), bind.span),
            Line::Stats(stats) => (tcp_options(&BindOptions::default(), reuse_port, socket.backlog), stats.span),
        };
        Want {
            purpose: socket.purpose,
            place: Place::of(socket.endpoint()),
            options,
            file: socket.file().clone(),
            backlog: socket.backlog,
            owner: socket.owner.to_owned(),
            span,
        }
    };
    plan::sockets(config, maxconn).into_iter().map(want).collect()
}

fn tcp_options(options: &BindOptions, reuse_port: bool, backlog: u32) -> TcpOptions {
    TcpOptions {
        reuse_port,
        v6only: options.v6only,
        device: options.interface.clone(),
        mss: options.mss,
        fast_open: options.tfo.then_some(backlog),
        defer_accept: options.defer_accept,
        user_timeout: options.user_timeout.map(Millis::get),
        transparent: options.transparent,
        save_syn: options.save_syn,
    }
}

impl Place {
    fn of(endpoint: &Endpoint) -> Self {
        match endpoint {
            Endpoint::Inet(address) => Self::Local(Local::Inet(*address)),
            Endpoint::Unix(path) => Self::Local(Local::Path(path.clone())),
            Endpoint::Abstract(name) => Self::Local(Local::Abstract(name.clone())),
            Endpoint::Fd(number) => Self::Descriptor(*number),
            Endpoint::SockPair(number) => Self::Channel(*number),
        }
    }
}

impl Want {
    /// The TCP address, if it is one.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self.place {
            Place::Local(Local::Inet(address)) => Some(address),
            _ => None,
        }
    }

    /// The inherited descriptor that it names, if it names one.
    pub(crate) fn descriptor(&self) -> Option<i32> {
        match self.place {
            Place::Descriptor(number) | Place::Channel(number) => Some(number),
            Place::Local(_) => None,
        }
    }

    /// Whether a listening socket of another process is what we want.
    pub(crate) fn fits(&self, seen: &socket::Listener) -> bool {
        let Place::Local(wanted) = &self.place else { return false };
        let same = match (wanted, &seen.local) {
            (Local::Path(wanted), Local::Path(bound)) => socket::final_path(bound) == *wanted && wanted.exists(),
            (wanted, bound) => wanted == bound,
        };
        let v6only = !matches!(wanted, Local::Inet(SocketAddr::V6(_)))
            || self.options.v6only.is_none_or(|wanted| wanted == seen.v6only);
        same && v6only && seen.device == self.options.device
    }

    /// Makes a socket that somebody else has bound what this configuration says.
    fn adopt(&self, socket: &OwnedFd) -> io::Result<()> {
        socket::set_nonblocking(socket)?;
        if matches!(self.place, Place::Channel(_)) {
            return Ok(()); // connections come over it: it does not listen
        }
        if let Some(Local::Inet(_)) = socket::local(socket) {
            socket::set_live_options(socket, &self.options)?;
        }
        socket::listen(socket, self.backlog)
    }

    fn error(&self, why: io::Error) -> ListenError {
        let address = match &self.place {
            Place::Local(Local::Inet(address)) => address.to_string(),
            Place::Local(Local::Path(path)) => path.display().to_string(),
            Place::Local(Local::Abstract(name)) => format!("abns@{}", String::from_utf8_lossy(name)),
            Place::Descriptor(number) => format!("fd@{number}"),
            Place::Channel(number) => format!("sockpair@{number}"),
        };
        ListenError { owner: self.owner.clone(), address, why, span: self.span }
    }

    /// Binds and listens; a path is bound under its temporary name, which is the answer's second part.
    fn bind(&self) -> io::Result<(OwnedFd, Option<PathBuf>)> {
        let (fd, temporary) = match &self.place {
            Place::Local(Local::Inet(address)) => (socket::bind_tcp(*address, &self.options)?, None),
            Place::Local(Local::Abstract(name)) => (socket::bind_abstract(name, true)?, None),
            Place::Local(Local::Path(path)) => {
                let temporary = temporary_path(path);
                let _ = std::fs::remove_file(&temporary); // of a process of the same pid that died
                let fd = socket::bind_path(&temporary)?;
                (fd, Some(temporary))
            }
            Place::Descriptor(_) | Place::Channel(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        let ready = || {
            if let Some(temporary) = &temporary {
                socket::set_path_rights(temporary, self.file.uid, self.file.gid, self.file.mode)?;
            }
            socket::listen(&fd, self.backlog)
        };
        match ready() {
            Ok(()) => Ok((fd, temporary)),
            Err(why) => {
                temporary.map(std::fs::remove_file);
                Err(why)
            }
        }
    }
}

/// `PATH.PID.tmp`, as haproxy does it: whoever takes the socket over finds the path in its name.
fn temporary_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    PathBuf::from(name)
}

/// Gets every socket: from `found` if one there fits, from `inherited` for `fd@N`, else by binding. What is left of
/// `found` is closed; no socket there is ever shut down.
///
/// # Errors
/// Everything that cannot be had; what was bound meanwhile is closed again and its files are gone.
pub(crate) fn open(
    wants: &[Want],
    mut found: Vec<OwnedFd>,
    inherited: &Inherited,
    busy: &mut dyn Busy,
) -> Result<Opened, Vec<ListenError>> {
    let mut seen: Vec<Option<socket::Listener>> = found.iter().map(socket::listener).collect();
    let mut opened = Opened::default();
    let mut errors = Vec::new();
    for want in wants {
        if let Some(at) = seen.iter().position(|seen| seen.as_ref().is_some_and(|seen| want.fits(seen))) {
            seen.swap_remove(at);
            let fd = found.swap_remove(at);
            // A longer backlog than the old configuration's, and a flag that haproxy sets too.
            let ready = want.adopt(&fd);
            match ready {
                Ok(()) => {
                    opened.listening.push(Listening { purpose: want.purpose, socket: fd });
                    opened.taken += 1;
                }
                Err(why) => errors.push(want.error(why)),
            }
            continue;
        }
        match get(want, inherited, busy) {
            Ok((socket, temporary)) => {
                opened.listening.push(Listening { purpose: want.purpose, socket });
                opened.bound += usize::from(want.descriptor().is_none());
                if let (Some(temporary), Place::Local(Local::Path(path))) = (temporary, &want.place) {
                    opened.unpublished.push((temporary, path.clone()));
                }
            }
            Err(why) => errors.push(want.error(why)),
        }
    }
    if errors.is_empty() { Ok(opened) } else { Err(errors) }
}

fn get(want: &Want, inherited: &Inherited, busy: &mut dyn Busy) -> io::Result<(OwnedFd, Option<PathBuf>)> {
    if let Some(number) = want.descriptor() {
        let fd = inherited.take(number).ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))?;
        let fits = match want.place {
            Place::Channel(_) => channel::is_socket(&fd),
            _ => socket::local(&fd).is_some(),
        };
        if !fits {
            return Err(io::Error::from_raw_os_error(libc::ENOTSOCK));
        }
        want.adopt(&fd)?;
        return Ok((fd, None));
    }
    loop {
        let refused = match want.bind() {
            Ok(bound) => return Ok(bound),
            Err(why) => why,
        };
        let again = refused.kind() == io::ErrorKind::AddrInUse && want.address().is_some_and(|at| busy.retry(at));
        if !again {
            return Err(refused);
        }
    }
}

impl Opened {
    /// Gives the sockets in the file system their names, in the place of what was there.
    ///
    /// # Errors
    /// EACCES, ENOENT, with the path.
    pub(crate) fn publish(&mut self) -> Result<(), (PathBuf, io::Error)> {
        while let Some((temporary, path)) = self.unpublished.pop() {
            if let Err(why) = std::fs::rename(&temporary, &path) {
                let _ = std::fs::remove_file(&temporary);
                return Err((path, why));
            }
        }
        Ok(())
    }

    /// The sockets.
    pub(crate) fn into_listening(mut self) -> Vec<Listening> {
        std::mem::take(&mut self.listening)
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        for (temporary, _) in &self.unpublished {
            let _ = std::fs::remove_file(temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::ir::ProxyIx;
    use crate::text::FileId;

    fn want(place: Place) -> Want {
        Want {
            purpose: Purpose::Frontend(ProxyIx(0), 0),
            place,
            options: TcpOptions::default(),
            file: FilePermissions::default(),
            backlog: 16,
            owner: "l".to_owned(),
            span: Span::line(FileId(0), 1),
        }
    }

    fn tcp(address: &str) -> Want {
        want(Place::Local(Local::Inet(address.parse().unwrap())))
    }

    fn seen(local: Local) -> socket::Listener {
        socket::Listener { local, v6only: false, device: None }
    }

    struct Never;

    impl Busy for Never {
        fn retry(&mut self, _: SocketAddr) -> bool {
            false
        }
    }

    #[test]
    fn a_socket_fits_by_address_device_and_family() {
        let inet = |text: &str| Local::Inet(text.parse().unwrap());
        for (wanted, bound, fits) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("0.0.0.0:80", "127.0.0.1:80", false), // narrower: others would be left out
            ("127.0.0.1:80", "0.0.0.0:80", false),
            ("[::]:80", "[::]:80", true),
            ("[::]:80", "0.0.0.0:80", false),
        ] {
            assert_eq!(tcp(wanted).fits(&seen(inet(bound))), fits, "{wanted} {bound}");
        }
        let mut only = tcp("[::]:80");
        only.options.v6only = Some(true);
        assert!(!only.fits(&seen(inet("[::]:80"))));
        assert!(only.fits(&socket::Listener { v6only: true, ..seen(inet("[::]:80")) }));
        let device = socket::Listener { device: Some("eth0".into()), ..seen(inet("127.0.0.1:80")) };
        assert!(!tcp("127.0.0.1:80").fits(&device));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let bound = Local::Path(folder.path().join("s.77.tmp"));
        let wanted = want(Place::Local(Local::Path(path.clone())));
        assert!(!wanted.fits(&seen(bound.clone())), "nobody could reach it: the path is gone");
        std::fs::write(path, "").unwrap();
        assert!(wanted.fits(&seen(bound)));
        assert!(!want(Place::Descriptor(5)).fits(&seen(inet("127.0.0.1:80"))));
    }

    #[test]
    fn found_sockets_are_taken_and_the_rest_is_bound_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let old = TcpListener::bind("127.0.0.1:0").unwrap();
        let extra = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = old.local_addr().unwrap().to_string();
        let busy = extra.local_addr().unwrap().to_string();
        let inherited = Inherited::at_start();
        let found = || vec![extra.try_clone().unwrap().into(), old.try_clone().unwrap().into()];

        let wants = [tcp("127.0.0.1:0"), tcp(&address), want(Place::Local(Local::Path(path.clone())))];
        let mut opened = open(&wants, found(), &inherited, &mut Never).unwrap();
        assert_eq!((opened.taken, opened.bound, opened.listening.len()), (1, 2, 3));
        assert!(!path.exists(), "its name comes last");
        opened.publish().unwrap();
        std::os::unix::net::UnixStream::connect(&path).unwrap();
        drop(opened);
        assert!(path.exists(), "a socket's file stays, as with haproxy");

        let wants =
            [want(Place::Local(Local::Path(folder.path().join("t")))), tcp(&busy), want(Place::Descriptor(999))];
        let errors = open(&wants, Vec::new(), &inherited, &mut Never).unwrap_err();
        assert_eq!(errors.len(), 2, "all that is wrong is told: {errors:?}");
        assert!(errors[0].to_string().contains(&busy) && errors[1].to_string().contains("fd@999"));
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().map(|e| e.file_name()).collect();
        assert_eq!(left, ["s"], "what was bound for nothing is gone");
        socket::listener(&old).expect("nobody's socket was shut down");
    }
}
