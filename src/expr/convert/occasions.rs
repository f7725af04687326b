//! `when(<condition>)`: lets a value pass on some occasions only. Source: manual of 3.x §7.3.1 "when".

use super::{ANY, Arg, Args, Context, ExprError, Row, row};
use crate::expr::condition::{NamedAcl, Truth};
use crate::expr::error::ArgError;
use crate::expr::facts::Occasion;

pub(super) const ROWS: &[Row] = &[row("when", "s|ss", (ANY, ANY), condition, |args, value, facts| {
    let holds = match args {
        [Arg::Occasion(occasion, wanted), ..] => facts.is(*occasion) == *wanted,
        [Arg::Acl(acl), ..] => acl.holds(facts) == Truth::True,
        _ => false,
    };
    holds.then_some(value)
})
.of_sessions()];

const WORDS: &str = "'error', 'forwarded', 'normal', 'processed', 'stopping', 'toapplet' or 'acl', with or without '!'";

fn condition(args: &mut Args, context: &Context<'_>) -> Result<(), ExprError> {
    let given = args.text(0);
    let bare = given.strip_prefix(b"!");
    let (word, wanted) = (bare.unwrap_or(given), bare.is_none());
    let arg = match word {
        b"acl" if args.list.len() == 2 => {
            let name = if wanted { args.text(1).to_vec() } else { [b"!", args.text(1)].concat() };
            Arg::Acl(NamedAcl::read(&name, context))
        }
        b"acl" => return Err(args.blame(0, ArgError::Few { want: 2, got: args.list.len() })),
        _ if args.list.len() > 1 => return Err(args.kind(1, "to be left out: only 'acl' has one more")),
        b"error" => Arg::Occasion(Occasion::Error, wanted),
        b"normal" => Arg::Occasion(Occasion::Error, !wanted),
        b"forwarded" => Arg::Occasion(Occasion::Forwarded, wanted),
        b"processed" => Arg::Occasion(Occasion::Processed, wanted),
        b"stopping" => Arg::Occasion(Occasion::Stopping, wanted),
        b"toapplet" => Arg::Occasion(Occasion::Applet, wanted),
        _ => return Err(args.kind(0, WORDS)),
    };
    args.set(0, arg);
    Ok(())
}
