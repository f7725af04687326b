//! The two programs under test and what they are called.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// baton, linked as `haproxy`.
    Ours,
    /// The haproxy that Debian installs.
    Theirs,
}

/// A program that takes haproxy's command line.
#[derive(Debug, Clone)]
pub struct Program {
    /// Which of the two.
    pub kind: Kind,
    /// A path whose last part is `haproxy`.
    pub path: PathBuf,
    /// What it is asked to suffer, if it was built to (`src/sys/fault.rs`).
    pub fault: String,
}

/// Where the original is looked for; `BATON_ORACLE` names another.
const ORACLES: [&str; 3] = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/usr/local/bin/haproxy"];

impl Program {
    /// baton, as this test run built it, under the name `haproxy`.
    ///
    /// # Panics
    /// When the link cannot be made.
    pub fn ours() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("as-haproxy");
        std::fs::create_dir_all(&folder).expect("a folder for the link");
        let path = folder.join("haproxy");
        let binary = Path::new(env!("CARGO_BIN_EXE_baton"));
        if std::fs::read_link(&path).ok().as_deref() != Some(binary) {
            // Test processes race here: each makes its own link and renames it over the common name.
            let own = folder.join(format!("haproxy.{}.{:?}", std::process::id(), std::thread::current().id()));
            let _ = std::fs::remove_file(&own);
            std::os::unix::fs::symlink(binary, &own).expect("a link to the binary");
            std::fs::rename(&own, &path).expect("the link under its name");
        }
        Self { kind: Kind::Ours, path, fault: String::new() }
    }

    /// baton with its faults built in, in a target folder of its own, linked as `haproxy`; `fault` as of `BATON_FAULT`.
    ///
    /// # Panics
    /// When it does not build.
    pub fn faulty(fault: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fault");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--bin", "baton", "--features", "faults", "--target-dir"])
            .arg(&folder)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo runs");
        assert!(status.success(), "the binary with the faults builds");
        let path = folder.join("haproxy");
        if let Err(why) = std::os::unix::fs::symlink(folder.join("debug/baton"), &path) {
            assert_eq!(why.kind(), std::io::ErrorKind::AlreadyExists, "a link to the binary");
        }
        Self { kind: Kind::Ours, path, fault: fault.to_owned() }
    }

    /// The same program, asked to suffer this.
    pub fn suffering(&self, fault: &str) -> Self {
        Self { fault: fault.to_owned(), ..self.clone() }
    }

    /// The installed haproxy.
    ///
    /// # Panics
    /// When there is none: `tests/run` installs it, and no test is skipped because a program is missing.
    pub fn theirs() -> Self {
        let named = std::env::var_os("BATON_ORACLE").map(PathBuf::from);
        let path = named
            .into_iter()
            .chain(ORACLES.iter().map(PathBuf::from))
            .find(|path| path.exists())
            .expect("haproxy is installed (tests/run does it)");
        Self { kind: Kind::Theirs, path, fault: String::new() }
    }

    /// The program that `BATON_UNDER_TEST` names; ours when it is not set.
    ///
    /// # Panics
    /// When it names neither.
    pub fn under_test() -> Self {
        match std::env::var("BATON_UNDER_TEST").as_deref() {
            Err(_) | Ok("ours") => Self::ours(),
            Ok("theirs") => Self::theirs(),
            Ok(other) => panic!("BATON_UNDER_TEST is ours or theirs, not {other:?}"),
        }
    }

    /// Whether this is baton.
    pub fn is_ours(&self) -> bool {
        self.kind == Kind::Ours
    }

    /// A command that runs it with a plain environment: the test's own must not leak into configurations.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.env_remove("NOTIFY_SOCKET").env_remove("HAPROXY_MWORKER").stdin(std::process::Stdio::null());
        command.env("BATON_FAULT", &self.fault);
        command
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command().args(args).output().unwrap_or_else(|why| panic!("{} runs: {why}", self.path.display()))
    }

    /// The branch of haproxy whose behaviour is to be expected: (3, 4) of baton, (2, 6) of Debian 12's package.
    ///
    /// # Panics
    /// When `-v` does not begin with `HAProxy version X.Y`.
    pub fn version(&self) -> (u32, u32) {
        let out = self.run(&["-v"]);
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        parse_version(&text).unwrap_or_else(|| panic!("{} -v printed {text:?}", self.path.display()))
    }
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let rest = text.strip_prefix("HAProxy version ").or_else(|| text.strip_prefix("HA-Proxy version "))?;
    let mut parts = rest.split(['.', '-', ' ']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
