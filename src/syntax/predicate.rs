//! What a condition may ask: one row per predicate.
//!
//! Source: manual §2.4 of 2.6 and of 3.x (`strstr`, `enabled` and the library's version came after 2.6).

use super::version::{VERSION, Version};
use crate::text::World;

/// A predicate, how many arguments it takes and how it answers.
pub(super) struct Predicate {
    pub(super) name: &'static str,
    /// One argument may be left out (it is empty then), two may not.
    pub(super) takes: usize,
    pub(super) answer: fn(world: &dyn World, first: &[u8], second: &[u8]) -> bool,
}

/// Every predicate that 2.6 or 3.4 knows.
pub(super) const PREDICATES: &[Predicate] = &[
    one("defined", |world, name, _| text(name).is_some_and(|name| world.env(name).is_some())),
    one("enabled", |world, option, _| text(option).is_some_and(|option| world.enabled(option))),
    // 2.6 says yes to an empty name.
    one("feature", |world, name, _| name.is_empty() || text(name).is_some_and(|name| world.feature(name))),
    one("openssl_version_atleast", |world, wanted, _| {
        library(world).is_some_and(|ours| ours >= Version::parse(wanted))
    }),
    one("openssl_version_before", |world, wanted, _| library(world).is_some_and(|ours| ours < Version::parse(wanted))),
    one("ssllib_name_startswith", |world, begin, _| {
        world.tls_library().is_some_and(|(name, _)| name.as_bytes().starts_with(begin))
    }),
    two("streq", |_, one, other| one == other),
    two("strneq", |_, one, other| one != other),
    two("strstr", |_, whole, part| memchr::memmem::find(whole, part).is_some()),
    one("version_atleast", |_, wanted, _| Version::parse(VERSION.as_bytes()) >= Version::parse(wanted)),
    one("version_before", |_, wanted, _| Version::parse(VERSION.as_bytes()) < Version::parse(wanted)),
];

type Answer = fn(&dyn World, &[u8], &[u8]) -> bool;

const fn one(name: &'static str, answer: Answer) -> Predicate {
    Predicate { name, takes: 1, answer }
}

const fn two(name: &'static str, answer: Answer) -> Predicate {
    Predicate { name, takes: 2, answer }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn library(world: &dyn World) -> Option<Version> {
    world.tls_library().map(|(_, version)| Version::parse(version.as_bytes()))
}
