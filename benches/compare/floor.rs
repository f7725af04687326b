//! What the kernel alone asks for a bulk transfer: the two barest relays that can be written, side by side.
//!
//! "ours" is a blocking loop of `splice` through a pipe of 1 MiB, "theirs" one of `read` and `write` with 16 KiB, haproxy's
//! `tune.bufsize`. No proxy on this machine can have a better ratio than these two; both programs are beside the point here.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

use crate::load;
use crate::program::Program;
use crate::traffic;

/// `count` GiB through one of the loops: CPU s per GiB of its thread.
///
/// # Panics
/// When a byte is missing.
pub(crate) fn bulk(program: &Program, count: usize) -> Vec<f64> {
    let spliced = program.name == "ours";
    load::with_server(async |server| {
        let door = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = door.local_addr().expect("its address");
        let relay = std::thread::spawn(move || {
            let before = own_cpu();
            for _ in 0..count {
                relay(&door, server, spliced).expect("a relay without errors");
            }
            (own_cpu() - before).as_secs_f64()
        });
        traffic::download(address, count).await;
        vec![relay.join().expect("the relay's thread") / count as f64]
    })
}

fn own_cpu() -> Duration {
    Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a thread's CPU clock"))
}

/// Carries the order of one byte there and everything back.
fn relay(door: &TcpListener, server: SocketAddr, spliced: bool) -> std::io::Result<()> {
    let (mut client, _) = door.accept()?;
    let mut server = TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let mut order = [0];
    client.read_exact(&mut order)?;
    server.write_all(&order)?;
    if !spliced {
        let mut buffer = [0; 16 * 1024];
        loop {
            match server.read(&mut buffer)? {
                0 => return Ok(()),
                count => client.write_all(&buffer[..count])?,
            }
        }
    }
    let (output, input) = pipe_with(PipeFlags::CLOEXEC)?;
    let size = fcntl_setpipe_size(&input, 1 << 20)?;
    loop {
        let mut held = splice(&server, None, &input, None, size, SpliceFlags::MOVE)?;
        if held == 0 {
            return Ok(());
        }
        while held > 0 {
            held -= splice(&output, None, &client, None, held, SpliceFlags::MOVE)?;
        }
    }
}
