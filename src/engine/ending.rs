//! How a session ends: its record for the log, the counters it leaves, and how its sockets close.

use std::time::{Duration, SystemTime};

use rustix::net::sockopt::set_socket_linger;
use rustix::net::{RecvFlags, Shutdown, getsockname, recv, shutdown};

use super::dispatch::Step;
use super::facts::room;
use super::placing::Placing;
use super::session::{Session, Silence};
use super::shard::Shard;
use super::shared::Shared;
use super::{clock, connect};
use crate::ir::{LogMoment, ServerAddress};
use crate::pool::{Cause, Peer, Phase, SessionRecord, Timers};
use crate::sys::silent;

/// Most bytes of a client that are counted though no server took them.
const UNREAD: usize = 16_384;

impl Session {
    /// Ends the session: counts, logs and closes it.
    pub(super) fn finish(mut self, shard: &Shard) {
        let shared = &shard.shared;
        if let Step::Queued(ticket) = std::mem::replace(&mut self.step, Step::Start)
            && let Some(back) = shared.pool.back(self.back)
        {
            back.leave_queue(*ticket, clock::now());
        }
        self.count_unread(shard);
        self.settle(shared);
        let proxy = self.front_proxy(shared);
        let silent = proxy.dont_log_null && self.up.bytes + self.down.bytes == 0;
        if !self.placing.is(Placing::LOGGED) && !silent {
            self.log(shard);
        }
        let server = self.target;
        self.give_server_back(shard, server);
        if let Some(back) = shared.pool.back(self.back).filter(|_| self.placing.is(Placing::ENTERED)) {
            back.sessions.down();
        }
        tracing::debug!(id = self.id(), end = ?self.end, "session ends");
        self.up.release_pipe(shard);
        self.down.release_pipe(shard);
        self.say_goodbye(shard);
        self.close_server(shared);
    }

    /// Where no server took them, what the client has sent counts all the same, up to a buffer as haproxy's.
    fn count_unread(&mut self, shard: &Shard) {
        let most = if self.placing.is(Placing::RULED) {
            UNREAD
        } else {
            room(shard).saturating_sub(self.up.held_bytes().len()).min(UNREAD)
        };
        if self.connect_time.get().is_none()
            && most > 0
            && let Ok((count, _)) =
                recv(self.client.get_ref(), &mut shard.scratch.borrow_mut()[..most], RecvFlags::empty())
        {
            self.up.bytes += count as u64;
        }
    }

    /// Writes its line when its server is connected, if that is the moment. One that would not be written for a session
    /// that ends well has to wait for the end.
    pub(super) fn log_early(&mut self, shard: &Shard) {
        let proxy = self.front_proxy(&shard.shared);
        let smooth = self.retries == 0 && !self.placing.is(Placing::REDISPATCHED);
        if proxy.log_moment == LogMoment::Connected && !(proxy.dont_log_normal && smooth) {
            self.log(shard);
            self.placing.set(Placing::LOGGED, true);
        }
    }

    fn log(&mut self, shard: &Shard) {
        let record = self.record(&shard.shared);
        self.viewed(shard, false, |view| shard.shared.journal.session(&record, view));
    }

    /// Whether it has a unique id, if it is asked for.
    pub(super) fn has_unique_id(&self, shared: &Shared) -> bool {
        self.front_proxy(shared).formats.as_ref().is_some_and(|formats| formats.unique_id.is_some())
    }

    /// What its log line says now. Addresses are asked for only where the line shows them.
    pub(super) fn record(&self, shared: &Shared) -> SessionRecord {
        let pool = &shared.pool;
        let back = pool.back(self.back);
        let server = self.target.and_then(|ix| back?.servers.get(ix.0 as usize));
        // The line of an ended session tells how many *others* its backend and server serve.
        let (in_back, on_server) =
            (u32::from(self.end.is_some()), u32::from(self.end.is_some() && self.placing.is(Placing::HELD)));
        let proxy = self.front_proxy(shared);
        let formats = proxy.formats.as_deref();
        let shows_local =
            proxy.log_moment == LogMoment::Accepted || formats.is_some_and(|formats| formats.local_address);
        let local = if shows_local { self.local() } else { None };
        let shows_server = formats.is_some_and(|formats| formats.server_addresses);
        let (source, destination) = if shows_server { self.server_ends(shared) } else { (None, None) };
        let ended = self.end.is_some();
        SessionRecord {
            number: self.number,
            client: self.peer,
            local,
            source,
            destination,
            ended,
            accepted: SystemTime::UNIX_EPOCH + Duration::from_micros(self.wall),
            frontend: self.front,
            backend: self.back,
            server: self.target,
            timers: Timers {
                queue: self.queue_time.get(),
                connect: self.connect_time.get(),
                total: clock::now().since(self.accepted) as u32,
                handshake: self.announced.as_ref().map_or(0, |announced| announced.begun.since(self.accepted) as u32),
            },
            // what was read ahead of the connection is not under way yet
            bytes_out: if ended { self.down.bytes } else { 0 },
            bytes_in: if ended { self.up.bytes } else { 0 },
            termination: self.end.unwrap_or_default(),
            process_sessions: pool.process.connections.get(),
            frontend_sessions: pool.front(self.front).map_or(0, |front| front.sessions.get()),
            backend_sessions: back.map_or(0, |back| back.sessions.get().saturating_sub(in_back)),
            server_sessions: server.map_or(0, |server| server.sessions.get().saturating_sub(on_server)),
            retries: self.retries,
            redispatched: self.placing.is(Placing::REDISPATCHED),
            server_queue: self.server_queue,
            backend_queue: self.backend_queue,
            level: self.memory.as_ref().and_then(|memory| memory.level),
        }
    }

    /// Both ends of the server's connection, as far as there is one: an attempt that failed has them too.
    pub(super) fn server_ends(&self, shared: &Shared) -> (Option<Peer>, Option<Peer>) {
        let target = self.target.and_then(|ix| shared.pool.server_now(self.back, ix));
        let Some(target) = target else { return (None, None) };
        let socket = self.server.as_ref().map(|socket| socket.get_ref());
        let inet = matches!(target.address, ServerAddress::Inet(_));
        let source = match socket.map(getsockname) {
            Some(Ok(_)) if matches!(target.address, ServerAddress::SockPair(_)) => None,
            Some(Ok(_)) if !inet => Some(Peer::Unix(0)),
            Some(Ok(address)) => address.try_into().ok().map(Peer::Inet),
            _ => None,
        };
        let destination = match target.address {
            ServerAddress::Inet(address) => {
                connect::destination(address, target.port_offset, || self.local()).ok().map(Peer::Inet)
            }
            ServerAddress::Unix(_) | ServerAddress::Abstract(_) => Some(Peer::Unix(0)),
            ServerAddress::SockPair(_) | ServerAddress::Unresolved { .. } => None,
        };
        (source, destination)
    }

    fn settle(&mut self, shared: &Shared) {
        self.count_bytes(shared);
        self.count_end(shared);
    }

    /// Adds the bytes that no counter has yet.
    pub(super) fn count_bytes(&mut self, shared: &Shared) {
        let (mut bytes_in, mut bytes_out) = (self.up.bytes, self.down.bytes);
        if let Some(counted) = &mut self.counted {
            let before = std::mem::replace(&mut **counted, (bytes_in, bytes_out));
            bytes_in -= before.0;
            bytes_out -= before.1;
        }
        if let Some(memory) = &self.memory {
            memory.tracking.bytes(bytes_in, bytes_out);
        }
        if let Some((front, listener)) = self.seat.counters() {
            front.bytes_in.add(bytes_in);
            front.bytes_out.add(bytes_out);
            if let Some(listener) = listener {
                listener.bytes_in.add(bytes_in);
                listener.bytes_out.add(bytes_out);
            }
        }
        shared.pool.process.bytes_out.add(bytes_in + bytes_out);
        let Some(back) = shared.pool.back(self.back) else { return };
        back.bytes_in.add(bytes_in);
        back.bytes_out.add(bytes_out);
        let server = self.target.and_then(|ix| back.servers.get(ix.0 as usize));
        if let Some(server) = server {
            server.bytes_in.add(bytes_in);
            server.bytes_out.add(bytes_out);
        }
    }

    fn count_end(&self, shared: &Shared) {
        let Some(back) = shared.pool.back(self.back) else { return };
        let server = self.target.and_then(|ix| back.servers.get(ix.0 as usize));
        if let Some(connect) = self.connect_time.get() {
            let total = clock::now().since(self.accepted) as u32;
            back.times.note(self.queue_time.get(), Some(connect), total);
            server.inspect(|server| server.times.note(self.queue_time.get(), Some(connect), total));
        }
        let cause = self.end.unwrap_or_default().cause;
        let waited = self.end.is_some_and(|end| end.phase == Phase::Queue);
        if matches!(cause, Cause::Client | Cause::ClientTimeout) && !waited {
            back.client_aborts.add(1);
            server.inspect(|server| server.client_aborts.add(1));
        } else if cause == Cause::Server && self.connect_time.get().is_some() {
            back.server_aborts.add(1);
            back.response_errors.add(1);
            server.inspect(|server| {
                server.server_aborts.add(1);
                server.response_errors.add(1);
            });
        } else if cause == Cause::ServerTimeout && self.connect_time.get().is_some() {
            back.server_aborts.add(1);
            server.inspect(|server| server.server_aborts.add(1));
        } else if matches!(cause, Cause::Server | Cause::ServerTimeout | Cause::Internal)
            && self.connect_time.get().is_none()
            && (cause != Cause::Internal || self.target.is_some())
        {
            back.connect_errors.add(1);
            server.inspect(|server| server.connect_errors.add(1));
        }
    }

    /// Closes as haproxy does: who resets is passed on to the server, and `option nolinger` resets what is left.
    fn say_goodbye(&self, shard: &Shard) {
        let client = self.client.get_ref();
        if let Some(Silence(reach)) = self.silence {
            silent::leave(client, reach);
            return;
        }
        if self.connect_time.get().is_none() {
            // Bytes that nobody read would turn the close into a reset.
            let _ = recv(client, &mut shard.scratch.borrow_mut()[..], RecvFlags::empty());
        }
        if self.front_proxy(&shard.shared).frontend.as_ref().is_some_and(|front| front.nolinger) {
            let gone = matches!(recv(client, &mut [0u8; 1], RecvFlags::PEEK), Ok((0, _)));
            if !gone {
                let _ = shutdown(client, Shutdown::Write);
            }
            let _ = set_socket_linger(client, Some(Duration::ZERO));
        }
        if let Some(server) = &self.server {
            let reset = self.end.is_some_and(|end| end.cause == Cause::Client);
            if reset || self.resets {
                let _ = set_socket_linger(server.get_ref(), Some(Duration::ZERO));
            }
        }
    }
}
