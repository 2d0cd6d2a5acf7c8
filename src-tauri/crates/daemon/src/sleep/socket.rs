//! A socket to a bus that hands what it receives to no child. zbus's own leaves a
//! received descriptor open across exec until the message is dropped; a keeper that
//! is started just then would have the inhibitor, and the machine would stay awake
//! for as long as that keeper lives.

use std::io::{Error, ErrorKind, IoSliceMut, Result};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::SocketAddr;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use zbus::Address;
use zbus::address::transport::{Transport, UnixSocket};
use zbus::connection::socket::{ReadHalf, Socket, Split, WriteHalf};

/// Such a socket.
#[derive(Debug)]
pub(super) struct Childless(UnixStream);

#[derive(Debug)]
pub(super) struct Incoming(OwnedReadHalf);

#[derive(Debug)]
pub(super) struct Outgoing(OwnedWriteHalf);

impl Childless {
    /// Connects to a bus on this machine.
    pub(super) async fn connect(address: &Address) -> zbus::Result<Self> {
        let elsewhere = || zbus::Error::Address(format!("{address} is not a socket"));
        let Transport::Unix(unix) = address.transport() else {
            return Err(elsewhere());
        };
        let stream = match unix.path() {
            UnixSocket::File(path) => UnixStream::connect(path).await?,
            UnixSocket::Abstract(name) => {
                let name = SocketAddr::from_abstract_name(name.as_encoded_bytes())?;
                let stream = std::os::unix::net::UnixStream::connect_addr(&name)?;
                stream.set_nonblocking(true)?;
                UnixStream::from_std(stream)?
            }
            _ => return Err(elsewhere()),
        };
        Ok(Self(stream))
    }
}

impl Socket for Childless {
    type ReadHalf = Incoming;
    type WriteHalf = Outgoing;

    fn split(self) -> Split<Incoming, Outgoing> {
        let (incoming, outgoing) = self.0.into_split();
        Split::new(Incoming(incoming), Outgoing(outgoing))
    }
}

#[async_trait::async_trait]
impl ReadHalf for Incoming {
    async fn recvmsg(&mut self, buffer: &mut [u8]) -> Result<(usize, Vec<OwnedFd>)> {
        let stream: &UnixStream = self.0.as_ref();
        stream
            .async_io(Interest::READABLE, || receive(stream.as_fd(), buffer))
            .await
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}

#[async_trait::async_trait]
impl WriteHalf for Outgoing {
    async fn sendmsg(&mut self, buffer: &[u8], fds: &[BorrowedFd<'_>]) -> Result<usize> {
        if !fds.is_empty() {
            return Err(ErrorKind::Unsupported.into());
        }
        self.0.write(buffer).await
    }

    async fn close(&mut self) -> Result<()> {
        self.0.shutdown().await
    }

    /// Asked of both halves; nothing is passed this way.
    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}

pub(super) fn receive(stream: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<(usize, Vec<OwnedFd>)> {
    // A reply of logind's carries one.
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(buffer)];
    let got = recvmsg(stream, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    if got.bytes == 0 {
        return Err(Error::from(ErrorKind::BrokenPipe));
    }
    let mut received = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            received.extend(fds);
        }
    }
    Ok((got.bytes, received))
}
