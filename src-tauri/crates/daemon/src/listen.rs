//! The browser's way in: the same API over TCP, on this machine only, for whoever has
//! the token. The token is new with every start; the address with it stands in a file
//! that only the user can read.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::{ApiError, ErrorCode};
use tokio::net::TcpListener;

/// Bytes of a token: as many as cannot be guessed, ever.
const TOKEN_BYTES: usize = 32;

/// What proves that a browser was sent here by the user. Never shown.
#[derive(Clone)]
pub(crate) struct Token(Arc<str>);

impl Token {
    fn new() -> std::io::Result<Self> {
        random_hex().map(|hex| Self(hex.into()))
    }

    /// Whether this is it. Takes as long for a nearly right one as for any other.
    pub(crate) fn is(&self, text: &str) -> bool {
        let (own, other) = (self.0.as_bytes(), text.as_bytes());
        let differences = own
            .iter()
            .zip(other.iter().chain(std::iter::repeat(&0)))
            .fold(0_u8, |found, (a, b)| found | (a ^ b));
        std::hint::black_box(differences) == 0 && own.len() == other.len()
    }

    #[cfg(test)]
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

/// A listening address for browsers. Its file goes with it.
pub(crate) struct Entrance {
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
    pub(crate) token: Token,
    file: PathBuf,
}

impl Entrance {
    /// Listens at `wanted`, which must be on this machine's loopback, and writes the
    /// address with the token to `file`.
    pub(crate) async fn open(wanted: SocketAddr, file: PathBuf) -> Result<Self, ApiError> {
        if !wanted.ip().is_loopback() {
            return Err(ApiError::usage(
                format!("{wanted} can be reached from other machines"),
                "give --listen 127.0.0.1:PORT; from elsewhere, forward that port over ssh",
            ));
        }
        let refuse = |why: std::io::Error| {
            ApiError::new(
                ErrorCode::Conflict,
                format!("browsers cannot be listened for at {wanted}: {why}"),
                "choose another port; 0 takes any that is free",
            )
        };
        let listener = TcpListener::bind(wanted).await.map_err(refuse)?;
        let address = listener.local_addr().map_err(refuse)?;
        let entrance = Self {
            listener,
            address,
            token: Token::new().map_err(ApiError::internal)?,
            file,
        };
        write_private(&entrance.file, &entrance.url()).map_err(|e| {
            ApiError::internal(format!(
                "{} cannot be written: {e}",
                entrance.file.display()
            ))
        })?;
        Ok(entrance)
    }

    /// What to open in a browser. The token stands behind the `#`, which browsers keep
    /// to themselves.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/#token={}", self.address, self.token.0)
    }

    /// The file to remove at the end.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }
}

/// Where the address with the token stands: beside the socket, in the user's own folder.
pub(crate) fn url_file(socket: &Path) -> PathBuf {
    socket.with_extension("url")
}

/// Text nobody can guess.
pub(crate) fn random_hex() -> std::io::Result<String> {
    let mut bytes = [0; TOKEN_BYTES];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

pub(crate) fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    // A new file: one that is there may be open elsewhere, or readable.
    match std::fs::remove_file(file) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut out = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    writeln!(out, "{text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[tokio::test]
    async fn only_this_machine_is_listened_to() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s.url");
        for wanted in ["0.0.0.0:0", "[::]:0", "192.168.1.7:0"] {
            let opened = Entrance::open(wanted.parse().unwrap(), file.clone()).await;
            assert_eq!(opened.err().unwrap().code, ErrorCode::Usage, "{wanted}");
            assert!(!file.exists());
        }
        let opened = Entrance::open("127.0.0.1:0".parse().unwrap(), file.clone()).await;
        let entrance = opened.unwrap_or_else(|e| panic!("{e}"));
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let written = std::fs::read_to_string(&file).unwrap();
        assert_eq!(written.trim(), entrance.url());
    }

    #[test]
    fn every_start_has_a_token_of_its_own() {
        let (one, other) = (Token::new().unwrap(), Token::new().unwrap());
        assert_eq!(one.text().len(), 2 * TOKEN_BYTES);
        assert!(one.is(one.text()) && !one.is(other.text()));
        assert!(!one.is("") && !one.is(&one.text()[1..]) && !one.is(&format!("{}0", one.text())));
    }
}
