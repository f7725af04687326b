//! Makes a stranger's configuration checkable here: certificates, users, files and host names become stubs, and the
//! last line gets its LF. No line is added or taken away, so that blames keep their place.

use std::path::Path;

/// A user and a group that every Debian has.
const USER: &str = "nobody";
const GROUP: &str = "nogroup";

/// The words after which a file's name stands, and what the file holds.
const FILES: [(&str, &str); 9] = [
    ("crt", PEM),
    ("ca-file", PEM),
    ("ca-verify-file", PEM),
    ("crt-list", ""),
    ("crl-file", ""),
    ("-f", ""),
    ("lua-load", ""),
    ("load-server-state-from-file", ""),
    ("ssl-dh-param-file", ""),
];

/// A self-signed certificate with its key.
const PEM: &str = include_str!("../../fixtures/corpus/stub.pem");

/// The prepared text; stubs are written to `folder`.
pub(crate) fn prepare(text: &[u8], folder: &Path) -> String {
    std::fs::write(folder.join("stub.pem"), PEM).expect("a stub");
    std::fs::write(folder.join("stub.http"), "HTTP/1.0 503 Stub\r\nContent-Length: 0\r\n\r\n").expect("a stub");
    std::fs::write(folder.join("stub.empty"), "").expect("a stub");
    let text = String::from_utf8_lossy(text);
    let mut out = String::new();
    for line in text.split_terminator('\n') {
        out.push_str(&prepared(line.trim_end_matches('\r'), folder));
        out.push('\n');
    }
    out
}

fn prepared(line: &str, folder: &Path) -> String {
    let (code, comment) =
        line.split_at(if line.trim_start().starts_with('#') { 0 } else { line.find(" #").unwrap_or(line.len()) });
    let words: Vec<&str> = code.split_whitespace().collect();
    if words.is_empty() {
        return line.to_owned();
    }
    let here = |name: &str| folder.join(name).display().to_string();
    let socket = |path: &str| match path.rsplit_once('/') {
        Some((_, name)) if path.starts_with(['/', '"', '.']) => here(name.trim_matches('"')),
        _ => path.to_owned(),
    };
    let mut new: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    match words[..] {
        ["user", _, ..] | ["uid", _, ..] => return format!(" user {USER}"),
        ["group", _, ..] | ["gid", _, ..] => return format!(" group {GROUP}"),
        ["chroot", _, ..] => new[1] = folder.display().to_string(),
        ["pidfile", _, ..] => new[1] = here("pid"),
        ["ca-base" | "crt-base", _, ..] => new[1] = folder.display().to_string(),
        ["stats", "socket", path, ..] => new[2] = socket(path),
        ["errorfile", _, _, ..] => new[2] = here("stub.http"),
        ["server" | "peer" | "nameserver", _, address, ..] => new[2] = numeric(address),
        ["log", address, ..] if !["global", "stdout", "stderr"].contains(&address) && !address.contains(['/', '@']) => {
            new[1] = numeric(address);
        }
        ["bind", address, ..] if address.starts_with('/') => new[1] = socket(address),
        ["bind", address, ..] => new[1] = address.split(',').map(anywhere).collect::<Vec<_>>().join(","),
        _ => {}
    }
    for at in 1..new.len() {
        if let Some((_, stub)) = FILES.iter().find(|(word, _)| words[at - 1] == *word) {
            new[at] = here(if stub.is_empty() { "stub.empty" } else { "stub.pem" });
        }
        match words[at - 1] {
            "user" => new[at] = USER.to_owned(),
            "group" => new[at] = GROUP.to_owned(),
            _ => {}
        }
    }
    if new.iter().zip(&words).all(|(new, old)| new == old) {
        return line.to_owned();
    }
    format!(" {}{comment}", new.join(" "))
}

/// The address with this host for a host's name: no name is looked up.
fn numeric(address: &str) -> String {
    let (host, rest) = split(address);
    if is_name(host) { format!("127.0.0.1{rest}") } else { address.to_owned() }
}

/// The address with all addresses for a host's name.
fn anywhere(address: &str) -> String {
    let (host, rest) = split(address);
    if is_name(host) { format!("*{rest}") } else { address.to_owned() }
}

fn split(address: &str) -> (&str, &str) {
    address.split_at(address.find(':').unwrap_or(address.len()))
}

fn is_name(host: &str) -> bool {
    let plain = host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
    plain && host.contains(|c: char| c.is_ascii_alphabetic()) && !host.is_empty()
}

#[test]
fn what_this_machine_lacks_becomes_a_stub() {
    let folder = Path::new("/stubs");
    for (line, want) in [
        ("  server a db.example.com:5432 check # first", " server a 127.0.0.1:5432 check # first"),
        ("  server a 10.0.0.1:80", "  server a 10.0.0.1:80"),
        ("user haproxy", " user nobody"),
        (
            "  stats socket /run/haproxy/admin.sock mode 660 group adm",
            " stats socket /stubs/admin.sock mode 660 group nogroup",
        ),
        ("bind www.example.com:80 ssl crt /etc/x.pem", " bind *:80 ssl crt /stubs/stub.pem"),
        ("bind *:80", "bind *:80"),
        ("log loghost:514 local0", " log 127.0.0.1:514 local0"),
        ("# user of it", "# user of it"),
        ("acl bad src -f /etc/bad.lst", " acl bad src -f /stubs/stub.empty"),
    ] {
        assert_eq!(prepared(line, folder), want, "{line}");
    }
}
