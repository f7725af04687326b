//! What starts, watches and ends a proxy on Debian, with the real programs and files, each in a copy of the machine
//! (`harness::throwaway`): the init script, the unit's lines, monit, supervisord, runit, daemontools, a container's
//! process 1, keepalived's question. The files of examples/supervisors are what runs. All of it holds for the original too.

#[path = "../harness/mod.rs"]
mod harness;

mod container;
mod initd;
mod orders;
mod stage;
mod systemd;
mod unit;
mod watchers;
