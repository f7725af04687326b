//! How a session ends: its record for the log, the counters it leaves, and how its sockets close.

use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use rustix::net::{RecvFlags, Shutdown, recv, shutdown};

use super::clock;
use super::dispatch::Step;
use super::session::Session;
use super::shard::Shard;
use super::shared::Shared;
use crate::ir::SessionLog;
use crate::pool::{Cause, Phase, SessionRecord, Timers};

impl Session {
    /// Ends the session: counts, logs and closes it.
    pub(super) fn finish(mut self, shard: &Shard) {
        let shared = &shard.shared;
        if let Step::Queued(ticket) = std::mem::replace(&mut self.step, Step::Start)
            && let Some(back) = shared.pool.back(self.back)
        {
            back.leave_queue(*ticket, clock::now());
        }
        self.settle(shared);
        let proxy = self.front_proxy(shared);
        let silent = proxy.dont_log_null && self.up.bytes + self.down.bytes == 0;
        if proxy.session_log != SessionLog::Default && !silent {
            shared.journal.session(&self.record(shared, false));
        }
        let server = self.target;
        self.give_server_back(shard, server);
        if let Some(back) = shared.pool.back(self.back) {
            back.sessions.down();
        }
        tracing::debug!(id = self.id(), end = ?self.end, "session ends");
        self.up.release_pipe(shard);
        self.down.release_pipe(shard);
        self.say_goodbye(shard);
    }

    /// What its log line says now. `fresh`: it has just been accepted; only then the local address is asked for.
    pub(super) fn record(&self, shared: &Shared, fresh: bool) -> SessionRecord {
        let pool = &shared.pool;
        let back = pool.back(self.back);
        let server = self.target.and_then(|ix| back?.servers.get(ix.0 as usize));
        // The line of an ended session tells how many *others* its backend and server serve.
        let (in_back, on_server) = (u32::from(self.end.is_some()), u32::from(self.end.is_some() && self.held_server));
        let local = fresh.then(|| rustix::net::getsockname(self.client.get_ref()).ok()).flatten();
        SessionRecord {
            client: self.peer,
            local: local.and_then(|address| address.try_into().ok()),
            accepted: self.wall,
            frontend: self.front,
            backend: self.back,
            server: self.target,
            timers: Timers {
                queue: self.queue_time,
                connect: self.connect_time,
                total: clock::now().since(self.accepted) as u32,
            },
            bytes_out: self.down.bytes,
            bytes_in: self.up.bytes,
            termination: self.end.unwrap_or_default(),
            process_sessions: pool.process.connections.get(),
            frontend_sessions: pool.front(self.front).map_or(0, |front| front.sessions.get()),
            backend_sessions: back.map_or(0, |back| back.sessions.get().saturating_sub(in_back)),
            server_sessions: server.map_or(0, |server| server.sessions.get().saturating_sub(on_server)),
            retries: self.retries,
            redispatched: self.redispatched,
            server_queue: self.server_queue,
            backend_queue: self.backend_queue,
        }
    }

    fn settle(&self, shared: &Shared) {
        let (bytes_in, bytes_out) = (self.up.bytes, self.down.bytes);
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
        if let Some(connect) = self.connect_time {
            let total = clock::now().since(self.accepted) as u32;
            back.times.note(self.queue_time, Some(connect), total);
            server.inspect(|server| server.times.note(self.queue_time, Some(connect), total));
        }
        let cause = self.end.unwrap_or_default().cause;
        let waited = self.end.is_some_and(|end| end.phase == Phase::Queue);
        if cause == Cause::Client && !waited {
            back.client_aborts.add(1);
            server.inspect(|server| server.client_aborts.add(1));
        } else if cause == Cause::Server && self.connect_time.is_some() {
            back.server_aborts.add(1);
            back.response_errors.add(1);
            server.inspect(|server| {
                server.server_aborts.add(1);
                server.response_errors.add(1);
            });
        } else if matches!(cause, Cause::Server | Cause::ServerTimeout) && self.connect_time.is_none() {
            back.connect_errors.add(1);
            server.inspect(|server| server.connect_errors.add(1));
        }
    }

    /// Closes as haproxy does: who resets is passed on to the server, and `option nolinger` resets what is left.
    fn say_goodbye(&self, shard: &Shard) {
        let client = self.client.get_ref();
        if self.connect_time.is_none() {
            // Bytes that nobody read would turn the close into a reset.
            let _ = recv(client, &mut shard.scratch.borrow_mut()[..], RecvFlags::empty());
        }
        if self.front_proxy(&shard.shared).frontend.as_ref().is_some_and(|front| front.nolinger) {
            let _ = shutdown(client, Shutdown::Write);
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
