//! What /proc says of other processes and of sockets.
//!
//! Source: proc(5).

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;

/// The name of a process as `ps` and `pidof` see it (at most 15 bytes).
///
/// # Errors
/// `NotFound` when there is no such process.
pub fn name(pid: i32) -> io::Result<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/comm"))?;
    Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
}

/// Whether a signal was sent to a process that has not taken it yet; everybody may ask. `false` when it is gone.
pub fn pending(pid: i32, signal: rustix::process::Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let masks = status.lines().filter_map(|line| line.strip_prefix("ShdPnd:").or_else(|| line.strip_prefix("SigPnd:")));
    let bit = 1u64 << (signal.as_raw() - 1);
    masks.filter_map(|mask| u64::from_str_radix(mask.trim(), 16).ok()).any(|mask| mask & bit != 0)
}

/// The processes that a process has started and not buried; none where the kernel does not tell.
pub fn children(pid: i32) -> Vec<i32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// The inode of this process's pid namespace: with a pid it names one process of this kernel.
///
/// # Errors
/// When /proc is not mounted.
pub fn pid_namespace() -> io::Result<u64> {
    Ok(std::fs::metadata("/proc/self/ns/pid")?.ino())
}

/// The processors that this process may run on, at least 1.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How much memory this process has in use, asked again and again, in another root directory too.
#[derive(Debug)]
pub struct Memory(std::fs::File);

impl Memory {
    /// Of this process; a child that is forked later must open its own.
    ///
    /// # Errors
    /// When /proc is not mounted.
    pub fn open() -> io::Result<Self> {
        std::fs::File::open("/proc/self/statm").map(Self)
    }

    /// Resident memory in bytes; `None`: the system does not say.
    pub fn resident(&self) -> Option<u64> {
        use std::os::unix::fs::FileExt;
        let mut text = [0; 128];
        let read = self.0.read_at(&mut text, 0).ok()?;
        let pages: u64 = std::str::from_utf8(&text[..read]).ok()?.split(' ').nth(1)?.parse().ok()?;
        let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok()??;
        pages.checked_mul(u64::try_from(page).ok()?)
    }
}

/// The local ports that the system gives to connections, first and last; `None`: it does not say.
pub fn local_ports() -> Option<(u16, u16)> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut ports = text.split_ascii_whitespace().map(str::parse);
    Some((ports.next()?.ok()?, ports.next()?.ok()?))
}

/// The sockets of a process: descriptor number and inode.
///
/// # Errors
/// EACCES without the right to look at it, `NotFound` when it is gone.
pub fn sockets(pid: i32) -> io::Result<Vec<(i32, u64)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
        let entry = entry?;
        let Some(number) = entry.file_name().to_str().and_then(|text| text.parse().ok()) else { continue };
        let target = match std::fs::read_link(entry.path()) {
            Ok(target) => target,
            Err(why) if why.kind() == io::ErrorKind::PermissionDenied => return Err(why), // the names may be listed
            Err(_) => continue,                                                           // it was closed meanwhile
        };
        let inode = target.to_str().and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
        found.extend(inode.map(|inode| (number, inode)));
    }
    Ok(found)
}

/// The TCP sockets of this network namespace that listen, at one moment.
#[derive(Debug)]
pub struct Listeners(Vec<(SocketAddr, u64)>);

impl Listeners {
    /// Reads the tables.
    pub fn now() -> Self {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].iter().filter_map(|path| std::fs::read_to_string(path).ok());
        Self(tables.flat_map(|table| table.lines().skip(1).filter_map(tcp_listener).collect::<Vec<_>>()).collect())
    }

    /// The inodes of those whose address clashes with `address`.
    pub fn on(&self, address: SocketAddr) -> HashSet<u64> {
        self.0.iter().filter(|(bound, _)| clash(*bound, address)).map(|(_, inode)| *inode).collect()
    }

    /// Only those with one of these inodes.
    #[must_use]
    pub fn among(mut self, inodes: &HashSet<u64>) -> Self {
        self.0.retain(|(_, inode)| inodes.contains(inode));
        self
    }
}

/// Whether two sockets bound to these would be in each other's way.
fn clash(a: SocketAddr, b: SocketAddr) -> bool {
    let (x, y) = (a.ip().to_canonical(), b.ip().to_canonical());
    let everything = IpAddr::V6(Ipv6Addr::UNSPECIFIED); // takes IPv4 too, unless it is IPv6 only
    a.port() == b.port()
        && (x == y
            || x == everything
            || y == everything
            || (x.is_ipv4() == y.is_ipv4() && (x.is_unspecified() || y.is_unspecified())))
}

/// Address and inode of one line of /proc/net/tcp or tcp6, if that socket listens.
fn tcp_listener(line: &str) -> Option<(SocketAddr, u64)> {
    const LISTEN: &str = "0A";
    let mut fields = line.split_ascii_whitespace();
    let (ip, port) = fields.nth(1)?.split_once(':')?;
    let state = fields.nth(1)?;
    let inode = fields.nth(5)?.parse().ok()?;
    let port = u16::from_str_radix(port, 16).ok()?;
    // Words of 32 bits in the machine's byte order.
    let word = |at: usize| u32::from_str_radix(ip.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for ix in 0..4 {
                bytes[ix * 4..ix * 4 + 4].copy_from_slice(&word(ix * 8)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    (state == LISTEN).then_some((SocketAddr::new(ip, port), inode))
}

/// The abstract names, without the leading `@`, that unix sockets of this network namespace listen on and that
/// start with `prefix`. Names that are not UTF-8 are left out.
pub fn abstract_listeners(prefix: &str) -> Vec<String> {
    const ACCEPTS: &str = "00010000"; // __SO_ACCEPTCON
    let Ok(bytes) = std::fs::read("/proc/net/unix") else { return Vec::new() };
    let table = String::from_utf8_lossy(&bytes);
    let lines = table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let flags = fields.nth(3)?;
        let name = fields.nth(3)?.strip_prefix('@')?;
        (flags == ACCEPTS && name.starts_with(prefix)).then(|| name.to_owned())
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsRawFd;

    use super::*;
    use crate::sys::socket;

    #[test]
    fn a_listener_is_found_by_its_address() {
        let me = i32::try_from(std::process::id()).unwrap();
        let four = TcpListener::bind("127.0.0.1:0").unwrap();
        let six = TcpListener::bind("[::1]:0").unwrap();
        for listener in [&four, &six] {
            let address = listener.local_addr().unwrap();
            let inodes = Listeners::now().on(address);
            let mine: Vec<_> = sockets(me).unwrap().into_iter().filter(|(_, inode)| inodes.contains(inode)).collect();
            assert_eq!(mine.iter().map(|(fd, _)| *fd).collect::<Vec<_>>(), [listener.as_raw_fd()], "{address}");
        }
        let port = four.local_addr().unwrap().port();
        assert!(!Listeners::now().on(([0, 0, 0, 0], port).into()).is_empty());
        assert!(!Listeners::now().on((Ipv6Addr::UNSPECIFIED, port).into()).is_empty(), "a dual socket clashes");
        assert!(Listeners::now().on(([127, 0, 0, 2], port).into()).is_empty());
        assert!(Listeners::now().on((Ipv6Addr::LOCALHOST, port).into()).is_empty());
    }

    #[test]
    fn abstract_names_are_listed_while_they_listen() {
        let name = format!("baton-proc-test/{}", std::process::id());
        let bound = socket::bind_abstract(name.as_bytes(), false).unwrap();
        assert!(abstract_listeners("baton-proc-test/").is_empty());
        socket::listen(&bound, 1).unwrap();
        assert_eq!(abstract_listeners("baton-proc-test/"), [name]);
    }

    #[test]
    fn a_signal_is_pending_until_it_is_taken() {
        use rustix::process::{Signal, kill_process};
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let handle = rustix::process::Pid::from_raw(pid).unwrap();
        kill_process(handle, Signal::STOP).unwrap();
        while std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().split(' ').nth(2) != Some("T") {
            std::thread::yield_now();
        }
        assert!(!pending(pid, Signal::USR1));
        kill_process(handle, Signal::USR1).unwrap();
        assert!(pending(pid, Signal::USR1) && !pending(pid, Signal::USR2));
        kill_process(handle, Signal::KILL).unwrap();
        child.wait().unwrap();
        assert!(!pending(pid, Signal::USR1));
    }

    #[test]
    fn memory_and_ports() {
        let memory = Memory::open().unwrap();
        let before = memory.resident().unwrap();
        let held = vec![1u8; 32 << 20];
        let after = memory.resident().unwrap();
        assert!(before > 100_000 && after >= before + (24 << 20), "{before} {after} {}", held.len());
        let (first, last) = local_ports().unwrap();
        assert!(first <= last);
    }

    #[test]
    fn this_process_has_a_name() {
        assert!(!name(i32::try_from(std::process::id()).unwrap()).unwrap().is_empty());
        assert_eq!(name(i32::MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(pid_namespace().unwrap() > 0 && processors() > 0);
    }
}
