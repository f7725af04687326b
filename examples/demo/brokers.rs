//! The embedded brokers: rumqttd, each in a child process of the demo so that it can be stopped.
//!
//! The two are not clustered: what is published at one is heard at that one only.

use std::collections::HashMap;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};

use crate::fault::Fault;
use crate::tell::wait;

/// A broker process; it ends when dropped, or when the demo dies (its standard input ends then).
#[derive(Debug)]
pub(crate) struct BrokerProcess {
    /// Its server name in the configuration.
    pub(crate) name: &'static str,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    child: Child,
}

impl BrokerProcess {
    /// Starts this very program as a broker and waits until it listens.
    ///
    /// # Errors
    /// [`Fault::Start`], or [`Fault::Late`] when it does not listen after 10 s.
    pub(crate) fn start(name: &'static str, address: SocketAddr) -> Result<Self, Fault> {
        let path = std::env::current_exe().map_err(Fault::machine("path of this program"))?;
        let child = Command::new(&path)
            .args(["--broker", &address.to_string()])
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|cause| Fault::Start { path, cause })?;
        let broker = Self { name, address, child };
        wait(Duration::from_secs(10), name, || TcpStream::connect(address).ok())?;
        Ok(broker)
    }

    /// Stops it as a crash does: the kernel closes its connections.
    pub(crate) fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for BrokerProcess {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The child's part: serves MQTT 3.1.1 on `address` until standard input ends.
pub(crate) fn serve(address: SocketAddr) -> ExitCode {
    let connections = ConnectionSettings {
        connection_timeout_ms: 5_000,
        max_payload_size: 20_480,
        max_inflight_count: 100,
        auth: None,
        external_auth: None,
        dynamic_filters: true,
    };
    let server =
        ServerSettings { name: "v4".to_owned(), listen: address, tls: None, next_connection_delay_ms: 1, connections };
    let router = RouterConfig {
        max_connections: 10_000,
        max_outgoing_packet_count: 200,
        max_segment_size: 1_048_576,
        max_segment_count: 10,
        ..RouterConfig::default()
    };
    let config = Config { id: 0, router, v4: Some(HashMap::from([("1".to_owned(), server)])), ..Config::default() };
    std::thread::spawn(move || {
        // It returns only when it cannot listen; the parent waits for that in vain and says so.
        let _ = Broker::new(config).start();
    });
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    ExitCode::SUCCESS
}
