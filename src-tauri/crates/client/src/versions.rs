//! Versions are compared when a client connects. Only a newer program replaces an
//! older daemon.

use protocol::{StopHow, StopRequest, VersionInfo};

use crate::Client;
use crate::error::ClientError;
use crate::start::{Launch, start_daemon_if_absent};

/// How a meeting of two versions ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// Both understand each other.
    Agreed(VersionInfo),
    /// An older daemon was asked to stop at operation boundaries, and a new one answers.
    Replaced {
        /// The version that ended.
        old: String,
        /// Who answers now.
        new: VersionInfo,
    },
}

impl Handshake {
    /// Who answers now.
    pub fn info(&self) -> &VersionInfo {
        match self {
            Self::Agreed(info) | Self::Replaced { new: info, .. } => info,
        }
    }
}

/// Makes sure that a daemon answers which is not older than this program.
///
/// # Errors
/// As [`start_daemon_if_absent`]; [`ClientError::Garbled`] where the daemon speaks a
/// newer protocol than this program.
pub async fn handshake(launch: &Launch, version: &str) -> Result<Handshake, ClientError> {
    let info = start_daemon_if_absent(launch).await?;
    if info.protocol > protocol::PROTOCOL {
        return Err(ClientError::Garbled(format!(
            "it is of version {}, newer than this program's {version}",
            info.version
        )));
    }
    if !newer(version, &info.version) {
        return Ok(Handshake::Agreed(info));
    }
    let client = Client::connect(&launch.paths.socket);
    client
        .stop(StopRequest {
            how: StopHow::Drain,
        })
        .await?;
    wait_until_gone(&client).await;
    let new = start_daemon_if_absent(launch).await?;
    Ok(Handshake::Replaced {
        old: info.version,
        new,
    })
}

/// Waits until nobody answers any more, at most 60 s: a drain waits 30 s for model
/// calls and then records what it cut.
async fn wait_until_gone(client: &Client) {
    let gone = async {
        while client.version(protocol::VersionRequest {}).await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let _ = tokio::time::timeout(std::time::Duration::from_secs(60), gone).await;
}

/// Whether version `a` (`1.2.3`) is newer than `b`. What is no version is never newer.
pub fn newer(a: &str, b: &str) -> bool {
    let parts = |v: &str| -> Option<Vec<u64>> {
        v.split(['-', '+'])
            .next()?
            .split('.')
            .map(|part| part.parse().ok())
            .collect()
    };
    matches!((parts(a), parts(b)), (Some(a), Some(b)) if a > b)
}
