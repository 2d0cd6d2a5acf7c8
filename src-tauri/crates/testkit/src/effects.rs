//! Real side effects, counted outside every database: one line in a file for each time
//! something happened. Recovery is judged by this file and nothing else.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

/// One effect that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    pub key: String,
    /// The process that did it.
    pub pid: u32,
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// A file of effects.
#[derive(Clone, Debug)]
pub struct EffectLedger {
    path: PathBuf,
}

impl EffectLedger {
    /// The ledger at `path`, which need not exist yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A shell command with the effect `key`, using nothing but POSIX tools. Put more
    /// after it (`; sleep 5`) to be killed with the effect done and not yet reported.
    pub fn shell(&self, key: &str) -> String {
        let time = "$(date +%s)000";
        format!(
            "printf '{{\"key\":\"%s\",\"pid\":%s,\"at_ms\":%s}}\\n' {} \"$$\" \"{time}\" >> {}",
            quoted(key),
            quoted(&self.path.to_string_lossy())
        )
    }

    /// Appends an effect of this process, and returns when it is on the disk.
    ///
    /// # Errors
    /// If the file cannot be written.
    #[allow(clippy::disallowed_methods)] // a program of its own uses it: nobody could inject a clock
    pub fn record(&self, key: &str) -> io::Result<()> {
        let at_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |age| age.as_millis() as u64);
        let effect = Effect {
            key: key.to_owned(),
            pid: std::process::id(),
            at_ms,
        };
        // One write of a whole line: O_APPEND makes it land whole between those of others.
        let line = format!("{}\n", serde_json::to_string(&effect)?);
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)?;
        file.write_all(line.as_bytes())?;
        file.sync_all()
    }

    /// All effects so far, in order. None if there is no file.
    ///
    /// # Errors
    /// If the file cannot be read or holds something else.
    pub fn entries(&self) -> io::Result<Vec<Effect>> {
        let text = match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => read?,
        };
        // What follows the last newline is being written.
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        complete
            .lines()
            .map(|line| Ok(serde_json::from_str(line)?))
            .collect()
    }

    /// How often `key` happened.
    ///
    /// # Errors
    /// As [`entries`](Self::entries).
    pub fn count(&self, key: &str) -> io::Result<usize> {
        Ok(self
            .entries()?
            .iter()
            .filter(|effect| effect.key == key)
            .count())
    }

    /// # Errors
    /// If `key` happened more than once; the message has the pids and times.
    pub fn at_most_once(&self, key: &str) -> anyhow::Result<()> {
        let times: Vec<Effect> = self
            .entries()?
            .into_iter()
            .filter(|effect| effect.key == key)
            .collect();
        anyhow::ensure!(
            times.len() <= 1,
            "the effect \"{key}\" happened {} times: {times:?}",
            times.len()
        );
        Ok(())
    }

    /// # Errors
    /// If any key happened more than once.
    pub fn nothing_twice(&self) -> anyhow::Result<()> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for effect in self.entries()? {
            *counts.entry(effect.key).or_default() += 1;
        }
        counts.retain(|_, n| *n > 1);
        anyhow::ensure!(
            counts.is_empty(),
            "effects that happened more than once: {counts:?}"
        );
        Ok(())
    }

    /// Waits until `key` has happened `n` times or more.
    ///
    /// # Errors
    /// If it has not within `deadline`.
    pub async fn wait_for(&self, key: &str, n: usize, deadline: Duration) -> anyhow::Result<()> {
        let happened = async {
            while self.count(key)? < n {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        };
        match tokio::time::timeout(deadline, happened).await {
            Ok(read) => read,
            Err(_) => anyhow::bail!(
                "the effect \"{key}\" happened {} of {n} times within {deadline:?}",
                self.count(key)?
            ),
        }
    }
}

/// `text` as one word of a POSIX shell.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_are_counted_however_they_were_made() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = EffectLedger::at(dir.path().join("it's here.jsonl"));
        assert_eq!(ledger.count("pay").unwrap(), 0);
        ledger.record("pay").unwrap();
        let done = std::process::Command::new("sh")
            .args(["-c", &ledger.shell("mail")])
            .status()
            .unwrap();
        assert!(done.success());
        ledger.nothing_twice().unwrap();
        ledger.record("pay").unwrap();
        assert_eq!(
            ledger
                .entries()
                .unwrap()
                .iter()
                .map(|e| e.key.as_str())
                .collect::<Vec<_>>(),
            ["pay", "mail", "pay"]
        );
        assert!(
            ledger
                .at_most_once("pay")
                .unwrap_err()
                .to_string()
                .contains("2 times")
        );
        ledger.at_most_once("mail").unwrap();
        assert!(ledger.nothing_twice().is_err());
    }

    #[test]
    fn a_line_being_written_is_not_an_effect_yet() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = EffectLedger::at(dir.path().join("l"));
        ledger.record("a").unwrap();
        let mut text = fs::read_to_string(ledger.path()).unwrap();
        text.push_str("{\"key\":\"b");
        fs::write(ledger.path(), text).unwrap();
        assert_eq!(ledger.entries().unwrap().len(), 1);
    }
}
