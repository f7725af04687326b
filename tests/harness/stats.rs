//! Reads `show stat` and the statistics page's CSV by column names.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::client;

/// The rows of one CSV answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// The header's names, in order.
    pub columns: Vec<String>,
    rows: Vec<HashMap<String, String>>,
}

impl Stats {
    /// Parses a CSV answer.
    ///
    /// # Panics
    /// When the first line is not `# pxname,svname,…`, or a row has another number of columns.
    #[track_caller]
    pub fn parse(csv: &str) -> Self {
        let records = records(csv);
        let mut lines = records.iter().map(String::as_str).filter(|line| !line.trim().is_empty());
        let header = lines.next().unwrap_or_default();
        let names = header.strip_prefix("# ").unwrap_or_else(|| panic!("no CSV header: {csv:?}"));
        let columns: Vec<String> = names.trim_end_matches(',').split(',').map(str::to_owned).collect();
        let rows = lines
            .map(|line| {
                let values = fields(line.strip_suffix(',').unwrap_or(line));
                assert_eq!(values.len(), columns.len(), "columns of {line:?}");
                columns.iter().cloned().zip(values).collect()
            })
            .collect();
        Self { columns, rows }
    }

    /// From the stats socket.
    ///
    /// # Panics
    /// When it does not answer.
    #[track_caller]
    pub fn from_socket(path: &Path) -> Self {
        Self::parse(&command(path, "show stat"))
    }

    /// From the page: `path` is the page's URI without `;csv`.
    ///
    /// # Panics
    /// When it does not answer with 200.
    #[track_caller]
    pub fn from_page(address: SocketAddr, path: &str, headers: &str) -> Self {
        let (head, body) = client::get(address, &format!("{path};csv"), headers);
        assert!(head.starts_with("HTTP/1.") && head.contains(" 200 "), "the page answers {head:?}");
        Self::parse(&body)
    }

    /// All `(pxname, svname)` in order of appearance.
    pub fn names(&self) -> Vec<(String, String)> {
        self.rows.iter().map(|row| (row["pxname"].clone(), row["svname"].clone())).collect()
    }

    /// One value as text.
    ///
    /// # Panics
    /// When there is no such row or column.
    #[track_caller]
    pub fn text(&self, proxy: &str, server: &str, column: &str) -> &str {
        let row = self.rows.iter().find(|row| row["pxname"] == proxy && row["svname"] == server);
        let row = row.unwrap_or_else(|| panic!("no row {proxy}/{server} in {:?}", self.names()));
        row.get(column).unwrap_or_else(|| panic!("no column {column}"))
    }

    /// One value, if there is such a row and column.
    pub fn find(&self, proxy: &str, server: &str, column: &str) -> Option<String> {
        self.rows.iter().find(|row| row["pxname"] == proxy && row["svname"] == server)?.get(column).cloned()
    }

    /// One value as a number; an empty cell is 0.
    ///
    /// # Panics
    /// As [`Stats::text`], and when it is no number.
    #[track_caller]
    pub fn number(&self, proxy: &str, server: &str, column: &str) -> i64 {
        let text = self.text(proxy, server, column);
        if text.is_empty() { 0 } else { text.parse().unwrap_or_else(|_| panic!("{column} is {text:?}")) }
    }
}

/// One command on a stats socket and its whole answer.
///
/// # Panics
/// When the socket is not there or does not answer in 15 s.
#[track_caller]
pub fn command(path: &Path, command: &str) -> String {
    let mut stream = UnixStream::connect(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    stream.set_read_timeout(Some(Duration::from_secs(15))).expect("a time limit");
    writeln!(stream, "{command}").expect("the command is sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

/// The lines, each with those that a quoted field breaks it into.
fn records(csv: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for line in csv.split('\n') {
        match out.last_mut() {
            Some(last) if last.matches('"').count() % 2 == 1 => {
                last.push('\n');
                last.push_str(line);
            }
            _ => out.push(line.to_owned()),
        }
    }
    out
}

/// Splits one CSV line; a quoted field may hold commas and doubled quotes.
fn fields(line: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                out.last_mut().expect("a field").push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => out.push(String::new()),
            c => out.last_mut().expect("a field").push(c),
        }
    }
    out
}
