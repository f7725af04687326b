//! From the command line to a judged configuration, and what `-c` says of it.

use std::process::ExitCode;

use super::argv::Arguments;
use super::console::Console;
use super::world::System;
use crate::ir::Config;
use crate::lower::{self, Choices};
use crate::syntax;
use crate::text::{Diagnostic, Severity, SourceMap, World};

/// Nothing would listen: valid, but it does not start.
const NOTHING_LISTENS: u8 = 2;

/// A configuration that may run, and the text it came from.
#[derive(Debug)]
pub(crate) struct Checked {
    /// What it means, with the command line's word on top.
    pub(crate) config: Config,
    /// The files.
    pub(crate) sources: SourceMap,
    /// The environment as the configuration left it.
    pub(crate) environment: Vec<(String, Vec<u8>)>,
    /// Whether haproxy would have warned.
    warned: bool,
}

/// Reads and judges the configuration and says on the console what there is to say. `None`: exit code 1.
pub(crate) fn read(arguments: &Arguments, console: &Console) -> Option<Checked> {
    let mut world = System::new(arguments);
    let mut sources = SourceMap::default();
    let choices = Choices {
        ignore_resolution: arguments.ignore_unresolved,
        master: arguments.master,
        remarks: arguments.diagnose,
    };
    let judged = lower::configuration(&arguments.files, choices, &mut world, &mut sources);
    // haproxy is silent from the line `quiet` on, even of alerts; what ends the start is told here all the same.
    if judged.value.as_ref().is_some_and(|config| config.global.quiet) && !arguments.verbose {
        console.silence();
    }
    console.diagnostics(&sources, &judged.diagnostics, arguments.diagnose);
    let Some(mut config) = judged.value else {
        let alerts = judged.diagnostics.iter().filter(|said| said.severity == Severity::Alert).count();
        console.alert(format_args!("config : {alerts} error(s) found in configuration"));
        return None;
    };
    if judged.diagnostics.iter().any(counts) && (arguments.zero_warning || config.global.zero_warning) {
        console.alert("config : there are warnings, and 'zero-warning' or -dW makes them errors");
        return None;
    }
    let warned = judged.diagnostics.iter().any(|said| said.severity == Severity::Warning);
    overrule(&mut config, arguments);
    let environment = environment(&mut world, &config);
    Some(Checked { config, sources, environment, warned })
}

/// The environment with what haproxy adds at last: its stats sockets.
fn environment(world: &mut System, config: &Config) -> Vec<(String, Vec<u8>)> {
    let sockets = config.global.stats_sockets.iter().filter_map(|socket| socket.endpoint.with_family());
    world.set_env("HAPROXY_CLI", Some(sockets.collect::<Vec<_>>().join(";").as_bytes()));
    world.environment()
}

fn counts(said: &Diagnostic) -> bool {
    said.severity == Severity::Warning && said.counts
}

/// What the command line says wins over the configuration.
fn overrule(config: &mut Config, arguments: &Arguments) {
    let global = &mut config.global;
    global.no_splice |= arguments.no_splice;
    global.no_reuseport |= arguments.no_reuseport;
    global.maxconn = arguments.maxconn.filter(|n| *n > 0).or(global.maxconn);
    if let Some(path) = &arguments.pidfile {
        global.pidfile = Some(path.clone());
    }
    let default = arguments.proxy_maxconn.filter(|n| *n > 0);
    for front in config.proxies.iter_mut().filter_map(|proxy| proxy.frontend.as_mut()) {
        front.maxconn = front.maxconn.or(default);
    }
}

/// `-c`: says whether the configuration is valid.
pub(crate) fn verdict(arguments: &Arguments, checked: &Checked, console: &Console) -> ExitCode {
    if let Some(classes) = &arguments.list_keywords {
        super::listing::keywords(classes);
    }
    if arguments.list_objects {
        super::listing::objects();
    }
    // Who is to be a master needs no listener.
    if !checked.config.listens() && !super::master::wanted(arguments, &checked.config) {
        console.print("The configuration has no error, but nothing would listen: it would not start (exit code 2).\n");
        return ExitCode::from(NOTHING_LISTENS);
    }
    if checked.warned {
        console.print("Warnings were found.\n");
    }
    console.print("Configuration file is valid\n");
    ExitCode::SUCCESS
}

/// `-cc`: evaluates a condition; 0 true, 1 false, 2 no condition.
pub(crate) fn condition(text: &[u8], console: &Console) -> ExitCode {
    let world = System::new(&Arguments::default());
    match syntax::condition::evaluate_argument(text, &world) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            let text = String::from_utf8_lossy(text);
            console.alert(format_args!("config : cannot evaluate the condition '{text}': {why}"));
            ExitCode::from(2)
        }
    }
}
