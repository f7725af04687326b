//! The whole machine as a copy that a test may spoil: packages installed, services run at their real paths.
//!
//! The copy is an overlay over `/` whose changes are in memory, with processes, mounts, a network and a `/run` of its own;
//! all of it is gone when the test ends, and nothing outside notices. Source: unshare(1), mount(8) "overlay".

use std::path::Path;
use std::process::Command;

use super::program::Program;

/// Run by the copy's process 1, a shell: it waits for orphans too. What is in the project stays as it is: read-only.
const COPY: &str = r#"
mount -t tmpfs throwaway "$STAGE"
mkdir "$STAGE/changes" "$STAGE/work" "$STAGE/root"
mount -t overlay throwaway -o "lowerdir=/,upperdir=$STAGE/changes,workdir=$STAGE/work" "$STAGE/root"
cd "$STAGE/root"
for folder in "$PROJECT" "$TARGET"; do mkdir -p ".$folder"; mount --bind "$folder" ".$folder"; mount -o remount,bind,ro ".$folder"; done
mount -t tmpfs dev dev
for device in null zero full random urandom; do touch "dev/$device"; mount --bind "/dev/$device" "dev/$device"; done
mkdir dev/shm
ln -s /proc/self/fd dev/fd
mount -t proc proc proc
mount -t tmpfs run run
mount -t tmpfs tmp tmp
mkdir run/lock
ip link set lo up
rc=0
chroot . "$@" || rc=$?
exit $rc
"#;

const MARK: &str = "BATON_IN_A_COPY";

/// Whether this is the copy.
pub fn is_the_copy() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Plays the test of that name again in a copy of the machine; true there.
///
/// # Panics
/// When it fails there, with what it said, or when there can be no copy: it takes root.
#[track_caller]
pub fn in_a_copy(test: &str) -> bool {
    if is_the_copy() {
        return true;
    }
    Program::under_test(); // makes its link, while it can
    let stage = tempfile::tempdir().expect("a temporary folder");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder");
    let out = Command::new("unshare")
        .args(["--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-ec", COPY, "throwaway"])
        .arg(std::env::current_exe().expect("this program"))
        .args([test, "--exact", "--nocapture"])
        .env(MARK, "1")
        .env("STAGE", stage.path())
        .env("PROJECT", env!("CARGO_MANIFEST_DIR"))
        .env("TARGET", target)
        .env_remove("TMPDIR")
        .output()
        .expect("unshare runs");
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success() && said.contains("1 passed"), "in its copy of the machine: {said}");
    false
}

/// Unpacks a Debian package that `tests/debs` has fetched over the copy's files; none of its scripts runs.
///
/// # Panics
/// When it was not fetched.
pub fn unpack(package: &str) {
    // `dpkg-deb -x` would put folders in the place of /lib and /sbin, which are links.
    const UNPACK: &str = r#"dpkg-deb --fsys-tarfile "$1" | tar -x -C / --keep-directory-symlink"#;
    let out = Command::new("sh").args(["-c", UNPACK, "unpack"]).arg(deb(package)).output().expect("a shell");
    assert!(out.status.success(), "{package}: {}", String::from_utf8_lossy(&out.stderr));
}

/// The file of a package that `tests/debs` has fetched.
///
/// # Panics
/// When it was not fetched.
pub fn deb(package: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debs");
    let start = format!("{package}_");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut found = entries.flatten().map(|entry| entry.path());
    found
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&start)))
        .unwrap_or_else(|| panic!("{package} in {}: tests/debs fetches it", folder.display()))
}
