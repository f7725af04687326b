//! The objects that have statistics, and which of them are asked for.

use crate::ir::{Backend, Bind, Proxy, ProxyIx, Server, ServerIx};
use crate::pool::{Admin, BackState, BackView, FrontState, ListenerState, Pool, ServerState, ServerView};
use crate::units::Tick;

/// One object: a row of the CSV.
pub(crate) struct Subject<'a> {
    pub(crate) proxy: &'a Proxy,
    pub(crate) kind: Kind<'a>,
    /// The moment of the report.
    pub(crate) now: Tick,
    /// The process's `maxconn`, for frontends without their own.
    pub(super) maxconn: u32,
    /// Whether addresses and ways of balancing are told.
    pub(super) legends: bool,
    /// Whether a backend's state shows how many of its servers are in use: when others are hidden.
    pub(super) counted: bool,
}

/// What kind of object it is, with its state.
pub(crate) enum Kind<'a> {
    Front(&'a FrontState),
    /// Shown with `option socket-stats`.
    Listener {
        bind: &'a Bind,
        state: &'a ListenerState,
        front: &'a FrontState,
    },
    Server {
        at: ServerIx,
        server: &'a Server,
        state: &'a ServerState,
        view: Box<ServerView>,
    },
    Back {
        back: &'a Backend,
        state: &'a BackState,
        view: BackView,
    },
}

/// Servers that are looked at for one piece of a report.
const STRIDE: u32 = 64;

/// Which servers are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Hide {
    #[default]
    Nothing,
    /// Those in maintenance.
    Maintenance,
    /// Those that are down for any reason.
    Down,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Selection<'a> {
    /// One proxy, by its id; `None`: all.
    pub(crate) proxy: Option<u32>,
    /// Kinds: 1 frontends, 2 backends, 4 servers, 8 listeners.
    pub(crate) kinds: u32,
    /// One server or listener, by its id; `None`: all.
    pub(crate) server: Option<u32>,
    pub(crate) hide: Hide,
    /// Whether addresses and ways of balancing are told: on the page only with `stats show-legends`.
    pub(crate) legends: bool,
    /// Only proxies whose name holds this, in whatever case (`;scope=` of the page); empty: all.
    pub(crate) holding: &'a str,
    /// Names of the only proxies that may be seen (`stats scope`); `None`: all.
    pub(crate) scope: Option<&'a [&'a str]>,
}

impl Default for Selection<'_> {
    fn default() -> Self {
        Self {
            proxy: None,
            kinds: u32::MAX,
            server: None,
            hide: Hide::Nothing,
            legends: true,
            holding: "",
            scope: None,
        }
    }
}

impl Selection<'_> {
    /// Whether a proxy is among what is asked for. Disabled ones never are.
    pub(crate) fn takes(&self, proxy: &Proxy) -> bool {
        !proxy.disabled
            && self.proxy.is_none_or(|id| id == proxy.id)
            && (self.holding.is_empty() || proxy.name.to_ascii_lowercase().contains(&self.holding.to_ascii_lowercase()))
            && self.scope.is_none_or(|names| names.contains(&proxy.name.as_str()))
    }

    fn shows(&self, server: &Server, view: &ServerView) -> bool {
        let hidden = match self.hide {
            Hide::Nothing => false,
            Hide::Maintenance => view.admin == Admin::Maint,
            Hide::Down => !view.usable,
        };
        !hidden && self.server.is_none_or(|id| id == server.id)
    }
}

/// Calls `each` for every object that is asked for, in haproxy's order: by proxy, its frontend, its listeners, its
/// servers, its backend.
pub(crate) fn subjects(pool: &Pool, now: Tick, selection: &Selection<'_>, mut each: impl FnMut(&Subject<'_>)) {
    let mut at = Cursor::default();
    while some_subjects(pool, now, selection, &mut at, &mut each) {}
}

/// How far a report has come: a proxy, and the next of its servers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cursor {
    proxy: u32,
    server: u32,
}

/// [`subjects`] from a place on, for one proxy or [`STRIDE`] servers of it; whether there is more.
pub(crate) fn some_subjects(
    pool: &Pool,
    now: Tick,
    selection: &Selection<'_>,
    cursor: &mut Cursor,
    mut each: impl FnMut(&Subject<'_>),
) -> bool {
    let maxconn = pool.process.maxconn.load(std::sync::atomic::Ordering::Relaxed);
    let counted = selection.hide != Hide::Nothing;
    let (ix, from) = (ProxyIx(cursor.proxy), cursor.server);
    let Some(proxy) = pool.config.proxies.get(ix.0 as usize) else { return false };
    *cursor = Cursor { proxy: ix.0 + 1, server: 0 };
    if !selection.takes(proxy) {
        return true;
    }
    let legends = selection.legends;
    let of = |kind| Subject { proxy, kind, now, maxconn, legends, counted };
    if from == 0 {
        if selection.kinds & 1 != 0
            && let Some(front) = pool.front(ix)
        {
            each(&of(Kind::Front(front)));
        }
        if selection.kinds & 8 != 0
            && let (Some(side), Some(front)) = (&proxy.frontend, pool.front(ix))
            && side.socket_stats
        {
            let listeners = side.binds.iter().zip(&front.listeners);
            for (bind, state) in listeners.filter(|(bind, _)| selection.server.is_none_or(|id| id == bind.id)) {
                each(&of(Kind::Listener { bind, state, front }));
            }
        }
    }
    let (Some(back), Some(state)) = (&proxy.backend, pool.back(ix)) else { return true };
    if selection.kinds & 4 != 0 {
        for at in (from..state.servers.len() as u32).map(ServerIx) {
            if at.0 - from == STRIDE {
                *cursor = Cursor { proxy: ix.0, server: at.0 };
                return true;
            }
            let (line, view) = (pool.server_now(ix, at), pool.server_view(ix, at, now));
            let place = state.servers.get(at.0 as usize);
            let (Some(server), Some(view), Some(state)) = (line.as_deref(), view, place) else { continue };
            if selection.shows(server, &view) {
                let kind = Kind::Server { at, server, state, view: Box::new(view) };
                each(&Subject { proxy, kind, now, maxconn, legends, counted });
            }
        }
    }
    if selection.kinds & 2 != 0
        && let Some(view) = pool.back_view(ix, now)
    {
        each(&of(Kind::Back { back, state, view }));
    }
    true
}

impl Subject<'_> {
    /// Its name: `FRONTEND`, `BACKEND`, or the listener's or server's.
    pub(crate) fn name(&self) -> &str {
        match &self.kind {
            Kind::Front(_) => "FRONTEND",
            Kind::Listener { bind, .. } => &bind.name,
            Kind::Server { server, .. } => &server.name,
            Kind::Back { .. } => "BACKEND",
        }
    }

    /// Its state as the column `status` has it.
    pub(crate) fn status(&self) -> String {
        use std::sync::atomic::Ordering::Relaxed;
        match &self.kind {
            Kind::Front(state) if state.stopped.load(Relaxed) => "STOP".into(),
            Kind::Front(state) if state.paused.load(Relaxed) => "PAUSED".into(),
            Kind::Front(_) => "OPEN".into(),
            // An order to pause shows at the frontend only.
            Kind::Listener { bind, state, front } => {
                let full = |now: u32, limit: u32| limit > 0 && now >= limit;
                match () {
                    () if full(state.sessions.get(), bind.options.maxconn) => "FULL".into(),
                    () if full(front.sessions.get(), front.maxconn.load(Relaxed)) => "WAITING".into(),
                    () => "OPEN".into(),
                }
            }
            Kind::Server { view, .. } => view.status_text.clone(),
            Kind::Back { view, .. } => {
                let word = if view.up { "UP" } else { "DOWN" };
                match self.counted {
                    true => format!("{word} ({}/{})", view.active + view.backup, view.servers),
                    false => word.into(),
                }
            }
        }
    }

    /// Sessions at once that are allowed; `None`: no limit.
    pub(crate) fn session_limit(&self) -> Option<u32> {
        match &self.kind {
            Kind::Front(state) if state.barred.load(std::sync::atomic::Ordering::Relaxed) => Some(0),
            Kind::Front(state) => Some(match state.maxconn.load(std::sync::atomic::Ordering::Relaxed) {
                0 => self.maxconn,
                limit => limit,
            }),
            Kind::Listener { bind, .. } => Some(bind.options.maxconn),
            Kind::Server { view, .. } => view.session_limit,
            Kind::Back { view, .. } => Some(view.fullconn),
        }
    }

    /// Seconds since the last session; `None`: there was none, or it is of the client side.
    pub(crate) fn last_session(&self) -> Option<u64> {
        let at = match &self.kind {
            Kind::Front(_) | Kind::Listener { .. } => 0,
            Kind::Server { state, .. } => state.last_session.get(),
            Kind::Back { state, .. } => state.last_session.get(),
        };
        (at > 0).then(|| self.now.since(Tick::from_millis(at)) / 1000)
    }
}
