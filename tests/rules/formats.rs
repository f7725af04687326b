//! Texts with variables of logs in rules: what they are when a rule makes them.

use crate::stage::*;

#[test]
fn variables_are_set_to_what_a_log_would_show() {
    let server = speaker("one");
    let mut compared = Compared::default();
    for format in [
        "%ci",
        "[%b|%s|%f|%ft|%si|%sp|%bi|%bp]",
        "%fi %U %B",
        "%Tw/%Tc",
        "%ts %tsc",
        "%rc %sq/%bq %sc",
        "<%ID>",
        "a%[var(txn.nothing)]b",
        "a  b %% c",
        "%{+Q}b %{+X}ci %{+Q,+X}fi",
        "%{+Q}o %b %[src] %{-Q}o%f",
        "%{+Q}[var(txn.nothing)] %{+Q}si %{+Q}ID %{+Q}sslc",
        "%{+E}[str(a)] %{+Q}[int(5)] %{+X}[int(255)]",
        "%sslv%sslc",
        "%[src]:%ci",
    ] {
        for rule in [
            "tcp-request connection set-var-fmt(sess.v)",
            "tcp-request session set-var-fmt(sess.v)",
            "tcp-request content set-var-fmt(sess.v)",
            "tcp-response content set-var-fmt(sess.v)",
        ] {
            let text = format!(
                "listen l\n bind DOOR\n log-format \"of %B: %[var(sess.v)]\"\n {rule} \"{format}\"\n server s {}\n",
                server.address
            );
            // once its server has the session it is known by ports that differ each time
            if !(rule.starts_with("tcp-response") && (format.contains("%sp") || format.contains("%Tc"))) {
                compared.same(&text, |stage| vec![outcome(stage.connect_saying(b"hello"))]);
            }
        }
    }
    compared.end();
}

#[test]
fn names_are_made_of_them() {
    let (one, two) = (speaker("one"), speaker("two"));
    let mut compared = Compared::default();
    for lines in [
        "frontend two\n bind DOOR\n use_backend %f\n default_backend one",
        "frontend two\n bind DOOR\n use_backend %ci\n default_backend one",
        "listen l\n bind DOOR\n use-server %b if TRUE\n server s ONE\n server l TWO weight 0",
        "listen l\n bind DOOR\n use-server l%si if TRUE\n server s ONE\n server l TWO weight 0",
        "frontend two\n bind DOOR\n unique-id-format %f\n use_backend %ID\n default_backend one",
    ] {
        let lines = lines.replace("ONE", &one.address.to_string()).replace("TWO", &two.address.to_string());
        let text =
            format!("{lines}\nbackend one\n server s1 {}\nbackend two\n server s2 {}\n", one.address, two.address);
        compared.same(&text, |stage| vec![outcome(stage.connect_saying(b"hello"))]);
    }
    compared.end();
}
