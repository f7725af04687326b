//! What scripted checks find: one table of scenarios, run on both programs.
//!
//! `fixtures/checks/rules/*.txt` hold rules, what a scripted server does, and what the original made of it: state,
//! columns of `show stat`, the line it told, and what the server heard. `BLESS=1 BATON_UNDER_TEST=theirs` rewrites them.

#[path = "check_rules/scenario.rs"]
mod scenario;
#[path = "check_rules/server.rs"]
mod server;
#[path = "check_rules/stage.rs"]
mod stage;

mod harness;

#[test]
fn tcp_check_rules_find_what_haproxy_finds() {
    stage::play("tcp");
}

#[test]
fn patterns_and_variables_of_tcp_check_are_haproxys() {
    stage::play("tcp-patterns");
}

#[test]
fn http_check_rules_find_what_haproxy_finds() {
    stage::play("http");
}

#[test]
fn a_check_may_pass_on_condition() {
    stage::play("conditions");
}

#[test]
fn checks_may_begin_with_a_proxy_header() {
    stage::play("proxy-header");
}
