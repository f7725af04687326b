//! What the system says of a process or a file.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crate::harness::process;

/// The living processes that have `argument` on their command line, by id.
pub(crate) fn with_argument(argument: &Path) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    let mut found: Vec<u32> = numbers.filter(|pid| process::is(*pid, argument)).collect();
    found.sort_unstable();
    found
}

/// A field of a process: `uid gid groups root cwd nofile nofile-hard affinity comm threads core owner pipes`.
pub(crate) fn field(pid: u32, field: &str) -> Result<String, String> {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).map_err(|why| why.to_string());
    let link = |name: &str| {
        std::fs::read_link(format!("/proc/{pid}/{name}"))
            .map(|path| path.display().to_string())
            .map_err(|why| why.to_string())
    };
    let status = |name: &str, word: usize| {
        let text = read("status")?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let line = line.ok_or_else(|| format!("no {name} in its status"))?.trim();
        Ok(if word == usize::MAX { line } else { line.split_whitespace().nth(word).unwrap_or_default() }.to_owned())
    };
    let limit = |name: &str, word: usize| {
        let text = read("limits")?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        Ok(line.split_whitespace().nth(word).unwrap_or_default().to_owned())
    };
    match field {
        "uid" => status("Uid", 1),
        "gid" => status("Gid", 1),
        "groups" => status("Groups", usize::MAX),
        "threads" => status("Threads", 0),
        "affinity" => status("Cpus_allowed_list", 0),
        // How many threads may run on the first processor alone.
        "threads-on-0" => {
            std::fs::read_dir(format!("/proc/{pid}/task")).map_err(|why| why.to_string()).map(|threads| {
                let bound = |thread: &std::fs::DirEntry| {
                    let text = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
                    text.lines().any(|line| line.split_whitespace().eq(["Cpus_allowed_list:", "0"]))
                };
                threads.flatten().filter(bound).count().to_string()
            })
        }
        "new-rights" => status("NoNewPrivs", 0).map(|refused| if refused == "1" { "no" } else { "yes" }.to_owned()),
        "root" => link("root"),
        "cwd" => link("cwd"),
        "comm" => read("comm").map(|text| text.trim_end().to_owned()),
        "nofile" => limit("Max open files", 0),
        "nofile-hard" => limit("Max open files", 1),
        "core" => limit("Max core file size", 0),
        "pipes" => {
            let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).map_err(|why| why.to_string())?;
            let pipe = |path: std::path::PathBuf| path.to_string_lossy().starts_with("pipe:");
            let pipes = entries.flatten().filter(|entry| std::fs::read_link(entry.path()).is_ok_and(pipe));
            Ok(pipes.count().to_string())
        }
        // The kernel gives the folder of a process that must not be dumped to root.
        "owner" => {
            std::fs::metadata(format!("/proc/{pid}")).map(|of| of.uid().to_string()).map_err(|why| why.to_string())
        }
        _ => Err(format!("{field} is no field of a process")),
    }
}

/// `mode` (octal), `uid`, `gid` or `content` of a path.
pub(crate) fn file(path: &Path, field: &str) -> Result<String, String> {
    let of = std::fs::symlink_metadata(path).map_err(|why| why.to_string())?;
    match field {
        "mode" => Ok(format!("{:o}", of.permissions().mode() & 0o7777)),
        "uid" => Ok(of.uid().to_string()),
        "gid" => Ok(of.gid().to_string()),
        _ => std::fs::read_to_string(path).map_err(|why| why.to_string()),
    }
}
