//! Plays one probe on one program.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use socket2::{Domain, SockAddr, Socket, Type};

use super::file::{Cut, ProbeFile};
use super::proc;
use super::stage::Stage;
use super::step::{Deed, Step, Subject};
use crate::harness::process::{Running, send};
use crate::harness::program::Program;
use crate::harness::proxy::{Door, doors};
use crate::harness::{client, ports, sockets, stats, wait};

/// How long to wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// For what is to happen.
    pub(crate) patience: Duration,
    /// For what is not to happen.
    pub(crate) pause: Duration,
}

/// A connection to the proxy and what came of it so far.
struct Client {
    stream: Option<Socket>,
    heard: Vec<u8>,
    end: &'static str,
}

struct Play<'a> {
    stage: Stage,
    process: Running,
    clients: HashMap<String, Client>,
    config: &'a Path,
    limits: Limits,
}

/// Plays the file, without what `cut` names.
///
/// # Errors
/// The first step that does not hold.
pub(crate) fn play(file: &ProbeFile, cut: Option<&Cut>, program: &Program, limits: Limits) -> Result<(), String> {
    let mut stage = Stage::new();
    for (name, text) in &file.files {
        let text = stage.fill(text);
        std::fs::write(stage.folder().join(name), format!("{text}\n")).expect("a file is written");
    }
    let text = stage.fill(&file.text(cut));
    let config = stage.folder().join("haproxy.cfg");
    std::fs::write(&config, &text).expect("the configuration is written");
    let mut command = command(program, file);
    command.args(file.args.iter().map(|arg| stage.fill(arg))).arg("-f").arg(&config);
    command.envs(file.env.iter().map(|(name, value)| (name, stage.fill(value))));
    let process = Running::start("haproxy", stage.folder(), command);
    let mut play = Play { stage, process, clients: HashMap::new(), config: &config, limits };
    play.wait_doors(&text);
    let result = file.steps.iter().try_for_each(|step| play.step(step));
    let said = play.process.output();
    play.clients.clear();
    // A daemon is no child of ours: it is known by its configuration file.
    let gone = play.process.ended().is_some();
    for pid in gone.then(|| proc::with_argument(&config)).into_iter().flatten() {
        send(pid, Signal::SIGKILL);
    }
    result.map_err(|why| match cut {
        None => format!("{why}\nit said: {said}"),
        Some(_) => why,
    })
}

/// The program, prepared by a shell and in a network of its own when the probe wants it.
fn command(program: &Program, file: &ProbeFile) -> Command {
    let mut lines: Vec<String> =
        file.sysctls.iter().map(|(name, value)| format!("echo {value} > /proc/sys/{name}")).collect();
    lines.extend(file.shell.clone());
    if lines.is_empty() {
        return program.command();
    }
    lines.push("exec \"$0\" \"$@\"".to_owned());
    let mut command = Command::new(if file.sysctls.is_empty() { "sh" } else { "unshare" });
    if !file.sysctls.is_empty() {
        command.args(["-n", "sh"]);
    }
    command.arg("-c").arg(lines.join(" && ")).arg(&program.path);
    command
}

impl Play<'_> {
    /// Waits until the TCP addresses listen, or the process has ended; else the steps will tell.
    fn wait_doors(&mut self, text: &str) {
        let mut doors = doors(text);
        doors.retain(|door| matches!(door, Door::Tcp(_)));
        let start = Instant::now();
        while !doors.iter().all(Door::open) && self.process.ended().is_none() && start.elapsed() < self.limits.patience
        {
            wait::moment(Duration::from_millis(4));
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Do(deed) => self.act(deed).map_err(|why| format!("{deed:?}: {why}")),
            Step::See { now, subject, want } => {
                let wanted = self.stage.fill(&want.value);
                let start = Instant::now();
                let mut step = 4;
                loop {
                    let value = self.look(subject);
                    if value.as_ref().is_ok_and(|value| want.fits(value, &wanted)) {
                        return Ok(());
                    }
                    if *now || start.elapsed() >= self.limits.patience {
                        let value: String = value.unwrap_or_else(|why| why).chars().take(400).collect();
                        return Err(format!("{subject:?} is {value:?}, wanted {:?} {wanted:?}", want.compare));
                    }
                    // Soon at first, then seldom: many wait at the same time.
                    wait::moment(Duration::from_millis(step));
                    step = (step * 2).min(64);
                }
            }
        }
    }

    fn client(&mut self, name: &str) -> Result<&mut Client, String> {
        self.clients.get_mut(name).ok_or_else(|| format!("no client {name}"))
    }

    fn stream(&mut self, name: &str) -> Result<&mut Socket, String> {
        self.client(name)?.stream.as_mut().ok_or_else(|| format!("client {name} is closed"))
    }

    fn act(&mut self, deed: &Deed) -> Result<(), String> {
        match deed {
            Deed::Open { client, to } => {
                let to = self.stage.fill(to);
                let start = Instant::now();
                let stream = loop {
                    match connect(&to, self.limits.patience) {
                        Ok(stream) => break stream,
                        Err(why) if start.elapsed() >= self.limits.patience => return Err(why.to_string()),
                        Err(_) => wait::moment(Duration::from_millis(4)),
                    }
                };
                let state = Client { stream: Some(stream), heard: Vec::new(), end: "open" };
                self.clients.insert(client.clone(), state);
                Ok(())
            }
            Deed::Send { client, text } => {
                let text = self.stage.fill(text);
                // One byte for each character up to U+00FF: the escapes may name any byte.
                let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect();
                // A peer that is gone shows in what is seen next.
                let _ = self.stream(client)?.write_all(&bytes);
                Ok(())
            }
            Deed::Half(client) => {
                let _ = self.stream(client)?.shutdown(std::net::Shutdown::Write);
                Ok(())
            }
            Deed::Close(client) => {
                self.client(client)?.stream = None;
                Ok(())
            }
            Deed::Reset(client) => {
                self.stream(client)?.set_linger(Some(Duration::ZERO)).map_err(|why| why.to_string())?;
                self.client(client)?.stream = None;
                Ok(())
            }
            Deed::Signal(signal) => {
                send(self.pid()?, *signal);
                Ok(())
            }
            Deed::Stop(server) => self.stage.stop(server),
            Deed::Serve(late) => self.stage.serve(late),
            Deed::Pause => {
                wait::moment(self.limits.pause);
                Ok(())
            }
        }
    }

    /// The process that serves: the one that was started, or the daemon that it left.
    fn pid(&mut self) -> Result<u32, String> {
        if self.process.ended().is_none() {
            return Ok(self.process.pid());
        }
        proc::with_argument(self.config).into_iter().next_back().ok_or_else(|| "no process".to_owned())
    }

    fn command(&mut self, socket: &str, text: &str) -> Result<String, String> {
        let path = self.stage.fill(socket);
        let text = self.stage.fill(text);
        let mut stream = connect(&path, self.limits.patience).map_err(|why| format!("{path}: {why}"))?;
        stream.write_all(format!("{text}\n").as_bytes()).map_err(|why| why.to_string())?;
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Err(why) if answer.is_empty() => Err(why.to_string()),
            _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
        }
    }

    fn look(&mut self, subject: &Subject) -> Result<String, String> {
        match subject {
            Subject::Heard(name) => {
                let client = self.client(name)?;
                client.listen();
                Ok(client.heard.iter().map(|byte| char::from(*byte)).collect())
            }
            Subject::End(name) => {
                let client = self.client(name)?;
                client.listen();
                Ok(client.end.to_owned())
            }
            Subject::Mss(name) => {
                self.stream(name)?.tcp_mss().map(|mss| mss.to_string()).map_err(|why| why.to_string())
            }
            Subject::Stat { proxy, server, column } => {
                let csv = self.command("{dir}/stats", "show stat")?;
                if !csv.starts_with("# ") {
                    return Err(csv);
                }
                stats::Stats::parse(&csv).find(proxy, server, column).ok_or_else(|| "no such cell".to_owned())
            }
            Subject::Info(field) => {
                let text = self.command("{dir}/stats", "show info")?;
                let found = text.lines().find_map(|line| line.split_once(": ").filter(|(name, _)| name == field));
                found.map(|(_, value)| value.to_owned()).ok_or_else(|| "no such field".to_owned())
            }
            Subject::Command { socket, text } => self.command(socket, text),
            Subject::Log(name) => Ok(self.stage.log(name)?.join("\n")),
            Subject::LogCount(text) => {
                let text = self.stage.fill(text);
                Ok(self.stage.log("log")?.iter().filter(|line| line.contains(&text)).count().to_string())
            }
            Subject::Output => Ok(self.process.output()),
            Subject::Exit => Ok(match self.process.ended() {
                None => "running".to_owned(),
                Some(status) => status.code().map_or_else(|| status.to_string(), |code| code.to_string()),
            }),
            Subject::Process(field) => proc::field(self.pid()?, field),
            Subject::File { path, field } => proc::file(Path::new(&self.stage.fill(path)), field),
            Subject::Accepted(server) => self.stage.accepted(server),
            Subject::Got(server) => self.stage.got(server),
            Subject::Listening(address) => {
                let address = self.stage.fill(address);
                let address = address.parse().map_err(|_| format!("{address} is no address"))?;
                Ok(if ports::listens(address) { "yes" } else { "no" }.to_owned())
            }
            Subject::Socket { side, address, option } => {
                let address = self.stage.fill(address);
                sockets::option(self.pid()?, *side, &address, option)
            }
            Subject::Page { address, path, auth } => self.page(address, path, auth.as_deref()),
        }
    }

    fn page(&mut self, address: &str, path: &str, auth: Option<&str>) -> Result<String, String> {
        use base64::Engine as _;
        let address = self.stage.fill(address);
        let token = auth.map(|auth| base64::engine::general_purpose::STANDARD.encode(auth));
        let header = token.map_or(String::new(), |token| format!("Authorization: Basic {token}\r\n"));
        let mut stream = connect(&address, self.limits.patience).map_err(|why| why.to_string())?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{header}\r\n");
        stream.write_all(request.as_bytes()).map_err(|why| why.to_string())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map_err(|why| why.to_string())?;
        Ok(client::unchunked(&String::from_utf8_lossy(&answer)))
    }
}

impl Client {
    /// Reads what has come.
    fn listen(&mut self) {
        let Some(stream) = self.stream.as_mut().filter(|_| self.end == "open") else { return };
        let _ = stream.set_nonblocking(true);
        let mut buffer = [0; 65_536];
        // A flood has no end: as much as this is enough for any wish.
        for _ in 0..16 {
            match stream.read(&mut buffer) {
                Ok(0) => self.end = "fin",
                Ok(count) => {
                    let room = (1_usize << 20).saturating_sub(self.heard.len());
                    self.heard.extend_from_slice(&buffer[..count.min(room)]);
                    continue;
                }
                Err(why) if why.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.end = "rst",
            }
            break;
        }
        let _ = stream.set_nonblocking(false);
    }
}

/// A connection to an address or a path.
fn connect(to: &str, limit: Duration) -> std::io::Result<Socket> {
    let stream = if to.starts_with('/') {
        let stream = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        stream.connect(&SockAddr::unix(to)?)?;
        stream
    } else {
        let address: std::net::SocketAddr = to.parse().map_err(|_| ErrorKind::InvalidInput)?;
        let stream = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        stream.connect_timeout(&address.into(), limit)?;
        stream.set_tcp_nodelay(true)?;
        stream
    };
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    Ok(stream)
}
