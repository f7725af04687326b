//! `userlist` sections: users, their passwords and groups. Source: manual §3.4; verdicts asked of 2.6.12
//! (`fixtures/verdict/userlists/`).

use super::args::{Args, Given};
use super::error::{LowerError, Lowered};
use super::names;
use crate::expr::users::{self, HashError};
use crate::grammar::Row;
use crate::ir::{Password, User, Userlist};
use crate::text::{Diagnostic, Span};

/// User lists as far as they were read.
#[derive(Debug, Default)]
pub(super) struct Draft {
    lists: Vec<ListDraft>,
}

#[derive(Debug)]
struct ListDraft {
    name: String,
    users: Vec<(User, Vec<Member>)>,
    groups: Vec<(String, Vec<Member>)>,
}

/// A user of a group, or a group of a user, and where it was said.
type Member = (String, Span);

/// `userlist <name>`: a second one of a name is ignored with a warning, and what follows belongs to the last new one.
pub(super) fn open(draft: &mut Draft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a name");
    let name = word.as_ref().map(Given::text).unwrap_or_default();
    if let Ok(word) = &word
        && draft.lists.iter().any(|list| list.name == name)
    {
        let message = format!("there is a userlist '{name}' already: this one is ignored");
        args.say(Diagnostic::warning(word.span, message).hint("its lines are taken for those of the list above it"));
        return Ok(());
    }
    draft.lists.push(ListDraft { name, users: Vec::new(), groups: Vec::new() });
    names::check(&word?)
}

/// One line of the list that was opened last.
pub(super) fn statement(draft: &mut Draft, row: &Row, args: &mut Args<'_>) -> Lowered {
    let Some(list) = draft.lists.last_mut() else { return Ok(()) };
    match row.keyword {
        "user" => user(list, args),
        "group" => group(list, args),
        _ => Ok(()),
    }
}

fn ignored(what: &str, name: &Given<'_>, args: &mut Args<'_>) -> Lowered {
    let message = format!("there is a {what} '{}' in this userlist already: this line is ignored", name.text());
    args.say(Diagnostic::warning(name.span, message));
    Ok(())
}

/// The names of a list with commas.
fn members(args: &mut Args<'_>) -> Vec<Member> {
    let Some(word) = args.next_word() else { return Vec::new() };
    let text = word.text();
    text.split(',').filter(|name| !name.is_empty()).map(|name| (name.to_owned(), word.span)).collect()
}

/// `user <name> [password|insecure-password <text>] [groups <name>,…]`: what is said twice of a user, the last one holds.
fn user(list: &mut ListDraft, args: &mut Args<'_>) -> Lowered {
    let name = args.word("a name")?;
    if list.users.iter().any(|(user, _)| user.name == name.text()) {
        return ignored("user", &name, args);
    }
    let mut user = User { name: name.text(), password: Password::None, groups: Vec::new() };
    let mut groups = Vec::new();
    while let Some(word) = args.next_word().filter(|word| !word.bytes.is_empty()) {
        match word.bytes {
            b"password" => {
                let Some(hash) = args.next_word() else { break };
                if let Err(why) = users::check(&hash.text()) {
                    let message = match why {
                        HashError::Kind => {
                            "no password fits this hash: of crypt(3) '$1$', '$5$', '$6$' and '$y$' are built"
                        }
                        HashError::Malformed => "no password fits this: it is no hash of crypt(3)",
                    };
                    args.say(Diagnostic::our_warning(hash.span, message));
                }
                user.password = Password::Hash(hash.text());
            }
            b"insecure-password" => {
                let Some(text) = args.next_word() else { break };
                user.password = Password::Clear(text.text());
            }
            b"groups" => groups = members(args),
            _ => {
                let choices = &["password", "insecure-password", "groups"];
                return Err(word.blame(LowerError::Choice { text: word.text(), choices }));
            }
        }
    }
    list.users.push((user, groups));
    Ok(())
}

/// `group <name> [users <name>,…]`.
fn group(list: &mut ListDraft, args: &mut Args<'_>) -> Lowered {
    let name = args.word("a name")?;
    if list.groups.iter().any(|(known, _)| *known == name.text()) {
        return ignored("group", &name, args);
    }
    let mut users = Vec::new();
    while let Some(word) = args.next_word().filter(|word| !word.bytes.is_empty()) {
        if word.bytes != b"users" {
            return Err(word.blame(LowerError::Choice { text: word.text(), choices: &["users"] }));
        }
        users = members(args);
    }
    list.groups.push((name.text(), users));
    Ok(())
}

/// The lists; who names a user or a group that does not exist is told so.
pub(super) fn judge(draft: Draft, said: &mut Vec<Diagnostic>) -> Vec<Userlist> {
    let list = |list: ListDraft| {
        let ListDraft { name, users, groups } = list;
        let unknown = |what: &str, member: &Member| {
            let message = format!("userlist '{name}' has no {what} '{}'", member.0);
            Diagnostic::alert(member.1, message).resolved()
        };
        let names = groups.iter().map(|(group, _)| group.clone()).collect();
        let mut made = Userlist { name: name.clone(), users: Vec::new(), groups: names };
        for (mut user, of) in users {
            for member in of {
                match groups.iter().any(|(group, _)| *group == member.0) {
                    true => user.groups.push(member.0),
                    false => said.push(unknown("group", &member)),
                }
            }
            made.users.push(user);
        }
        for (group, members) in &groups {
            for member in members {
                match made.users.iter_mut().find(|user| user.name == member.0) {
                    Some(user) if user.groups.contains(group) => {}
                    Some(user) => user.groups.push(group.clone()),
                    None => said.push(unknown("user", member)),
                }
            }
        }
        made
    };
    draft.lists.into_iter().map(list).collect()
}
