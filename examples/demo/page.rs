//! Reads the statistics page's CSV as a script would: who has how many sessions.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine as _;

use crate::fault::Fault;

/// The statistics page.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    /// Where it is.
    pub(crate) address: SocketAddr,
    /// `user:password`.
    pub(crate) auth: &'static str,
}

/// What the page says of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerRow {
    /// Sessions now.
    pub(crate) sessions: u64,
    /// `UP`, `DOWN`…
    pub(crate) status: String,
}

impl Page {
    /// The address for a browser.
    pub(crate) fn url(&self) -> String {
        format!("http://{}@{}/", self.auth, self.address)
    }

    /// The servers of `proxy` by name.
    ///
    /// # Errors
    /// [`Fault::Page`] for no answer, another status than 200, or a CSV without the columns.
    pub(crate) fn servers(&self, proxy: &str) -> Result<HashMap<String, ServerRow>, Fault> {
        let answer = self.get("/;csv").map_err(|cause| Fault::Page { head: cause.to_string() })?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let fault = || Fault::Page { head: head.lines().next().unwrap_or_default().to_owned() };
        let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
        let body = if chunked { unchunk(body) } else { body.to_owned() };
        if head.split(' ').nth(1) != Some("200") {
            return Err(fault());
        }
        let mut lines = body.lines();
        let columns: Vec<&str> =
            lines.next().and_then(|line| line.strip_prefix("# ")).ok_or_else(fault)?.split(',').collect();
        let column = |name| columns.iter().position(|column| *column == name).ok_or_else(fault);
        let (pxname, svname, scur, status) = (column("pxname")?, column("svname")?, column("scur")?, column("status")?);
        let rows = lines.map(|line| line.split(',').collect::<Vec<_>>());
        Ok(rows
            .filter(|cells| cells.get(pxname) == Some(&proxy))
            .filter_map(|cells| {
                let row =
                    ServerRow { sessions: cells.get(scur)?.parse().ok()?, status: (*cells.get(status)?).to_owned() };
                Some(((*cells.get(svname)?).to_owned(), row))
            })
            .collect())
    }

    /// The whole answer; haproxy 2.6 sends chunks even to HTTP/1.0.
    fn get(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let token = base64::engine::general_purpose::STANDARD.encode(self.auth);
        let address = self.address;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\nAuthorization: Basic {token}\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

/// Joins the chunks of a chunked body; stops at the first thing that is none.
fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let Some((chunk, rest)) = usize::from_str_radix(size, 16).ok().and_then(|size| rest.split_at_checked(size))
        else {
            break;
        };
        whole.push_str(chunk);
        body = rest.trim_start_matches("\r\n");
    }
    whole
}
