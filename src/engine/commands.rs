//! Serves a connection of a stats socket: lines in, replies out.
//!
//! Knows no command: [`crate::pool::Commands`] answers them. A line holds commands between `;`; each reply ends
//! with an empty line; without `prompt` the connection closes when what came in is answered. Source: management
//! manual §9.3; framing, limits and silence at half a line observed on 2.6.12.

use std::io;
use std::net::TcpStream as StdTcp;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as StdUnix;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::shared::{Accepted, Shared};
use super::{Purpose, listing};
use crate::ir::{AdminLevel, Level, SeverityOutput};
use crate::pool::{Control, Later, Peer, Reply};
use crate::sys::getsocks;

/// Idle time when `stats timeout` says nothing.
const IDLE: Duration = Duration::from_secs(10);
/// Longest line; a longer one ends the connection, as it does when haproxy's buffer is full.
const LONGEST: usize = 16 * 1024;

/// What holds for one connection.
struct Terminal {
    level: AdminLevel,
    /// Whether `_getsocks` is answered.
    exposes: bool,
    idle: Duration,
    severity: SeverityOutput,
    interactive: bool,
}

/// What comes after a line.
enum Next {
    /// More lines.
    Continue,
    /// The connection ends.
    Close,
    /// The listening sockets are sent, and the connection ends.
    Sockets,
}

/// Serves one connection to its end.
pub(super) async fn serve(accepted: Accepted, shared: Arc<Shared>) {
    let Accepted { socket, peer, seat, .. } = accepted;
    let Purpose::Commands(ix) = seat.purpose() else { return };
    let global = &shared.pool.config.global;
    let Some(line) = global.stats_sockets.get(ix) else { return };
    let terminal = Terminal {
        level: line.level,
        exposes: line.expose_listeners,
        idle: global.stats_timeout.map_or(IDLE, |time| time.duration()),
        severity: line.severity_output,
        interactive: false,
    };
    let ended = if matches!(peer, Peer::Unix(_)) {
        match UnixStream::from_std(StdUnix::from(socket)) {
            Ok(stream) => terminal.talk(stream, &shared).await,
            Err(error) => Err(error),
        }
    } else {
        match TcpStream::from_std(StdTcp::from(socket)) {
            Ok(stream) => terminal.talk(stream, &shared).await,
            Err(error) => Err(error),
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a command connection ended");
    }
    drop(seat);
}

impl Terminal {
    async fn talk<S>(mut self, mut stream: S, shared: &Arc<Shared>) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + AsFd + Unpin,
    {
        let mut pending = Vec::new();
        let mut reply = String::new();
        loop {
            while let Some(end) = memchr::memchr(b'\n', &pending) {
                let line: Vec<u8> = pending.drain(..=end).collect();
                let next = self.line(&String::from_utf8_lossy(&line), shared, &mut stream, &mut reply).await?;
                self.send(&mut stream, &mut reply).await?;
                match next {
                    Next::Continue => {}
                    Next::Close => return Ok(()),
                    Next::Sockets => return hand_out(&stream, shared).await,
                }
                if pending.is_empty() && !self.interactive {
                    return Ok(());
                }
            }
            if pending.len() >= LONGEST {
                return Ok(());
            }
            pending.reserve(1024);
            match timeout(self.idle, stream.read_buf(&mut pending)).await {
                Err(_) | Ok(Ok(0)) => return Ok(()),
                Ok(read) => _ = read?,
            }
        }
    }

    /// Sends what there is to say; a client that does not read loses the connection after the idle time.
    async fn send<S: AsyncWrite + Unpin>(&self, stream: &mut S, reply: &mut String) -> io::Result<()> {
        let mut rest = reply.as_bytes();
        while !rest.is_empty() {
            let sent = timeout(self.idle, stream.write(rest)).await??;
            rest = &rest[sent..];
        }
        reply.clear();
        // A large report is not worth its memory until the next one.
        reply.shrink_to(LONGEST);
        Ok(())
    }

    /// Runs the commands of one line; long replies are sent in pieces, and `reply` holds what is left to send.
    async fn line<S>(
        &mut self,
        line: &str,
        shared: &Arc<Shared>,
        stream: &mut S,
        reply: &mut String,
    ) -> io::Result<Next>
    where
        S: AsyncWrite + Unpin,
    {
        for command in commands(line.trim_end_matches(['\n', '\r'])) {
            shared.pool.process.requests_total.add(1);
            let (level, runner) = (self.level, Arc::clone(shared));
            let answer = shared.aside(move || runner.commands.run(&command, level)).await;
            match answer.unwrap_or(Reply::Quit) {
                Reply::Text(text) => reply.push_str(&text),
                Reply::Done => {}
                Reply::Later(Later(text)) => {
                    reply.push_str(&tokio::task::spawn_blocking(text).await.unwrap_or_default());
                }
                Reply::Sessions(which) => {
                    let mut lines = listing::list(shared, which);
                    let mut none = true;
                    while let Some(some) = lines.recv().await {
                        none = false;
                        reply.push_str(&some);
                        self.send(stream, reply).await?;
                    }
                    if none && which.is_some() {
                        reply.push_str("There is no such session.\n");
                    }
                }
                Reply::EndSession(id) => {
                    if !listing::end(shared, id).await {
                        reply.push_str(&grave(self.severity, Level::Err));
                        reply.push_str("There is no such session.\n");
                    }
                }
                Reply::Remark(level, text) => {
                    reply.push_str(&grave(self.severity, level));
                    reply.push_str(&text);
                }
                Reply::Severity(severity) => self.severity = severity,
                Reply::Quit => return Ok(Next::Close),
                Reply::Prompt => self.interactive = !self.interactive,
                Reply::Timeout(seconds) => self.idle = Duration::from_secs(seconds.into()),
                Reply::Sockets if self.exposes => return Ok(Next::Sockets),
                Reply::Sockets => return Ok(Next::Close),
            }
            reply.push('\n');
            if self.interactive {
                reply.push_str("> ");
            }
        }
        Ok(Next::Continue)
    }
}

/// What a remark begins with.
fn grave(output: SeverityOutput, level: Level) -> String {
    match output {
        SeverityOutput::None => String::new(),
        SeverityOutput::Number => format!("[{}]: ", level as u8),
        SeverityOutput::Text => format!("[{}]: ", level.name()),
    }
}

/// The commands of a line: what stands between `;` that no backslash precedes; the backslash goes.
fn commands(line: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        let command = all.last_mut();
        match (c, command) {
            (';', _) => all.push(String::new()),
            ('\\', Some(command)) => match chars.next() {
                Some(';') => command.push(';'),
                Some(next) => command.extend(['\\', next]),
                None => command.push('\\'),
            },
            (c, Some(command)) => command.push(c),
            (_, None) => {}
        }
    }
    // What follows the last `;` counts only if there is something.
    if all.len() > 1 && all.last().is_some_and(|last| last.trim().is_empty()) {
        all.pop();
    }
    all
}

/// Sends copies of the listening sockets, on a thread of its own: the client may take its time.
async fn hand_out(stream: &impl AsFd, shared: &Arc<Shared>) -> io::Result<()> {
    let connection = stream.as_fd().try_clone_to_owned()?;
    let sockets = shared.listeners()?;
    let sending = tokio::task::spawn_blocking(move || {
        rustix::io::ioctl_fionbio(&connection, false)?;
        let borrowed: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
        getsocks::answer(&connection, &borrowed)
    });
    sending.await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_commands() {
        for (line, want) in [
            ("show info", vec!["show info"]),
            ("show info;show stat", vec!["show info", "show stat"]),
            ("show info;", vec!["show info"]),
            ("show info; ;show stat", vec!["show info", " ", "show stat"]),
            (r"a\;b;c", vec!["a;b", "c"]),
            (r"a\b\", vec![r"a\b\"]),
            ("", vec![""]),
            (";", vec![""]),
        ] {
            assert_eq!(commands(line), want, "{line:?}");
        }
    }

    /// No bytes are lost or made up, whatever the line.
    #[test]
    fn hostile_lines() {
        bolero::check!().with_type::<String>().for_each(|line| {
            let split = commands(line);
            assert!(!split.is_empty());
            let length: usize = split.iter().map(String::len).sum();
            assert!(length <= line.len());
        });
    }
}
