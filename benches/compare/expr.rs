//! What a lookup in a list of patterns costs, 100,000 of them against 10, and what lies around it; in this process, ours alone.

use std::cell::Cell;
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use baton::expr::pattern::Lists;
use baton::expr::{Acls, Arg, Condition, Context, Facts, Fetched, Known, Place, Truth, Value, VarName};

use crate::outside::Outside;

/// A kind of list: what is compared, one of its patterns, and a value that fits that pattern.
struct Kind {
    name: &'static str,
    test: &'static str,
    pattern: fn(usize) -> String,
    value: fn(usize) -> Value<'static>,
}

fn text(text: String) -> Value<'static> {
    Value::owned(text.into_bytes())
}

fn address(ix: usize) -> std::net::IpAddr {
    std::net::Ipv4Addr::from(0x0a00_0000 + (ix as u32) * 256).into()
}

const KINDS: [Kind; 7] = [
    Kind {
        name: "whole texts",
        test: "var(txn.x) -m str",
        pattern: |ix| format!("host{ix}.example.org"),
        value: |ix| text(format!("host{ix}.example.org")),
    },
    Kind {
        name: "ends",
        test: "var(txn.x) -m end",
        pattern: |ix| format!(".host{ix}.example.org"),
        value: |ix| text(format!("www.host{ix}.example.org")),
    },
    Kind {
        name: "parts",
        test: "var(txn.x) -m sub",
        pattern: |ix| format!("/part{ix}/"),
        value: |ix| text(format!("/some/part{ix}/thing")),
    },
    Kind {
        name: "networks",
        test: "src",
        pattern: |ix| format!("{}/24", address(ix)),
        value: |ix| Value::ip(address(ix)),
    },
    Kind {
        name: "numbers",
        test: "var(txn.x) -m int",
        pattern: |ix| format!("{}", 3 * ix),
        value: |ix| Value::Int(3 * ix as i64),
    },
    Kind {
        name: "regular expressions, anchored",
        test: "var(txn.x) -m reg",
        pattern: |ix| format!("^host{ix}\\.[a-z]+\\.org$"),
        value: |ix| text(format!("host{ix}.example.org")),
    },
    Kind {
        name: "regular expressions, -i",
        test: "var(txn.x) -m reg -i",
        pattern: |ix| format!("^/api/v[0-9]/item{ix}$|^/old/item{ix}/"),
        value: |ix| text(format!("/OLD/item{ix}/x")),
    },
];

/// What is asked about: one value of all.
struct Asked {
    values: Vec<Value<'static>>,
    at: Cell<usize>,
}

impl Asked {
    fn value(&self) -> Option<Value<'_>> {
        self.values.get(self.at.get()).map(Value::borrowed)
    }
}

impl Facts for Asked {
    fn known(&self, _: Known, _: &[Arg]) -> Fetched<'_> {
        Fetched::known(self.value())
    }

    fn variable(&self, _: &VarName) -> Option<Value<'_>> {
        self.value()
    }
}

/// Nanoseconds of a lookup that finds, and of one that finds nothing; milliseconds to compile.
fn lookups(kind: &Kind, count: usize, rounds: usize) -> [f64; 3] {
    let mut list = String::new();
    (0..count).for_each(|ix| writeln!(list, "{}", (kind.pattern)(ix)).expect("a text"));
    let (lists, world) = (Lists::default(), Outside::with(list.into_bytes()));
    let context = Context { place: Place::FrontendContent, strict: false, world: &world, lists: &lists };
    let line = format!("if {{ {} -f test.cfg }}", kind.test);
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    let began = Instant::now();
    let condition = Condition::compile(&words, &Acls::default(), &context).expect(&line);
    let compiled = began.elapsed().as_secs_f64() * 1e3;
    let mut figures = [0.0, 0.0, compiled];
    for (figure, (shift, want)) in figures.iter_mut().zip([(0, Truth::True), (200_000, Truth::False)]) {
        // As many values as lists have in common, so that both are as warm.
        let facts =
            Asked { values: (0..10).map(|ix| (kind.value)(ix * (count / 10) + shift)).collect(), at: Cell::new(0) };
        let began = Instant::now();
        for round in 0..rounds {
            facts.at.set(round % 10);
            assert_eq!(black_box(condition.evaluate(&facts)), want, "{}: {count}", kind.name);
        }
        *figure = began.elapsed().as_secs_f64() * 1e9 / rounds as f64;
    }
    figures
}

/// Each kind of list, 10 patterns and 100,000.
pub(crate) fn measure(scale: usize) -> String {
    let mut out = String::from(
        "lookups in lists, ns: 10 patterns, 100,000, ratio (found; not found), and ms to compile 100,000\n",
    );
    for kind in &KINDS {
        let few = lookups(kind, 10, 400_000 / scale);
        let many = lookups(kind, 100_000 / scale, 400_000 / scale);
        let pair = |ix: usize| format!("{:>7.0} {:>7.0} {:>5.2}", few[ix], many[ix], many[ix] / few[ix]);
        let _ = writeln!(out, "  {:<30} {}; {}   {:>7.0}", kind.name, pair(0), pair(1), many[2]);
    }
    out
}
