//! A probe for every accepted word: each configuration of `fixtures/probe/` does what it says, and no longer does so
//! without the word, on baton and on haproxy. The language: `fixtures/probe/README.md`.

mod harness;
mod probe;
