//! Real servers from Debian: mosquitto, redis, nginx. Each on its own address, folder and process.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use super::ports;
use super::process::Running;

/// A service; it ends when dropped.
#[derive(Debug)]
pub struct Service {
    /// Where it listens.
    pub address: SocketAddr,
    /// The process.
    pub process: Running,
    _folder: tempfile::TempDir,
}

impl Service {
    /// An MQTT broker that lets anybody in.
    ///
    /// # Panics
    /// When mosquitto is not installed or does not start.
    #[track_caller]
    pub fn mosquitto() -> Self {
        Self::mosquitto_at(ports::free())
    }

    /// [`Service::mosquitto`] on an address of the caller's: a broker that comes back.
    #[track_caller]
    pub fn mosquitto_at(address: SocketAddr) -> Self {
        Self::mosquitto_with(address, |_| "allow_anonymous true\n".to_owned())
    }

    /// A broker that lets in nobody but that user.
    ///
    /// # Panics
    /// As [`Service::mosquitto`].
    #[track_caller]
    pub fn mosquitto_for(user: &str, password: &str) -> Self {
        Self::mosquitto_with(ports::free(), |folder| {
            let file = folder.join("users");
            let mut command = Command::new("mosquitto_passwd");
            let out = command.args(["-b", "-c"]).arg(&file).args([user, password]).output();
            assert!(out.expect("mosquitto_passwd is installed").status.success(), "a file of users");
            format!("allow_anonymous false\npassword_file {}\n", file.display())
        })
    }

    #[track_caller]
    fn mosquitto_with(address: SocketAddr, more: impl FnOnce(&Path) -> String) -> Self {
        Self::start("mosquitto", address, |folder| {
            let more = more(folder);
            let config = format!("listener {} {}\nuser root\n{more}", address.port(), address.ip());
            let file = folder.join("mosquitto.conf");
            std::fs::write(&file, config).expect("its configuration");
            let mut command = Command::new("mosquitto");
            command.arg("-c").arg(file);
            command
        })
    }

    /// A redis server without persistence.
    ///
    /// # Panics
    /// When redis is not installed or does not start.
    #[track_caller]
    pub fn redis() -> Self {
        let address = ports::free();
        Self::start("redis-server", address, |folder| {
            let mut command = Command::new("redis-server");
            command.args(["--bind", &address.ip().to_string(), "--port", &address.port().to_string()]);
            command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(folder);
            command
        })
    }

    /// An nginx that answers each request with `body`.
    ///
    /// # Panics
    /// When nginx is not installed or does not start.
    #[track_caller]
    pub fn nginx(body: &str) -> Self {
        Self::nginx_with("", body)
    }

    /// [`Service::nginx`] whose connections begin with a PROXY header; `body` may name its variables.
    #[track_caller]
    pub fn nginx_behind_proxy(body: &str) -> Self {
        Self::nginx_with(" proxy_protocol", body)
    }

    #[track_caller]
    fn nginx_with(words: &str, body: &str) -> Self {
        let address = ports::free();
        let server = format!("server {{ listen {address}{words}; location / {{ return 200 '{body}'; }} }}");
        Self::start("nginx", address, |folder| {
            let here = folder.display();
            let config = format!(
                "daemon off; master_process off; pid {here}/pid; error_log stderr;\nevents {{}}\n\
                 http {{ access_log off; client_body_temp_path {here}/b; proxy_temp_path {here}/p;\n\
                 fastcgi_temp_path {here}/f; uwsgi_temp_path {here}/u; scgi_temp_path {here}/s; {server} }}\n"
            );
            let file = folder.join("nginx.conf");
            std::fs::write(&file, config).expect("its configuration");
            let mut command = Command::new("nginx");
            command.arg("-p").arg(folder).arg("-c").arg(file);
            command
        })
    }

    /// A server of TLS with a certificate for `name`; it answers HTTP.
    ///
    /// # Panics
    /// When openssl is not installed or does not start.
    #[track_caller]
    pub fn tls(name: &str) -> Self {
        let address = ports::free();
        Self::start("openssl", address, |folder| {
            let (key, certificate) = (folder.join("key"), folder.join("certificate"));
            let mut make = Command::new("openssl");
            make.args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
            ]);
            make.args(["-subj", &format!("/CN={name}"), "-keyout"]).arg(&key).arg("-out").arg(&certificate);
            let made = make.output().expect("openssl is installed");
            assert!(made.status.success(), "a certificate: {}", String::from_utf8_lossy(&made.stderr));
            let mut command = Command::new("openssl");
            command
                .args(["s_server", "-www", "-accept", &address.to_string(), "-key"])
                .arg(key)
                .arg("-cert")
                .arg(certificate);
            command
        })
    }

    #[track_caller]
    fn start(name: &str, address: SocketAddr, make: impl FnOnce(&Path) -> Command) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let command = make(folder.path());
        let mut process = Running::start(name, folder.path(), command);
        process.wait_ready(|| ports::listens(address));
        Self { address, process, _folder: folder }
    }
}

/// `mosquitto_pub` with these arguments, run to its end.
///
/// # Panics
/// When it is not installed.
pub fn publish(broker: SocketAddr, topic: &str, message: &str) -> Output {
    Command::new("mosquitto_pub")
        .args(["-h", &broker.ip().to_string(), "-p", &broker.port().to_string(), "-q", "1", "-t", topic, "-m", message])
        .output()
        .expect("mosquitto_pub is installed")
}

/// `mosquitto_sub` in the background; each message is one line of its output.
///
/// # Panics
/// When it is not installed.
pub fn subscribe(broker: SocketAddr, topic: &str, client: &str, folder: &Path) -> Running {
    // It buffers what it prints to a file; stdbuf replaces itself by it, so the process id is its own.
    let mut command = Command::new("stdbuf");
    command.args(["-oL", "mosquitto_sub", "-h", &broker.ip().to_string(), "-p", &broker.port().to_string(), "-q", "1"]);
    command.args(["-t", topic, "-i", client, "-d"]);
    let mut process = Running::start(client, folder, command);
    let output = folder.join(format!("{client}.out"));
    process.wait_ready(|| std::fs::read_to_string(&output).is_ok_and(|text| text.contains("Subscribed (mid")));
    process
}
