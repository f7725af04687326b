//! What a client said decides what is done with it, and stands in log lines.

use std::io::Write;

use crate::harness::mqtt::{Connect, connack};
use crate::stage::{RULES, Stage, alike, pass};

#[test]
fn fields_decide() {
    let rules = RULES.to_owned()
        + "  tcp-request content reject if { req.payload(0,0),mqtt_field_value(connect,username) -m str mallory }\n  \
           tcp-request content reject unless { req.payload(0,0),mqtt_field_value(connect,protocol_version) 4 5 }\n  \
           tcp-request content reject if { req.payload(0,0),mqtt_field_value(connect,client_identifier) -m beg test- }\n  \
           tcp-request content reject if { req.payload(0,0),mqtt_field_value(connect,will_topic) -m found }\n";
    let plain = Connect::plain("me");
    let connects = [
        plain,
        Connect { level: 3, ..plain },
        Connect { level: 5, ..plain },
        Connect { user: Some("mallory"), ..plain },
        Connect { user: Some("Mallory"), ..plain },
        Connect { client: "test-1", ..plain },
        Connect { client: "a test-1", ..plain },
        Connect { level: 5, will: Some(("t", b"")), ..plain },
    ];
    pass(&rules, &connects, &[true, false, true, false, true, false, true, false]);
}

#[test]
fn what_a_client_said_stands_in_its_line() {
    let fields = ["client_identifier", "protocol_version", "keepalive", "username", "will_topic", "flags", "17"];
    let mut lines = String::from(RULES);
    for (number, field) in fields.iter().enumerate() {
        lines += &format!(
            "  tcp-request content set-var(sess.f{number}) req.payload(0,0),mqtt_field_value(connect,{field})\n"
        );
    }
    let shown: Vec<String> = (0..fields.len()).map(|number| format!("%[var(sess.f{number})]")).collect();
    lines += &format!("  log-format \"mqtt fields {} %s %ts\"\n", shown.join(" "));
    alike(|program| {
        let stage = Stage::new(program, "", &lines);
        let mut told = Vec::new();
        for connect in [
            Connect { level: 3, ..Connect::plain("three") },
            Connect { user: Some("joe"), will: Some(("last/will", b"gone")), ..Connect::plain("four") },
            Connect { level: 5, user: Some("joe"), ..Connect::plain("five") },
        ] {
            let mut stream = stage.connect();
            stream.write_all(&connect.packet()).expect("bytes are sent");
            assert_eq!(connack(&mut stream), Some(0));
            drop(stream);
            let line = stage.log.wait_for(&format!("mqtt fields {} ", connect.client));
            told.push(line.split_once("mqtt fields").map(|(_, fields)| fields.to_owned()));
        }
        told
    });
}
