//! `program` sections. Source: manual §3.7; what is an error was asked of 2.6.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::args::{Args, Given};
use super::bind::{group_id, user_id};
use super::error::{LowerError, Lowered};
use crate::grammar::Row;
use crate::ir::{Global, Program};
use crate::text::Diagnostic;

/// `program <name>`. The program exists even if its line is wrong, so that its lines are judged too.
pub(super) fn open(global: &mut Global, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a name");
    let name = word.as_ref().map(Given::text).unwrap_or_default();
    let programs = &mut global.master.programs;
    let taken = programs.iter().find(|program| program.name == name).map(|program| program.span.line);
    programs.push(Program {
        name: name.clone(),
        command: Vec::new(),
        uid: None,
        gid: None,
        starts_on_reload: true,
        span: word.as_ref().map_or(args.span(), |word| word.span),
    });
    let word = word?;
    match taken {
        Some(line) => Err(word.blame(LowerError::NameTaken { name, line })),
        None => Ok(()),
    }
}

/// One line of the program that was opened last. The last `command` counts.
pub(super) fn statement(global: &mut Global, row: &Row, args: &mut Args<'_>) -> Lowered {
    let Some(program) = global.master.programs.last_mut() else { return Ok(()) };
    match row.keyword {
        "command" => {
            program.command.clear();
            while let Some(word) = args.next_word() {
                program.command.push(OsString::from_vec(word.bytes.to_vec()));
            }
        }
        "user" => program.uid = Some(user_id(args)?),
        "group" => program.gid = Some(group_id(args)?),
        "option start-on-reload" => program.starts_on_reload = args.on(true),
        _ => {}
    }
    Ok(())
}

/// What is judged when everything is read. `master`: the command line asks for a master process.
pub(super) fn judge(global: &Global, master: bool, said: &mut Vec<Diagnostic>) {
    if let Some(program) = global.master.programs.first().filter(|_| !master && !global.master.wanted) {
        let message = "'program' sections need a master process";
        said.push(Diagnostic::alert(program.span, message).resolved().hint("start with -W, or add 'master-worker'"));
    }
    for program in global.master.programs.iter().filter(|program| program.command.is_empty()) {
        let message = format!("program '{}' lacks the 'command' that it is to run", program.name);
        said.push(Diagnostic::alert(program.span, message).resolved());
    }
}
