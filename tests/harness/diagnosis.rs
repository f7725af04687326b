//! What can be seen of a process that does not end: its threads, where each one waits, its descriptors and sockets.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;

/// Everything that /proc tells of these processes, for the message of a test that waited in vain.
pub fn of(pids: &[u32]) -> String {
    let mut out = String::new();
    for pid in pids {
        let folder = Path::new("/proc").join(pid.to_string());
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        let line = read(&folder.join("cmdline")).replace('\0', " ");
        let _ = writeln!(out, "process {pid}: {line}");
        for name in ["State", "PPid", "FDSize", "Threads", "SigPnd", "ShdPnd", "SigBlk", "SigCgt"] {
            let status = read(&folder.join("status"));
            status.lines().filter(|line| line.starts_with(name)).for_each(|line| {
                let _ = writeln!(out, "  {line}");
            });
        }
        for thread in entries(&folder.join("task")) {
            let (name, place) = (read(&thread.join("comm")), read(&thread.join("wchan")));
            let call = read(&thread.join("syscall"));
            let number = thread.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let _ = writeln!(out, "  thread {number} {} waits in {place}, call {}", name.trim(), call.trim());
        }
        let sockets = sockets(&folder.join("net"));
        for link in entries(&folder.join("fd")) {
            let target = std::fs::read_link(&link).unwrap_or_default().display().to_string();
            let inode = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
            let what = inode.and_then(|inode| sockets.get(inode)).cloned().unwrap_or_default();
            let number = link.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let _ = writeln!(out, "  descriptor {number} {target} {what}");
        }
    }
    out
}

fn entries(folder: &Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// The lines of the socket tables by inode: TCP with its addresses, state and queues, unix with its name.
fn sockets(folder: &Path) -> HashMap<String, String> {
    let mut found = HashMap::new();
    for (name, at) in [("tcp", 9), ("tcp6", 9), ("unix", 6)] {
        let table = std::fs::read(folder.join(name)).unwrap_or_default();
        for line in String::from_utf8_lossy(&table).lines().skip(1) {
            if let Some(inode) = line.split_whitespace().nth(at) {
                found.insert(inode.to_owned(), format!("{name}: {}", line.trim()));
            }
        }
    }
    found
}
