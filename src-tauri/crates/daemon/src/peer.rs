//! Who is at the other end of a connection.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use keeper::Place;
use protocol::{ApiError, ErrorCode};
use tokio::net::{TcpListener, UnixStream};

use crate::server::UserSocket;

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Peer {
    /// A process at the socket, as far as the system names it.
    Process(Option<u32>),
    /// Somebody on this machine at the browser's address: theirs, and ours.
    Tcp {
        theirs: SocketAddr,
        ours: Option<SocketAddr>,
    },
}

impl Peer {
    pub(crate) fn of(stream: &UnixStream) -> Self {
        let pid = stream.peer_cred().ok().and_then(|cred| cred.pid());
        Self::Process(pid.and_then(|pid| u32::try_from(pid).ok()))
    }

    /// Where its process is. Blocks.
    fn place(self, keepers: &Path) -> Place {
        match self {
            Self::Process(Some(pid)) => keeper::place_of(pid, keepers),
            Self::Process(None) | Self::Tcp { ours: None, .. } => Place::Unknown,
            Self::Tcp {
                theirs,
                ours: Some(ours),
            } => place_of_all(&holders(theirs, ours), keepers),
        }
    }
}

impl Connected<IncomingStream<'_, UserSocket>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UserSocket>) -> Self {
        Self::of(stream.io())
    }
}

impl Connected<IncomingStream<'_, TcpListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Self::Tcp {
            theirs: *stream.remote_addr(),
            ours: stream.io().local_addr().ok(),
        }
    }
}

/// A connection may be held by several processes: one inside is enough to refuse it, and
/// one that cannot be looked at as well.
fn place_of_all(pids: &[u32], keepers: &Path) -> Place {
    let places: Vec<Place> = pids
        .iter()
        .map(|pid| keeper::place_of(*pid, keepers))
        .collect();
    let any = |wanted: Place| places.contains(&wanted);
    if any(Place::Inside) {
        Place::Inside
    } else if places.is_empty() || any(Place::Unknown) {
        Place::Unknown
    } else {
        Place::Outside
    }
}

/// The processes that hold the other end of a TCP connection of this machine.
fn holders(theirs: SocketAddr, ours: SocketAddr) -> Vec<u32> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let inode = tables.iter().find_map(|file| {
        let table = std::fs::read_to_string(file).ok()?;
        inode_in(&table, theirs, ours)
    });
    let Some(inode) = inode else {
        return Vec::new();
    };
    let link = PathBuf::from(format!("socket:[{inode}]"));
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| has_open(*pid, &link))
        .collect()
}

fn has_open(pid: u32, link: &Path) -> bool {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd"));
    let mut open = open.into_iter().flatten().flatten();
    open.any(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to == link))
}

/// The socket from `theirs` to `ours` in a table of the kernel's (proc_net_tcp.rst: the
/// second and third field are local and remote address, the tenth is the inode).
fn inode_in(table: &str, theirs: SocketAddr, ours: SocketAddr) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let local = *fields.get(1)?;
        let remote = *fields.get(2)?;
        let inode = fields.get(9)?.parse::<u64>().ok()?;
        // Zero: no process holds it any more.
        (inode != 0 && same(local, theirs) && same(remote, ours)).then_some(inode)
    })
}

/// Whether the kernel's form of an address is this one: 32-bit words as this machine
/// stores them, the port as a number.
fn same(text: &str, address: SocketAddr) -> bool {
    let Some((ip, port)) = text.split_once(':') else {
        return false;
    };
    if u16::from_str_radix(port, 16) != Ok(address.port()) {
        return false;
    }
    let words = |bytes: &[u8]| -> String {
        bytes
            .chunks_exact(4)
            .map(|w| format!("{:08X}", u32::from_ne_bytes([w[0], w[1], w[2], w[3]])))
            .collect()
    };
    match address.ip() {
        std::net::IpAddr::V4(v4) => {
            ip == words(&v4.octets()) || ip == words(&v4.to_ipv6_mapped().octets())
        }
        std::net::IpAddr::V6(v6) => ip == words(&v6.octets()),
    }
}

/// Refuses a change that comes from inside a run, and one of which that cannot be
/// told: a caller that ended before it could be looked at, or that is in a namespace
/// out of sight. Whoever asks waits for the answer, so only these are refused.
pub(crate) async fn must_be_outside(peer: Peer, keepers: PathBuf) -> Result<(), ApiError> {
    let place = tokio::task::spawn_blocking(move || peer.place(&keepers))
        .await
        .map_err(ApiError::internal)?;
    let why = match place {
        Place::Outside => return Ok(()),
        Place::Inside => "nothing can be decided or changed from inside a run",
        Place::Unknown => "it cannot be told whether this comes from inside a run",
    };
    Err(ApiError::new(
        ErrorCode::Refused,
        why,
        "do it yourself, in your own terminal",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener as Std, TcpStream};

    #[test]
    fn who_holds_the_other_end_of_a_connection_is_found() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // A machine without IPv6 has only the one.
            let Ok(listener) = Std::bind(address) else {
                continue;
            };
            let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (ours, _) = listener.accept().unwrap();
            let found = holders(ours.peer_addr().unwrap(), ours.local_addr().unwrap());
            assert_eq!(found, [std::process::id()], "{address}");
            drop(theirs);
        }
    }

    #[test]
    fn a_connection_nobody_holds_is_of_unknown_origin() {
        let nobody = Peer::Tcp {
            theirs: ([127, 0, 0, 1], 1).into(),
            ours: Some(([127, 0, 0, 1], 2).into()),
        };
        assert_eq!(nobody.place(Path::new("/nonexistent")), Place::Unknown);
    }
}
