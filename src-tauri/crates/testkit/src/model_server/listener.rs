//! A listener whose connections can be cut, one by one or all at once, and which can
//! go away and come back on the same port.

use std::{
    future::Future as _,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{extract::connect_info::Connected, serve::IncomingStream};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Whether the server can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Up,
    /// Connections are refused; those there were are cut.
    Down,
}

pub(crate) struct CuttableListener {
    address: SocketAddr,
    socket: Option<TcpListener>,
    link: watch::Receiver<Link>,
    /// Parent of the connections accepted since the link last came up.
    all: CancellationToken,
}

impl CuttableListener {
    pub(crate) async fn bind(address: SocketAddr, link: watch::Receiver<Link>) -> io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        Ok(Self {
            address: socket.local_addr()?,
            socket: Some(socket),
            link,
            all: CancellationToken::new(),
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Follows the link; true while there is a socket to accept from.
    async fn follow_link(&mut self) -> bool {
        let link = *self.link.borrow_and_update();
        match link {
            Link::Down => {
                self.socket = None;
                std::mem::take(&mut self.all).cancel();
            }
            Link::Up if self.socket.is_none() => {
                self.socket = TcpListener::bind(self.address).await.ok()
            }
            Link::Up => {}
        }
        self.socket.is_some()
    }
}

impl Drop for CuttableListener {
    fn drop(&mut self) {
        self.all.cancel();
    }
}

impl axum::serve::Listener for CuttableListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            if !self.follow_link().await {
                // The sender is gone only when the server is, and then so is this task.
                if self.link.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                continue;
            }
            let Some(socket) = &self.socket else { continue };
            tokio::select! {
                accepted = socket.accept() => if let Ok((stream, peer)) = accepted {
                    // Events must leave one by one, or a cut would take earlier ones with it.
                    stream.set_nodelay(true).ok();
                    return (Connection::new(stream, self.all.child_token()), peer);
                },
                changed = self.link.changed() => if changed.is_err() {
                    std::future::pending::<()>().await;
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// A TCP stream that fails with "connection reset" once it is cut.
pub(crate) struct Connection {
    stream: TcpStream,
    cut: CancellationToken,
    when_cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Connection {
    fn new(stream: TcpStream, cut: CancellationToken) -> Self {
        let when_cut = Box::pin(cut.clone().cancelled_owned());
        Self {
            stream,
            cut,
            when_cut,
        }
    }

    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.when_cut.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionReset.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Lets a handler cut the connection its request came in on.
#[derive(Clone)]
pub(crate) struct Scissors(CancellationToken);

impl Scissors {
    pub(crate) fn cut(&self) {
        self.0.cancel();
    }
}

impl Connected<IncomingStream<'_, CuttableListener>> for Scissors {
    fn connect_info(stream: IncomingStream<'_, CuttableListener>) -> Self {
        Self(stream.io().cut.clone())
    }
}
