//! The sockets of `-S`, and how addresses are shown in the environment.
//!
//! `-S ADDRESS,option,…` is read as a `stats socket` line: the same words, the same errors. Source: management guide §3, §9.4.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::state::Listener;
use crate::ir::Config;
use crate::lower::{self, Choices};
use crate::process::argv::Arguments;
use crate::process::console::Console;
use crate::process::listeners::{self, Busy};
use crate::process::world::System;
use crate::sys::fd::Inherited;
use crate::text::{Severity, SourceMap};

/// What the option is called where a file is blamed.
const NAME: &str = "-S";

/// Opens the sockets that `-S` names. What is wrong is said on the console, and is `None`.
pub(super) fn open(
    option: &OsStr,
    arguments: &Arguments,
    inherited: &Inherited,
    console: &Console,
) -> Option<Vec<Listener>> {
    let mut world = System::new(arguments);
    world.give(NAME, line(option.as_bytes()));
    let judged =
        lower::configuration(&[PathBuf::from(NAME)], Choices::default(), &mut world, &mut SourceMap::default());
    let alerts = judged.diagnostics.iter().filter(|said| said.severity == Severity::Alert);
    for alert in alerts {
        console.alert(format_args!("config : option {NAME} : {}", alert.message));
    }
    let config = judged.value?;
    let wants = listeners::wants(&config, 0);
    let mut opened = match listeners::open(&wants, Vec::new(), inherited, &mut Nobody) {
        Ok(opened) => opened,
        Err(errors) => {
            for error in errors {
                console.alert(format_args!("option {NAME} : {error}"));
            }
            return None;
        }
    };
    if let Err((path, why)) = opened.publish() {
        console.alert(format_args!("option {NAME} : cannot place {}: {why}", path.display()));
        return None;
    }
    let lines = &config.global.stats_sockets;
    let all = opened.into_listening().into_iter().zip(lines);
    Some(
        all.map(|(listening, line)| Listener {
            socket: listening.socket,
            level: line.level,
            shown: line.endpoint.with_family().unwrap_or_default(),
        })
        .collect(),
    )
}

/// The option as a configuration: all rights, if it does not say otherwise.
fn line(option: &[u8]) -> Vec<u8> {
    let mut text = b"global\n\tstats socket ".to_vec();
    for (at, word) in option.split(|byte| *byte == b',').enumerate() {
        if at > 0 {
            text.push(b' ');
        }
        for byte in word {
            if b" \t\"'\\#$".contains(byte) {
                text.push(b'\\');
            }
            text.push(*byte);
        }
        if at == 0 {
            text.extend_from_slice(b" level admin");
        }
    }
    text.push(b'\n');
    text
}

/// A busy address stays busy.
struct Nobody;

impl Busy for Nobody {
    fn retry(&mut self, _: SocketAddr) -> bool {
        false
    }
}

/// `HAPROXY_CLI`: where the process answers commands.
pub(super) fn stats_sockets(config: &Config) -> String {
    let all: Vec<String> = config.global.stats_sockets.iter().filter_map(|line| line.endpoint.with_family()).collect();
    all.join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_becomes_a_line() {
        for (option, want) in [
            ("/run/m.sock", "global\n\tstats socket /run/m.sock level admin\n"),
            ("127.0.0.1:1,level,user", "global\n\tstats socket 127.0.0.1:1 level admin level user\n"),
            ("/a b,mode,600", "global\n\tstats socket /a\\ b level admin mode 600\n"),
        ] {
            assert_eq!(String::from_utf8(line(option.as_bytes())).unwrap(), want);
        }
    }

    #[test]
    fn any_option_is_read_or_refused() {
        let console = Console::new(true);
        bolero::check!().with_iterations(1_000).with_type::<Vec<u8>>().for_each(|bytes| {
            let mut world = System::new(&Arguments::default());
            world.give(NAME, line(bytes));
            let files = [PathBuf::from(NAME)];
            let _ = lower::configuration(&files, Choices::default(), &mut world, &mut SourceMap::default());
        });
        let inherited = Inherited::at_start();
        assert!(open(OsStr::new("/nope/x,nonsense"), &Arguments::default(), &inherited, &console).is_none());
        assert!(open(OsStr::new("/nope/x"), &Arguments::default(), &inherited, &console).is_none());
    }
}
