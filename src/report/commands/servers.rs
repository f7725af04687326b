//! Orders to servers: administrative state, health, agent, limit.

use super::names::Named;
use super::{Command, Console, addresses, weights, wrong};
use crate::ir::{AdminLevel, TrackRef};
use crate::pool::{Admin, By, Events, HealthOrder, Reply};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        words: &["disable", "agent"],
        usage: "<backend>/<server>",
        help: "ask the server's agent no more",
        level: AdminLevel::Admin,
        run: |console, args| console.ask_agent(args, false).unwrap_or_else(|reply| reply),
    },
    Command {
        words: &["disable", "health"],
        usage: "<backend>/<server>",
        help: "check the server no more",
        level: AdminLevel::Admin,
        run: |console, args| console.check_server(args, false).unwrap_or_else(|reply| reply),
    },
    Command {
        words: &["enable", "agent"],
        usage: "<backend>/<server>",
        help: "ask the server's agent again",
        level: AdminLevel::Admin,
        run: |console, args| console.ask_agent(args, true).unwrap_or_else(|reply| reply),
    },
    Command {
        words: &["enable", "health"],
        usage: "<backend>/<server>",
        help: "check the server again",
        level: AdminLevel::Admin,
        run: |console, args| console.check_server(args, true).unwrap_or_else(|reply| reply),
    },
    Command {
        words: &["disable", "server"],
        usage: "<backend>/<server>",
        help: "maintenance: no sessions, no checks",
        level: AdminLevel::Admin,
        run: |console, args| console.set_state(args, Admin::Maint).unwrap_or_else(|reply| reply),
    },
    Command {
        words: &["enable", "server"],
        usage: "<backend>/<server>",
        help: "leave maintenance",
        level: AdminLevel::Admin,
        run: |console, args| console.set_state(args, Admin::Ready).unwrap_or_else(|reply| reply),
    },
    Command {
        words: &["set", "maxconn", "server"],
        usage: "<backend>/<server> <number>",
        help: "sessions that it may have at once; 0: no limit",
        level: AdminLevel::Admin,
        run: |console, args| console.limit_server(args).unwrap_or_else(|reply| reply),
    },
    Command {
        words: &["set", "server"],
        usage: "<backend>/<server> <what> <value>",
        help: "state, weight, health, address of a server, its check, its agent",
        level: AdminLevel::Admin,
        run: |console, args| console.set_server(args).unwrap_or_else(|reply| reply),
    },
];

/// What is answered to a `set server` that says nothing.
const SETTABLE: &str = "What can be set of a server: addr, agent, agent-addr, agent-port, agent-send, check-addr, check-port, \
                        fqdn, health, ssl, state, weight.";

impl Console {
    fn set_state(&self, args: &[&str], admin: Admin) -> Result<Reply, Reply> {
        let server = self.server(args.first())?;
        self.order(&server, admin)
    }

    fn order(&self, server: &Named<'_>, admin: Admin) -> Result<Reply, Reply> {
        self.control()?;
        self.announce(&self.pool.set_admin(server.proxy, server.ix, admin, self.now()))
    }

    /// To stop what is not there is no mistake, as with haproxy.
    fn check_server(&self, args: &[&str], checked: bool) -> Result<Reply, Reply> {
        let server = self.server(args.first())?;
        if !self.pool.enable_check(server.proxy, server.ix, checked) && checked {
            return Err(wrong("This server has no check: it cannot be enabled."));
        }
        Ok(Reply::Done)
    }

    fn ask_agent(&self, args: &[&str], asked: bool) -> Result<Reply, Reply> {
        let server = self.server(args.first())?;
        if !self.pool.enable_agent(server.proxy, server.ix, asked) && asked {
            return Err(wrong("This server has no agent: it cannot be enabled."));
        }
        Ok(Reply::Done)
    }

    fn limit_server(&self, args: &[&str]) -> Result<Reply, Reply> {
        let server = self.server(args.first())?;
        let number = args.get(1).and_then(|word| word.parse::<u32>().ok());
        let number = number.ok_or_else(|| wrong("A number of sessions is needed."))?;
        self.control()?;
        self.announce(&self.pool.set_server_maxconn(server.proxy, server.ix, number, self.now()))
    }

    fn set_server(&self, args: &[&str]) -> Result<Reply, Reply> {
        let server = self.server(args.first())?;
        let value = args.get(2).copied();
        match args.get(1).copied() {
            Some("state") => match value {
                Some("ready") => self.order(&server, Admin::Ready),
                Some("drain") => self.order(&server, Admin::Drain),
                Some("maint") => self.order(&server, Admin::Maint),
                _ => Err(wrong("A state is 'ready', 'drain' or 'maint'.")),
            },
            Some("weight") => self.weigh(&server, value),
            Some("health") => self.announce(&self.believe(&server, value)?),
            Some("agent") => self.announce(&self.speak_for_agent(&server, value)?),
            Some("addr") => self.set_address(&server, &args[2..]),
            Some("check-addr") => self.set_check_address(&server, &args[2..]),
            Some("check-port") => self.set_check_port(&server, value),
            Some("agent-addr") => self.set_agent_address(&server, &args[2..]),
            Some("agent-port") => self.set_agent_port(&server, value),
            Some("agent-send") => self.set_agent_send(&server, value),
            Some("fqdn") => self.set_host(&server, value),
            Some("ssl") => Err(wrong("TLS to servers is missing in this version: it cannot be switched on or off.")),
            _ => Err(wrong(SETTABLE)),
        }
    }

    fn believe(&self, server: &Named<'_>, value: Option<&str>) -> Result<Events, Reply> {
        if server.line.track.is_some() {
            return Err(wrong("This server follows the health of the one that it tracks."));
        }
        let order = match value {
            Some("up") => HealthOrder::Up,
            Some("stopping") => HealthOrder::Stopping,
            Some("down") => HealthOrder::Down,
            _ => return Err(wrong("A health is 'up', 'stopping' or 'down'.")),
        };
        self.control()?;
        Ok(self.pool.set_health(server.proxy, server.ix, order, self.now()))
    }

    fn speak_for_agent(&self, server: &Named<'_>, value: Option<&str>) -> Result<Events, Reply> {
        let nobody = || wrong("No agent of this server is asked.");
        if server.line.agent.is_none() {
            return Err(nobody());
        }
        let up = match value {
            Some("up") => true,
            Some("down") => false,
            _ => return Err(wrong("An agent says 'up' or 'down'.")),
        };
        self.control()?;
        self.pool.set_agent(server.proxy, server.ix, up, self.now()).ok_or_else(nobody)
    }

    /// Changes the name that a server's address is looked up by: only where it is looked up at run time.
    fn set_host(&self, server: &Named<'_>, value: Option<&str>) -> Result<Reply, Reply> {
        let host = value.ok_or_else(|| wrong("A host name is needed."))?;
        self.control()?;
        let at = TrackRef { proxy: server.proxy, server: server.ix };
        let old = self.pool.server_now(at.proxy, at.server).and_then(|line| line.host.clone());
        if !self.pool.resolve_by(at, host) {
            let name = &server.line.name;
            return Err(wrong(&format!("The address of server '{name}' is not looked up at run time.")));
        }
        if old.as_deref() == Some(host) {
            return Ok(Reply::Done);
        }
        let (label, old) = (self.pool.label(at), old.as_deref().unwrap_or("(null)"));
        Ok(addresses::remark(&format!("{label} changed its FQDN from {old} to {host} by '{}'", By::Command)))
    }

    /// Gives a server the weight that a word says.
    pub(super) fn weigh(&self, server: &Named<'_>, word: Option<&str>) -> Result<Reply, Reply> {
        let initial = server.line.weight;
        let fixed = self.pool.has_fixed_weights(server.proxy);
        let weight = weights::parse(word, initial, fixed).map_err(|why| wrong(&why.to_string()))?;
        self.control()?;
        self.announce(&self.pool.set_weight(server.proxy, server.ix, weight, self.now()))
    }
}
