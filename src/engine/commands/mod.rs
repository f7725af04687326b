//! Serves a connection of a stats socket: lines in, replies out.
//!
//! Knows no command: [`crate::pool::Commands`] answers them. A line holds commands between `;`; each reply ends
//! with an empty line and is sent before the next command is looked at, so a connection never holds more than one reply.
//! Without `prompt` the connection closes when what came in is answered. Source: management manual §9.3; framing, limits
//! and silence at half a line observed on 2.6.12.

mod typed;

use std::io;
use std::net::TcpStream as StdTcp;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as StdUnix;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use self::typed::{Event, LONGEST, Typed};
use super::shared::{Accepted, Shared};
use super::{Purpose, listing};
use crate::ir::{AdminLevel, Level, SeverityOutput};
use crate::pool::{Control, Freedom, Later, Look, Manner, Peer, Reply, Report, SessionsAsked};
use crate::sys::getsocks;

/// Idle time when `stats timeout` says nothing.
const IDLE: Duration = Duration::from_secs(10);
/// How often a report that goes on is asked for more.
const STEP: Duration = Duration::from_millis(100);
/// How often is looked whether what a command waits for has come.
const GLANCE: Duration = Duration::from_millis(20);

/// What holds for one connection.
struct Terminal {
    level: AdminLevel,
    /// Whether `_getsocks` is answered.
    exposes: bool,
    idle: Duration,
    severity: SeverityOutput,
    /// More lines are waited for.
    interactive: bool,
    /// And a prompt says so.
    prompts: bool,
    expert: bool,
    experimental: bool,
    shared: Arc<Shared>,
    typed: Typed,
    /// What is to be sent.
    reply: String,
}

/// What comes after a command.
enum Next {
    /// More commands.
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
        prompts: false,
        expert: false,
        experimental: false,
        shared: Arc::clone(&shared),
        typed: Typed::default(),
        reply: String::new(),
    };
    let ended = if matches!(peer, Peer::Unix(_)) {
        match UnixStream::from_std(StdUnix::from(socket)) {
            Ok(stream) => terminal.talk(stream).await,
            Err(error) => Err(error),
        }
    } else {
        match TcpStream::from_std(StdTcp::from(socket)) {
            Ok(stream) => terminal.talk(stream).await,
            Err(error) => Err(error),
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a command connection ended");
    }
    drop(seat);
}

impl Terminal {
    async fn talk<S>(mut self, mut stream: S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + AsFd + Unpin,
    {
        loop {
            match self.typed.next() {
                Event::Command(command, payload) => {
                    let next = self.command(command, payload, &mut stream).await?;
                    self.send(&mut stream).await?;
                    match next {
                        Next::Continue => {}
                        Next::Close => return Ok(()),
                        Next::Sockets => return hand_out(&stream, &self.shared).await,
                    }
                    if !self.interactive && self.typed.is_idle() {
                        return Ok(());
                    }
                }
                Event::More => {
                    if self.prompts {
                        self.reply.push_str("+ ");
                        self.send(&mut stream).await?;
                    }
                }
                Event::TooLong => return Ok(()),
                Event::Nothing => {
                    self.typed.pending.reserve(1024);
                    match timeout(self.idle, stream.read_buf(&mut self.typed.pending)).await {
                        Err(_) | Ok(Ok(0)) => return Ok(()),
                        Ok(read) => _ = read?,
                    }
                }
            }
        }
    }

    /// Sends what there is to say; a client that does not read loses the connection after the idle time.
    async fn send<S: AsyncWrite + Unpin>(&mut self, stream: &mut S) -> io::Result<()> {
        let mut rest = self.reply.as_bytes();
        while !rest.is_empty() {
            let sent = timeout(self.idle, stream.write(rest)).await??;
            rest = &rest[sent..];
        }
        self.reply.clear();
        // A large report is not worth its memory until the next one.
        self.reply.shrink_to(LONGEST);
        Ok(())
    }

    /// Runs one command; long replies are sent in pieces, and what is left of them is in `reply`.
    async fn command<S>(&mut self, command: String, payload: Option<String>, stream: &mut S) -> io::Result<Next>
    where
        S: AsyncRead + AsyncWrite + AsFd + Unpin,
    {
        self.shared.pool.process.requests_total.add(1);
        let (level, runner) = (self.level, Arc::clone(&self.shared));
        let answer = self.shared.aside(move || runner.commands.run(&command, payload.as_deref(), level)).await;
        let answer = match answer.unwrap_or(Reply::Quit) {
            Reply::Restricted(which, later) if self.may(which) => Reply::Aside(later),
            answer => answer,
        };
        match settle(answer, stream).await {
            Reply::Text(text) => self.reply.push_str(&text),
            Reply::Done => {}
            Reply::Pieces(report) => self.pieces(report, stream).await?,
            Reply::Follow(report) => {
                if !self.follow(report, stream).await? {
                    return Ok(Next::Close);
                }
            }
            Reply::Sessions(asked) => self.sessions(asked, stream).await?,
            Reply::EndSession(id) => {
                if !listing::end(&self.shared, id).await {
                    self.remark(Level::Err, "There is no such session.\n");
                }
            }
            Reply::Remark(level, text) => self.remark(level, &text),
            Reply::Severity(severity) => self.severity = severity,
            Reply::Level(level) => {
                self.level = self.level.min(level);
                (self.expert, self.experimental) = (false, false);
            }
            Reply::Freedom(which, wanted) => self.freedom(which, wanted),
            Reply::Restricted(which, _) => {
                self.remark(Level::Err, &format!("Only in {} mode: '{0}-mode on'.\n", which.name()));
            }
            Reply::Quit => return Ok(Next::Close),
            Reply::Prompt(manner) => self.prompt(manner),
            Reply::Timeout(time) => self.idle = time.duration(),
            Reply::Sockets if self.exposes => return Ok(Next::Sockets),
            // None is left of those that are settled.
            Reply::Sockets | Reply::Aside(_) | Reply::Wait(..) => return Ok(Next::Close),
        }
        self.reply.push('\n');
        if self.prompts {
            self.reply.push_str("> ");
        }
        Ok(Next::Continue)
    }

    fn remark(&mut self, level: Level, text: &str) {
        self.reply.push_str(&grave(self.severity, level));
        self.reply.push_str(text);
    }

    fn prompt(&mut self, manner: Manner) {
        (self.interactive, self.prompts) = match manner {
            Manner::Toggled => (!self.interactive, !self.interactive),
            Manner::OneLine => (false, false),
            Manner::Silent => (true, false),
            Manner::Prompts => (true, true),
        };
    }

    fn may(&mut self, which: Freedom) -> bool {
        *self.flag(which)
    }

    fn flag(&mut self, which: Freedom) -> &mut bool {
        match which {
            Freedom::Expert => &mut self.expert,
            Freedom::Experimental => &mut self.experimental,
        }
    }

    /// Sets a mode, or tells it.
    fn freedom(&mut self, which: Freedom, wanted: Option<bool>) {
        match wanted {
            Some(wanted) => *self.flag(which) = wanted,
            None => {
                let state = if self.may(which) { "ON" } else { "OFF" };
                self.remark(Level::Info, &format!("{}-mode is {state}\n", which.name()));
            }
        }
    }

    /// Sends a report as it is made; the next piece is made when this one is sent.
    async fn pieces<S: AsyncWrite + Unpin>(&mut self, mut report: Report, stream: &mut S) -> io::Result<()> {
        loop {
            let more;
            (report, more) = self.piece(report).await?;
            if !more {
                return Ok(());
            }
            self.send(stream).await?;
            yield_now().await;
        }
    }

    /// Adds the next piece of a report; whether there is more.
    async fn piece(&mut self, mut report: Report) -> io::Result<(Report, bool)> {
        let mut text = std::mem::take(&mut self.reply);
        let making = self.shared.aside(move || {
            let more = report.next(&mut text);
            (report, text, more)
        });
        let (report, text, more) = making.await.ok_or(io::ErrorKind::Other)?;
        self.reply = text;
        Ok((report, more))
    }

    /// Sends a report that goes on, until the client types something, which is forgotten, leaves, or has seen nothing new
    /// for the idle time; whether the connection goes on.
    async fn follow<S>(&mut self, mut report: Report, stream: &mut S) -> io::Result<bool>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut end = Instant::now() + self.idle;
        loop {
            (report, _) = self.piece(report).await?;
            if !self.reply.is_empty() {
                self.send(stream).await?;
                end = Instant::now() + self.idle;
            }
            let typed = !self.typed.is_idle();
            self.typed.pending.reserve(1024);
            match timeout_at(end.min(Instant::now() + STEP), stream.read_buf(&mut self.typed.pending)).await {
                _ if typed => {}
                Ok(Ok(0)) => return Ok(false),
                Ok(Ok(_)) => {}
                Ok(Err(why)) => return Err(why),
                Err(_) if Instant::now() < end => continue,
                Err(_) => self.interactive = false,
            }
            self.typed.forget();
            if !self.interactive {
                self.reply.push('\n');
                self.send(stream).await?;
            }
            return Ok(self.interactive);
        }
    }

    /// Tells the live sessions.
    async fn sessions<S: AsyncWrite + Unpin>(&mut self, asked: SessionsAsked, stream: &mut S) -> io::Result<()> {
        let mut lines = listing::list(&self.shared, asked);
        let mut none = true;
        while let Some(some) = lines.recv().await {
            none &= some.is_empty();
            self.reply.push_str(&some);
            self.send(stream).await?;
        }
        if none && asked.only.is_some() {
            self.reply.push_str("There is no such session.\n"); // no remark, as in haproxy
        }
        Ok(())
    }
}

/// Carries out what takes its time, without holding anybody else up.
async fn settle(reply: Reply, stream: &impl AsFd) -> Reply {
    match reply {
        Reply::Aside(Later(run)) => tokio::task::spawn_blocking(run).await.unwrap_or(Reply::Quit),
        Reply::Wait(time, Look(mut look)) => {
            let end = Instant::now() + time.duration();
            loop {
                let late = Instant::now() >= end;
                match look(late) {
                    Some(reply) => return reply,
                    None if late || is_gone(stream) => return Reply::Quit,
                    None => sleep_until(end.min(Instant::now() + GLANCE)).await,
                }
            }
        }
        settled => settled,
    }
}

/// Whether nobody reads any more what is sent; a client that has only ended its own direction does.
fn is_gone(stream: &impl AsFd) -> bool {
    let mut state = [PollFd::new(stream, PollFlags::empty())];
    let asked = poll(&mut state, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    asked.is_ok() && state[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

/// What a remark begins with.
fn grave(output: SeverityOutput, level: Level) -> String {
    match output {
        SeverityOutput::None => String::new(),
        SeverityOutput::Number => format!("[{}]: ", level as u8),
        SeverityOutput::Text => format!("[{}]: ", level.name()),
    }
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
