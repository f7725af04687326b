//! The sets of places that fetches may stand in. Source: `haproxy -dKsmp` of 2.6, which has no others.

use crate::expr::Places;

/// Everywhere.
pub(super) const ALWAYS: Places = Places::row("YYYYYYYYYYYYYYYYYYYYYY");
/// Wherever a process runs.
pub(super) const LIVE: Places = Places::row("YYYYYYYYYYYYYYYYYYYY.Y");
/// What the client's connection says.
pub(super) const CLIENT: Places = Places::row("YYYYYYYYYYYYYYYYYYYY..");
/// What the frontend says.
pub(super) const FRONTEND: Places = Places::row("YYYYYYYYYYYYYYYYYYY...");
/// What the backend says.
pub(super) const BACKEND: Places = Places::row("......YYYYYYYYYYYYYY..");
/// What the chosen server says.
pub(super) const CHOSEN: Places = Places::row("..........YYYYYYYYYY..");
/// What the server's connection says.
pub(super) const SERVER: Places = Places::row("...........YYYYYYYYY..");
/// What a stream remembers.
pub(super) const STREAM: Places = Places::row("..YYYYYYYYYYYYYYYYY...");
/// What a stream remembers of its server.
pub(super) const RESULT: Places = Places::row(".........YYYYYYYYYY...");
/// The bytes of a request.
pub(super) const REQUEST: Places = Places::row("..YYYYYYYYY...........");
/// The bytes of a response.
pub(super) const RESPONSE: Places = Places::row("...........YYYYYYY.Y..");
/// The bytes of either.
pub(super) const BUFFER: Places = Places::row("..YYYYYYYYYYYYYYYY.Y..");
