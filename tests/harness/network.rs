//! Network namespaces of a test's own: with their own loopback, addresses, routes and packet filter.

use std::process::Command;

/// Plays the test of that name again in a network of its own, prepared by a shell; true there.
///
/// # Panics
/// When it fails there, with what it said.
pub fn in_a_network(test: &str, preparation: &str) -> bool {
    const MARK: &str = "BATON_IN_A_NETWORK";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let program = std::env::current_exe().expect("this program");
    let out = Command::new("unshare")
        .args(["-n", "sh", "-ec", &format!("ip link set lo up\n{preparation}\nexec \"$0\" \"$@\"")])
        .arg(program)
        .args([test, "--exact", "--nocapture"])
        .env(MARK, "1")
        .output()
        .expect("unshare runs");
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success() && said.contains("1 passed"), "in its network: {said}");
    false
}

/// Runs one command of the packet filter in the network of this process.
///
/// # Panics
/// When the filter refuses it.
pub fn nft(command: &str) {
    let out = Command::new("nft").arg(command).output().expect("nft runs");
    assert!(out.status.success(), "nft {command}: {}", String::from_utf8_lossy(&out.stderr));
}
