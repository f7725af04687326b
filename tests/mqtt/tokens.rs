//! A token as the password of a client: who is let in by which key, and which keys a variable may name.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::harness::mqtt::{Connect, connack};
use crate::stage::{RULES, Stage, alike, pass};

/// What mosquitto is told to ignore stands here: it takes any user.
const USER: Option<&str> = Some("joe");

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/expr")
}

fn key(name: &str) -> String {
    fixtures().join("files").join(name).display().to_string()
}

/// A token of the fixture that answers so with this key.
fn token(algorithm: &str, key: &str, answer: i64) -> String {
    let text = std::fs::read_to_string(fixtures().join("signatures.txt")).expect("the fixture");
    let end = format!("),jwt_verify({algorithm},{key}) ⇒ ={answer}");
    let token = text.lines().find_map(|line| line.strip_prefix("str(")?.strip_suffix(&end));
    token.unwrap_or_else(|| panic!("no token {end}")).to_owned()
}

#[test]
fn a_password_is_a_token() {
    let rules = format!(
        "{RULES}  tcp-request content set-var(sess.token) req.payload(0,0),mqtt_field_value(connect,password)\n  \
         tcp-request content set-var(sess.alg) var(sess.token),jwt_header_query('$.alg')\n  \
         tcp-request content reject unless {{ var(sess.alg) -m str RS256 ES256 }}\n  \
         tcp-request content accept if {{ req.payload(0,0),mqtt_field_value(connect,password),jwt_verify(RS256,{}) 1 }}\n  \
         tcp-request content reject unless {{ var(sess.token),jwt_verify(sess.alg,{}) 1 }}\n",
        key("jwt_rsa.pub"),
        key("jwt_p256.pub"),
    );
    let good = token("RS256", "jwt_rsa.pub", 1);
    let curve = token("ES256", "jwt_p256.pub", 1);
    let passwords = [
        Some(good.clone()),
        Some(token("RS256", "jwt_rsa.pub", 0)),
        Some(good[..good.len() - 4].to_owned()),
        Some(token("RS384", "jwt_rsa.pub", 1)),
        Some(curve),
        Some(token("ES256", "jwt_p256.pub", 0)),
        Some("secret".to_owned()),
        None,
    ];
    let connects = passwords.each_ref().map(|password| Connect {
        user: USER,
        password: password.as_deref(),
        ..Connect::plain("me")
    });
    pass(&rules, &connects, &[true, false, false, false, true, false, false, false]);
}

/// A key that only a variable names is unknown, unless a line names its file, whatever the algorithm there and before or behind.
#[test]
fn variables_name_known_keys() {
    let (named, unnamed) = (key("jwt_rsa.pub"), key("jwt_two.pub"));
    let lines = format!(
        "  tcp-request content set-var(sess.token) req.payload(0,0),mqtt_field_value(connect,password)\n  \
         tcp-request content set-var(sess.named) str({named})\n  \
         tcp-request content set-var(sess.unnamed) str({unnamed})\n  \
         tcp-request content set-var(sess.alg) str(RS256)\n  \
         tcp-request content set-var(sess.other) str(XX)\n  \
         tcp-request content set-var(sess.a) var(sess.token),jwt_verify(RS256,sess.named)\n  \
         tcp-request content set-var(sess.b) var(sess.token),jwt_verify(RS256,sess.unnamed)\n  \
         tcp-request content set-var(sess.c) req.payload(0,0),mqtt_field_value(connect,password),jwt_verify(sess.alg,{named})\n  \
         tcp-request content set-var(sess.d) var(sess.token),jwt_verify(sess.other,sess.named)\n  \
         tcp-request content set-var(sess.e) var(sess.token),jwt_verify(RS256,sess.nothing)\n  \
         tcp-request content set-var(sess.f) var(sess.token),jwt_verify(none,{named})\n  \
         log-format \"tokens %[var(sess.a)] %[var(sess.b)] %[var(sess.c)] %[var(sess.d)] %[var(sess.e)] %[var(sess.f)] .\"\n",
    );
    let token = token("RS256", "jwt_rsa.pub", 1);
    alike(|program| {
        let stage = Stage::new(program, "", &format!("{RULES}{lines}"));
        let mut stream = stage.connect();
        let connect = Connect { user: USER, password: Some(&token), ..Connect::plain("me") };
        stream.write_all(&connect.packet()).expect("bytes are sent");
        assert_eq!(connack(&mut stream), Some(0));
        drop(stream);
        let line = stage.log.wait_for("tokens 1");
        let told = line.split_once("tokens").map(|(_, told)| told.trim().to_owned());
        assert_eq!(told.as_deref(), Some("1 -5 1 -1 - 0 ."));
        told
    });
}
