//! Which files make up a run.
//!
//! Source: management guide §3 (`-f`, `--`); order and faults as observed on 2.6.12.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::text::{Diagnostic, FileId, SourceMap, World};

/// What [`load`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The files that were read, in the order in which they count.
    pub files: Vec<FileId>,
    /// What could not be read: alerts.
    pub diagnostics: Vec<Diagnostic>,
}

/// Why a path of the command line gives no configuration.
#[derive(Debug, Error)]
enum LoadError {
    #[error("cannot read the configuration '{}': {cause}", path.display())]
    Read { path: PathBuf, cause: std::io::Error },
    #[error("there is no configuration to read: no '*.cfg' in {}", directories(arguments))]
    Nothing { arguments: Vec<PathBuf> },
}

/// Reads the files that `arguments` name into `sources`, and names them all in `HAPROXY_CFGFILES`.
///
/// An argument is a file, or a directory: of that its `*.cfg` in the order of their bytes, without dot files and
/// directories. What cannot be read is an alert, the rest is read all the same; directories without any file to read are
/// an alert only when nothing else is left. No argument at all gives nothing, without a word.
pub fn load(arguments: &[PathBuf], world: &mut dyn World, sources: &mut SourceMap) -> Loaded {
    let mut loaded = Loaded { files: Vec::new(), diagnostics: Vec::new() };
    let mut paths = Vec::new();
    for argument in arguments {
        match expand(argument, world) {
            Ok(found) => paths.extend(found),
            Err(error) => loaded.diagnostics.push(Diagnostic::alert(None, error.to_string())),
        }
    }
    if paths.is_empty() && loaded.diagnostics.is_empty() && !arguments.is_empty() {
        let error = LoadError::Nothing { arguments: arguments.to_vec() };
        loaded.diagnostics.push(Diagnostic::alert(None, error.to_string()));
    }
    let names: Vec<&[u8]> = paths.iter().map(|path| path.as_os_str().as_bytes()).collect();
    world.set_env("HAPROXY_CFGFILES", Some(&names.join(&b';')));
    for path in paths {
        match world.read(&path) {
            Ok(bytes) => loaded.files.push(sources.add(path.to_string_lossy().into_owned(), bytes)),
            Err(cause) => {
                let error = LoadError::Read { path, cause };
                loaded.diagnostics.push(Diagnostic::alert(None, error.to_string()));
            }
        }
    }
    loaded
}

fn directories(paths: &[PathBuf]) -> String {
    let quoted: Vec<String> = paths.iter().map(|path| format!("'{}'", path.display())).collect();
    quoted.join(", ")
}

fn expand(path: &Path, world: &dyn World) -> Result<Vec<PathBuf>, LoadError> {
    let entries = world.list(path).map_err(|cause| LoadError::Read { path: path.to_owned(), cause })?;
    let Some(mut entries) = entries else { return Ok(vec![path.to_owned()]) };
    // A directory inside is passed over; what cannot be looked at is kept, so that reading it tells why.
    entries.retain(|entry| is_configuration(entry) && !matches!(world.list(entry), Ok(Some(_))));
    entries.sort_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
    Ok(entries)
}

fn is_configuration(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_bytes();
    name.ends_with(b".cfg") && !name.starts_with(b".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::testing::TestWorld;

    fn names(sources: &SourceMap) -> Vec<&str> {
        sources.files().map(|(_, file)| file.name.as_str()).collect()
    }

    fn run(world: &mut TestWorld, arguments: &[&str]) -> (SourceMap, Vec<String>) {
        let mut sources = SourceMap::default();
        let paths: Vec<PathBuf> = arguments.iter().map(PathBuf::from).collect();
        let loaded = load(&paths, world, &mut sources);
        assert_eq!(loaded.files, sources.files().map(|(id, _)| id).collect::<Vec<_>>());
        (sources, loaded.diagnostics.into_iter().map(|said| said.message).collect())
    }

    fn world() -> TestWorld {
        let mut world = TestWorld::default();
        let entries = ["b.cfg", "Z.cfg", ".h.cfg", ".cfg", "c.txt", "d.CFG", "sub.cfg", "a.cfg"];
        let entries: Vec<PathBuf> = entries.iter().map(|name| Path::new("conf").join(name)).collect();
        world.files.extend(entries.iter().map(|path| (path.clone(), b"global\n".to_vec())));
        world.files.remove(Path::new("conf/sub.cfg"));
        world.files.insert(PathBuf::from("one.cfg"), Vec::new());
        world.directories.insert(PathBuf::from("conf"), entries);
        world.directories.insert(PathBuf::from("conf/sub.cfg"), Vec::new());
        world.directories.insert(PathBuf::from("empty"), Vec::new());
        world
    }

    #[test]
    fn a_directory_stands_for_its_files_in_the_order_of_bytes() {
        let mut world = world();
        let (sources, said) = run(&mut world, &["one.cfg", "conf", "empty", "one.cfg"]);
        assert_eq!(names(&sources), ["one.cfg", "conf/Z.cfg", "conf/a.cfg", "conf/b.cfg", "one.cfg"]);
        assert_eq!(said, Vec::<String>::new());
        let list = "one.cfg;conf/Z.cfg;conf/a.cfg;conf/b.cfg;one.cfg";
        assert_eq!(world.env("HAPROXY_CFGFILES"), Some(list.as_bytes().to_vec()));
    }

    #[test]
    fn what_cannot_be_read_is_said_and_the_rest_is_read() {
        let mut world = world();
        world.files.remove(Path::new("conf/a.cfg"));
        let (sources, said) = run(&mut world, &["gone.cfg", "conf", "one.cfg"]);
        assert_eq!(names(&sources), ["conf/Z.cfg", "conf/b.cfg", "one.cfg"]);
        assert_eq!(said.len(), 2);
        assert!(said[0].contains("'gone.cfg'") && said[1].contains("'conf/a.cfg'"), "{said:?}");
        let (_, said) = run(&mut world, &["empty"]);
        assert!(said.len() == 1 && said[0].contains("'empty'"), "{said:?}");
        assert_eq!(run(&mut world, &[]).1, Vec::<String>::new());
    }
}
