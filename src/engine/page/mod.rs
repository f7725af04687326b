//! Serves HTTP to the statistics page on a proxy in `mode http`.
//!
//! hyper reads and writes messages on the thread's own runtime; limits, counters, log lines and refusals are ours.
//! Knows no page: [`crate::pool::Page`] answers. Source: configuration manual §4.2 "timeout http-request",
//! "timeout http-keep-alive", §8.2.3; answers to bad and late requests observed on 2.6.12.

mod answer;
mod body;
mod wire;

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use rustix::net::{SendFlags, Shutdown};

use super::facts::{Caller, Outcome, Subject, View};
use super::shard::Shard;
use super::shared::{Accepted, Seat, Shared};
use super::{clock, relay};
use crate::ir::{Proxy, ProxyIx, Timeouts};
use crate::pool::{Cause, HttpRecord, PageReply, PageRequest, Peer, Phase, SessionRecord, Termination};
use crate::units::Tick;
use body::Content;
use wire::{Line, Stage, Wire};

/// Longest body that the page gets, and the byte more that tells it was longer.
const LONGEST_BODY: usize = 16 * 1024 + 1;
/// Longest request head unless `tune.bufsize` says another number, as with haproxy.
const BUFSIZE: u32 = 16 * 1024;
/// What hyper wants at least.
const SHORTEST_BUFFER: u32 = 8 * 1024;
/// How long the client of a refused request may take to read the refusal.
const LINGER: Duration = Duration::from_secs(1);
/// An idle connection looks this often whether the engine stops.
const GLANCE: Duration = Duration::from_millis(500);

/// What a connection knows of its place.
struct Desk {
    shard: Rc<Shard>,
    shared: Arc<Shared>,
    seat: Seat,
    proxy: ProxyIx,
    peer: Peer,
    accepted: SystemTime,
    at: Tick,
    local: Option<SocketAddr>,
}

/// How a connection's service ended.
enum End {
    Closed(hyper::Result<()>),
    TooLate,
}

/// Serves one connection to its end.
pub(super) async fn serve(accepted: Accepted, shard: Rc<Shard>) {
    let shared = Arc::clone(&shard.shared);
    let Some(proxy) = accepted.seat.proxy().map(|(ix, ..)| ix) else { return };
    let announced = accepted.announced.as_ref().and_then(|announced| announced.destination);
    let local = announced.or_else(|| rustix::net::getsockname(&accepted.socket).ok()?.try_into().ok());
    let Ok(socket) = relay::register(accepted.socket) else { return };
    let line = Line::new(socket, accepted.at);
    let Accepted { seat, peer, wall: accepted, at, .. } = accepted;
    let desk = Rc::new(Desk { shard, shared, seat, proxy, peer, accepted, at, local });
    let told = Rc::clone(&desk);
    line.on_done(move |record| told.close_books(&record));
    let service = service_fn(|request| attend(Rc::clone(&desk), Rc::clone(&line), request));
    let mut builder = http1::Builder::new();
    // A client may end its side behind its request; our own clock watches heads.
    let longest_head = desk.shared.pool.config.global.bufsize.unwrap_or(BUFSIZE).max(SHORTEST_BUFFER) as usize;
    builder.half_close(true).auto_date_header(false).header_read_timeout(None).max_buf_size(longest_head);
    let mut connection = builder.serve_connection(Wire(Rc::clone(&line)), service);
    let end = {
        let mut glance = pin!(tokio::time::sleep(GLANCE));
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(result) = Pin::new(&mut connection).poll(cx) {
                    return Poll::Ready(End::Closed(result));
                }
                let now = clock::now();
                let limit = limit(&desk.proxy().timeouts, &line);
                if limit.is_some_and(|limit| limit <= now) {
                    return Poll::Ready(End::TooLate);
                }
                let stopping = desk.shared.stopping.load(Ordering::Acquire);
                if stopping {
                    Pin::new(&mut connection).graceful_shutdown();
                }
                let wait = limit.map_or(GLANCE, |limit| Duration::from_millis(limit.since(now)).min(GLANCE));
                glance.as_mut().reset(tokio::time::Instant::now() + wait);
                if glance.as_mut().poll(cx).is_pending() && !(stopping && line.is_idle()) {
                    return Poll::Pending;
                }
                if stopping && line.is_idle() {
                    return Poll::Ready(End::Closed(Ok(())));
                }
            }
        })
        .await
    };
    drop(connection);
    desk.conclude(&line, end).await;
}

/// The moment until which the client must have done something; `None`: it has for ever.
fn limit(timeouts: &Timeouts, line: &Line) -> Option<Tick> {
    let active = timeouts.client.map(|time| line.last.get().after(time));
    match line.stage.get() {
        Stage::Answer => active,
        Stage::Head if line.is_idle() && line.requests.get() > 0 => {
            let time = timeouts.http_keep_alive.or(timeouts.http_request).or(timeouts.client);
            time.map(|time| line.last.get().after(time))
        }
        Stage::Head | Stage::Body => {
            let since = line.begun.get().filter(|_| line.requests.get() > 0).unwrap_or(line.accepted);
            let whole = timeouts.http_request.map(|time| since.after(time));
            [whole, active].into_iter().flatten().min()
        }
    }
}

/// Answers one request.
async fn attend(desk: Rc<Desk>, line: Rc<Line>, request: Request<Incoming>) -> Result<Response<Content>, Infallible> {
    let first = line.requests.replace(line.requests.get() + 1) == 0;
    line.stage.set(Stage::Body);
    let begun = line.begun.get().unwrap_or_else(clock::now);
    line.begun.set(Some(begun));
    let request_time = clock::now().since(begun) as u32;
    let (parts, body) = request.into_parts();
    let body = match parts.method {
        Method::POST => read(body).await,
        _ => Bytes::new(),
    };
    line.stage.set(Stage::Answer);
    let target = match parts.uri.authority() {
        Some(_) => parts.uri.to_string(),
        None => parts.uri.path_and_query().map_or("*", |target| target.as_str()).to_owned(),
    };
    let client = match desk.peer {
        Peer::Inet(address) => Some(address),
        Peer::Unix(_) => None,
    };
    desk.count_request();
    let (shared, proxy, asked, method, headers) =
        (Arc::clone(&desk.shared), desk.proxy, target.clone(), parts.method.clone(), parts.headers);
    let reply = desk.shared.aside(move || {
        let header = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
        let method = method.as_str();
        shared.page.answer(&PageRequest { proxy, method, target: &asked, header: &header, body: &body, client })
    });
    let reply = reply.await.flatten();
    let cause = if reply.is_some() { Cause::Local } else { Cause::Server };
    let response = match reply {
        Some(reply) => respond(reply, &line, desk.shared.is_large()),
        None => answer::response(desk.proxy(), 503),
    };
    let status = response.status().as_u16();
    let mut record =
        desk.record(Termination { cause, phase: if cause == Cause::Local { Phase::Request } else { Phase::Connect } });
    if !first {
        record.accepted = SystemTime::now() - Duration::from_millis(request_time.into());
    }
    if cause == Cause::Local {
        (record.timers.queue, record.timers.connect) = (Some(0), Some(0));
    }
    if first {
        desk.shared.journal.accepted(&record);
    }
    desk.count_answer(status, cause);
    let text = format!("{} {target} {:?}", parts.method, parts.version);
    let record = HttpRecord { session: record, status, request: text, request_time: Some(request_time) };
    let length = match parts.method {
        Method::HEAD => 0,
        _ => response.body().length().unwrap_or(u64::MAX),
    };
    *line.due.borrow_mut() = Some((record, length));
    Ok(response)
}

/// A body, or as much as tells that it is too long.
async fn read(body: Incoming) -> Bytes {
    match Limited::new(body, LONGEST_BODY).collect().await {
        Ok(whole) => whole.to_bytes(),
        Err(_) => Bytes::from_static(&[b'x'; LONGEST_BODY]),
    }
}

fn respond(reply: PageReply, line: &Rc<Line>, large: bool) -> Response<Content> {
    let body = match reply.report {
        Some(report) => Content::report(report, Rc::clone(line), large),
        None => Content::whole(reply.body),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        // A value that cannot be sent is left out: no page has one.
        if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(value)) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}

impl Desk {
    fn proxy(&self) -> &Proxy {
        &self.shared.pool.config.proxies[self.proxy.0 as usize]
    }

    fn record(&self, termination: Termination) -> SessionRecord {
        let pool = &self.shared.pool;
        SessionRecord {
            number: self.shared.next_id() - 1,
            local: self.local,
            ended: true,
            termination,
            backend_sessions: pool.back(self.proxy).map_or(0, |back| back.sessions.get()),
            ..SessionRecord::without_server(pool, self.proxy, self.peer, self.accepted)
        }
    }

    /// Counts a request that was understood: it is in what its own answer says.
    fn count_request(&self) {
        self.shared.pool.process.requests_total.add(1);
        if let Some((front, _)) = self.seat.counters() {
            front.requests_total.add(1);
            front.request_rate.hit(clock::now());
        }
    }

    /// Counts an answer. What is not for the page has gone to a backend without servers.
    fn count_answer(&self, status: u16, cause: Cause) {
        let pool = &self.shared.pool;
        let now = clock::now();
        let class = usize::from((status / 100).clamp(1, 6) - 1);
        if let Some((front, _)) = self.seat.counters() {
            front.answers[class].add(1);
        }
        if cause == Cause::Server
            && let Some(back) = pool.back(self.proxy)
        {
            back.sessions.up();
            back.sessions.down();
            back.sessions_total.add(1);
            back.session_rate.hit(now);
            back.requests_total.add(1);
            back.connect_errors.add(1);
            back.answers[class].add(1);
        }
    }

    /// An answer is sent, or as much of it as could be: counts its bytes and logs it.
    fn close_books(&self, record: &HttpRecord) {
        let pool = &self.shared.pool;
        let (bytes_in, bytes_out) = (record.session.bytes_in, record.session.bytes_out);
        pool.process.bytes_out.add(bytes_out);
        if let Some((front, listener)) = self.seat.counters() {
            front.bytes_in.add(bytes_in);
            front.bytes_out.add(bytes_out);
            if let Some(listener) = listener {
                listener.bytes_in.add(bytes_in);
                listener.bytes_out.add(bytes_out);
            }
        }
        if let Some(back) = pool.back(self.proxy) {
            back.bytes_in.add(bytes_in);
            back.bytes_out.add(bytes_out);
        }
        let (peer, local, at, wall) = (self.peer, self.local, self.at, self.accepted);
        let answered = record.session.termination.cause == Cause::Local;
        let outcome = if answered { Outcome::Answered } else { Outcome::Failed };
        let caller = Caller { seat: &self.seat, socket: None, peer, local, at, wall, outcome };
        let (subject, memory) = (Subject::Caller(&caller), RefCell::default());
        let view = View { shard: &self.shard, subject, memory: &memory, waits: false, patient: false };
        self.shared.journal.request(record, &view);
    }

    /// Says and logs what is left when the connection ends.
    async fn conclude(&self, line: &Line, end: End) {
        if let Some(mut record) = line.take_due() {
            let late = matches!(end, End::TooLate);
            let cause = if late { Cause::ClientTimeout } else { Cause::Client };
            record.session.termination = Termination { cause, phase: Phase::Data };
            return self.close_books(&record);
        }
        let waiting = line.is_idle() && line.requests.get() > 0;
        let (status, cause) = match &end {
            // Between two requests everybody may leave.
            End::TooLate if waiting => return,
            End::Closed(_) if waiting => return part(line).await,
            End::TooLate => (408, Cause::ClientTimeout),
            End::Closed(Err(error)) if error.is_parse() => (400, Cause::Proxy),
            // The engine stops, or the client left before or within a request.
            End::Closed(_) if self.shared.stopping.load(Ordering::Acquire) => return,
            End::Closed(_) => (400, Cause::Client),
        };
        self.refuse(line, status, cause).await;
    }

    async fn refuse(&self, line: &Line, status: u16, cause: Cause) {
        if let Some((front, _)) = self.seat.counters() {
            front.request_errors.add(1);
            front.requests_total.add(1);
            front.answers[3].add(1);
        }
        let mut session = self.record(Termination { cause, phase: Phase::Request });
        session.bytes_in = line.received.get();
        session.timers.total = clock::now().since(line.begun.get().unwrap_or(line.accepted)) as u32;
        let request = "<BADREQ>".to_owned();
        self.close_books(&HttpRecord { session, status, request, request_time: None });
        let words = answer::last_words(self.proxy(), status);
        if rustix::net::send(&line.socket, &words, SendFlags::NOSIGNAL).is_ok() {
            part(line).await;
        }
    }
}

/// Says that nothing more comes, and gives the client time to hear it: closing over unread bytes would be a reset,
/// which can overtake the answer.
async fn part(line: &Line) {
    let _ = rustix::net::shutdown(&line.socket, Shutdown::Write);
    let _ = tokio::time::timeout(LINGER, drain(line)).await;
}

/// Reads and forgets until the other side closes.
async fn drain(line: &Line) -> std::io::Result<()> {
    let mut scratch = [0; 4096];
    loop {
        let mut ready = line.socket.readable().await?;
        match rustix::io::read(line.socket.get_ref().as_fd(), &mut scratch) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
            Err(errno) => return Err(errno.into()),
        }
    }
}
