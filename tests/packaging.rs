//! The Debian packages of examples/packaging, built by cargo-deb and installed in a copy of the machine: baton under its own
//! name, and baton-as-haproxy, which takes haproxy's place under a running service and gives it back.

mod harness;
#[path = "supervisors/stage.rs"]
#[allow(dead_code, reason = "shared with tests/supervisors")]
mod stage;

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use harness::program::Program;
use harness::throwaway::{deb, in_a_copy, is_the_copy};
use harness::{client, wait};
use stage::{CONFIG, HAPROXY, Stage, haproxies, ok, run};

const ASIDE: &str = "/usr/sbin/haproxy.distrib";

/// Where `examples/packaging/build` puts the packages: a folder of each test's, for the next one builds while this one installs.
static FOLDER: OnceLock<PathBuf> = OnceLock::new();

fn folder() -> &'static Path {
    FOLDER.get().expect("with_packages comes first")
}

/// Plays the test in a copy of the machine, with the packages of the binary that this run tests; true there.
fn with_packages(test: &str) -> bool {
    let folder = FOLDER.get_or_init(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages").join(test));
    if !is_the_copy() {
        let binary = Path::new(env!("CARGO_BIN_EXE_baton"));
        let built = binary.parent().expect("a folder");
        let profile = match built.file_name().and_then(|name| name.to_str()) {
            Some("debug") => "dev",
            Some(other) => other,
            None => panic!("{}", binary.display()),
        };
        let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/packaging/build");
        let lock = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages.lock");
        let mut command = Command::new("flock"); // one test at a time
        command.arg(lock).arg(build).arg(profile).arg(folder);
        command.env("CARGO_TARGET_DIR", built.parent().expect("the target folder"));
        let out = command.output().expect("flock runs");
        assert!(out.status.success(), "the packages: {}", harness::daemon::text(&out));
    }
    let here = in_a_copy(test);
    if here {
        ok("rm -f /var/lib/man-db/auto-update"); // the index of manual pages takes 10 s each time
    }
    here
}

/// `dpkg -i` of ours, by name.
#[track_caller]
fn install(names: &[&str]) {
    let files = names.iter().map(|name| format!(" {}/{name}_*.deb", folder().display()));
    ok(&format!("dpkg -i{}", files.collect::<String>()));
}

/// haproxy's package as Debian has it now.
#[track_caller]
fn install_haproxy() {
    ok(&format!("dpkg -i '{}'", deb("haproxy").display()));
}

/// The binary in haproxy's package.
fn packaged() -> Vec<u8> {
    let line = format!("dpkg-deb --fsys-tarfile '{}' | tar -xO ./usr/sbin/haproxy", deb("haproxy").display());
    run(&line).stdout
}

/// What the processes called haproxy are.
fn running() -> Vec<PathBuf> {
    haproxies().iter().filter_map(|pid| std::fs::read_link(format!("/proc/{pid}/exe")).ok()).collect()
}

/// Whether `haproxy -v` is ours.
fn is_baton() -> bool {
    ok("haproxy -v").contains("-baton")
}

/// All that is installed, with what it is; without the notes and logs of the package manager itself.
fn installed() -> BTreeMap<PathBuf, String> {
    let places = "find /bin /etc /lib /sbin /usr /var -xdev \\( -path /var/log -o -path /var/cache -o -name '*-old' -o -name lock \\
                  -o -path /var/lib/dpkg/status -o -path /var/lib/dpkg/diversions -o -path /var/lib/dpkg/triggers \\) -prune -o -print";
    let describe = |path: PathBuf| {
        let about = std::fs::symlink_metadata(&path).ok()?;
        // A folder's size and time tell nothing of what is in it.
        let size = if about.is_dir() { 0 } else { about.len() };
        Some((path, format!("{:o} {} {} {size}", about.permissions().mode(), about.uid(), about.gid())))
    };
    ok(places).lines().map(PathBuf::from).filter_map(describe).collect()
}

#[test]
fn it_takes_haproxys_place_and_gives_it_back() {
    if !with_packages("it_takes_haproxys_place_and_gives_it_back") {
        return;
    }
    let stage = Stage::around(&Program::theirs());
    install_haproxy(); // what it changes where another release was installed is not our doing
    let theirs = std::fs::read(HAPROXY).unwrap();
    assert!(theirs == packaged() && !is_baton());
    ok("/etc/init.d/haproxy start");
    let mut old_session = stage.session();
    let before = installed();

    // In its place, while it runs: baton takes its sockets over, its sessions end as they want.
    install(&["baton", "baton-as-haproxy"]);
    assert!(is_baton());
    assert!(std::fs::read(ASIDE).unwrap() == theirs);
    assert!(ok("dpkg -S /usr/sbin/haproxy").contains("diversion by baton-as-haproxy"), "dpkg knows it");
    client::echo(&mut old_session, b"still here");
    drop(old_session);
    wait::until_true("baton alone", || running() == [Path::new("/usr/bin/baton")]);
    let mut session = stage.session();
    assert_eq!(run("/etc/init.d/haproxy status").status.code(), Some(0));

    // haproxy's own upgrade passes by: its file goes aside, the service is reloaded, the session moves.
    std::fs::write(ASIDE, "an older one").unwrap();
    let old = haproxies();
    install_haproxy();
    assert!(is_baton());
    assert!(std::fs::read(ASIDE).unwrap() == theirs, "the new file is aside");
    wait::until_true("another baton", || matches!(haproxies()[..], [pid] if !old.contains(&pid)));
    client::echo(&mut session, b"still here");

    // Ours: the running process is replaced too.
    let old = haproxies();
    install(&["baton"]);
    wait::until_true("another baton", || matches!(haproxies()[..], [pid] if !old.contains(&pid)));
    client::echo(&mut session, b"and here");
    install(&["baton-as-haproxy"]);
    assert!(is_baton() && std::fs::read(ASIDE).unwrap() == theirs);
    client::echo(&mut session, b"and there");

    // Back again, byte for byte, while baton has the sessions; then nothing is left.
    ok("dpkg -r baton-as-haproxy");
    assert!(!is_baton());
    assert!(std::fs::read(HAPROXY).unwrap() == theirs);
    assert_eq!(run("dpkg-divert --list '*haproxy*'").stdout, b"");
    assert_eq!(ok("dpkg --verify haproxy | grep -v /etc/haproxy/haproxy.cfg || true"), "");
    client::echo(&mut session, b"the old process ends with me");
    drop(stage.session());
    drop(session);
    wait::until_true("haproxy alone", || running() == [Path::new(HAPROXY)]);
    drop(stage.session());
    ok("dpkg -P baton-as-haproxy baton");
    let after = installed();
    let left: Vec<_> = after.iter().filter(|(path, what)| before.get(*path) != Some(what)).collect();
    let lost: Vec<_> = before.keys().filter(|path| !after.contains_key(*path)).collect();
    assert!(left.is_empty() && lost.is_empty(), "left: {left:?}; lost: {lost:?}");
}

#[test]
fn it_needs_no_haproxy_and_makes_room_for_one() {
    if !with_packages("it_needs_no_haproxy_and_makes_room_for_one") {
        return;
    }
    ok("dpkg -P haproxy");
    assert!(!Path::new(HAPROXY).exists());
    install(&["baton", "baton-as-haproxy"]);
    assert!(is_baton());
    std::fs::write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n").unwrap(); // Debian's file names no port
    ok("chmod 755 /usr/sbin/policy-rc.d");
    install_haproxy();
    assert!(is_baton());
    assert!(std::fs::read(ASIDE).unwrap() == packaged());
    ok("dpkg -P haproxy");
    assert!(is_baton() && !Path::new(ASIDE).exists());
    install_haproxy();
    ok("dpkg -P baton-as-haproxy");
    assert!(!is_baton() && std::fs::read(HAPROXY).unwrap() == packaged());
    ok("dpkg -P haproxy baton");
    assert!(!Path::new(HAPROXY).exists() && !Path::new(ASIDE).exists());
}

#[test]
fn baton_alone_touches_nothing_of_haproxys() {
    if !with_packages("baton_alone_touches_nothing_of_haproxys") {
        return;
    }
    let stage = Stage::around(&Program::theirs());
    let theirs = std::fs::read(HAPROXY).unwrap();
    ok("/etc/init.d/haproxy start");
    let (mut session, pids) = (stage.session(), haproxies());
    install(&["baton"]);
    client::echo(&mut session, b"still here");
    assert_eq!(haproxies(), pids, "nothing is started or reloaded");
    assert!(!is_baton() && std::fs::read(HAPROXY).unwrap() == theirs);

    assert!(ok("baton -v").contains("-baton"));
    ok(&format!("baton -c -f {CONFIG}"));
    assert!(ok("zcat -f /usr/share/man/man1/baton.1*").contains(".TH baton "), "the manual page");
    const COMPLETION: &str = ". /usr/share/bash-completion/completions/baton && complete -p baton";
    assert!(ok(&format!("bash -c '{COMPLETION}'")).contains("_baton"), "completion");
    assert!(Path::new("/usr/lib/systemd/system/baton.service").exists());
    ok("dpkg -P baton");
    assert!(!Path::new("/usr/bin/baton").exists());
    client::echo(&mut session, b"still here");
}
