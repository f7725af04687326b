//! What rules ask again and again allocates nothing: counted, not measured.

#[path = "lowering/outside.rs"]
mod outside;

use std::net::Ipv4Addr;
use std::path::Path;

use baton::expr::pattern::Lists;
use baton::expr::{Acls, Arg, Buffer, Condition, Context, Facts, Fetched, Known, Place, Side, Truth, Value, VarName};
use outside::Outside;

/// A hello for `a.example`.
fn hello() -> Vec<u8> {
    let mut bytes = vec![0x16, 3, 1, 0, 65, 1, 0, 0, 61, 3, 3];
    bytes.extend([7; 32]);
    bytes.extend([0, 0, 2, 0x13, 1, 1, 0, 0, 18, 0, 0, 0, 14, 0, 12, 0, 0, 9]);
    bytes.extend(b"a.example");
    bytes
}

struct Session(Vec<u8>);

impl Facts for Session {
    fn known(&self, fetch: Known, _: &[Arg]) -> Fetched<'_> {
        match fetch {
            Known::Src => Fetched::Value(Value::Ipv4(Ipv4Addr::new(10, 1, 2, 3))),
            Known::DstPort => Fetched::Value(Value::Int(443)),
            _ => Fetched::Missing,
        }
    }

    fn buffer(&self, _: Side) -> Option<Buffer<'_>> {
        Some(Buffer { bytes: &self.0, more: true, room: 15_360 })
    }

    fn variable(&self, _: &VarName) -> Option<Value<'_>> {
        Some(Value::text(b"b.example"))
    }
}

#[test]
fn conditions_allocate_nothing() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/expr/files/words.lst");
    let (lists, world) = (Lists::default(), Outside::new(&fixture));
    let context = Context { place: Place::FrontendContent, strict: true, world: &world, lists: &lists };
    let session = Session(hello());
    for (line, want) in [
        ("if { src 10.0.0.0/8 192.168.0.0/16 2001:db8::/32 }", Truth::True),
        ("unless { src 192.168.0.1 } || { dst_port 80 443 }", Truth::False),
        ("if { dst_port gt 1024 } or { dst_port 443 }", Truth::True),
        ("if { req.len ge 10 } { req.ssl_hello_type 1 } { req.ssl_ver 3.3 }", Truth::True),
        ("if { req.ssl_sni a.example b.example c.example d.example }", Truth::True),
        ("if { req.ssl_sni -i -m end .example .test }", Truth::True),
        ("if { req.ssl_sni -m beg www. api. } or { req.ssl_sni -m dom test }", Truth::False),
        ("if { req.payload(0,1) -m bin 16 } { req.payload(0,3),length 3 }", Truth::True),
        ("if { var(txn.name) -m str -f test.cfg } or HTTP", Truth::False),
        ("if { var(txn.name),field(1,.) b } { int(7),mul(6) 42 }", Truth::True),
        ("if { req.ssl_sni -m reg ^[a-z]+\\.example$ }", Truth::True),
        ("if WAIT_END { always_true } !{ always_false }", Truth::True),
    ] {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let condition = Condition::compile(&words, &Acls::default(), &context).expect(line);
        // The first time a regular expression makes its cache.
        assert_eq!(condition.evaluate(&session), want, "{line}");
        let mut said = Truth::NotYet;
        let counted = allocation_counter::measure(|| said = condition.evaluate(&session));
        assert_eq!((said, counted.count_total), (want, 0), "{line}");
    }
}
