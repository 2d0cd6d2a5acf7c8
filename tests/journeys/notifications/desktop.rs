//! A private desktop without a screen: X server, session bus, notification daemon. All
//! of it is in one folder and ends with the test.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::support::SOON;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// A notification as the server was asked to show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) title: String,
    pub(crate) body: String,
}

pub(crate) struct Desktop {
    folder: PathBuf,
    address: String,
    display: String,
    children: Vec<Child>,
}

impl Desktop {
    pub(crate) async fn start(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let mut desktop = Self {
            folder: folder.to_owned(),
            address: String::new(),
            display: String::new(),
            children: Vec::new(),
        };
        // The server finds a free display by itself: tests run side by side.
        let xvfb = [
            "Xvfb",
            "-displayfd",
            "1",
            "-screen",
            "0",
            "1024x700x24",
            "-nolisten",
            "tcp",
        ];
        desktop.display = format!(":{}", desktop.begin(&xvfb)?);
        let own = format!("--address=unix:path={}/bus", folder.display());
        let bus = [
            "dbus-daemon",
            "--session",
            "--nofork",
            "--nopidfile",
            "--print-address=1",
            &own,
        ];
        desktop.address = desktop.begin(&bus)?;
        desktop.configure()?;
        let config = folder.join("dunstrc");
        desktop.spawn(&["dunst", "-conf", &config.display().to_string()])?;
        desktop
            .wait("a notification daemon", || desktop.has_server())
            .await?;
        Ok(desktop)
    }

    /// What finds this desktop.
    pub(crate) fn env(&self) -> [(&'static str, &str); 2] {
        [
            ("DBUS_SESSION_BUS_ADDRESS", &self.address),
            ("DISPLAY", &self.display),
        ]
    }

    /// dunst writes down what it shows, and asks a script instead of a person which of
    /// the actions is meant.
    fn configure(&self) -> Result<()> {
        let folder = self.folder.display();
        let note = format!(
            "#!/bin/sh\nprintf '%s\\t%s\\n' \"$2\" \"$(printf %s \"$3\" | tr '\\n' ' ')\" >> {folder}/told\n"
        );
        let choose = format!(
            "#!/bin/sh\ncat > {folder}/menu.new && mv {folder}/menu.new {folder}/menu\n\
             grep -F -m1 -- \"$(cat {folder}/choice)\" {folder}/menu\n"
        );
        for (name, script) in [("note", note), ("choose", choose)] {
            let file = self.folder.join(name);
            fs::write(&file, script)?;
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
        }
        let config = format!(
            "[global]\nfont = DejaVu Sans 10\nnotification_limit = 10\nmarkup = full\n\
             dmenu = {folder}/choose\n\
             [urgency_low]\ntimeout = 0\n[urgency_normal]\ntimeout = 0\n\
             [write_down]\nsummary = \"*\"\nscript = {folder}/note\n"
        );
        fs::write(self.folder.join("dunstrc"), config)?;
        Ok(())
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(words[0]);
        let out = |name: &str| fs::File::create(self.folder.join(name));
        command
            .args(&words[1..])
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", &self.folder)
            .env("XDG_RUNTIME_DIR", &self.folder)
            .envs(
                self.env()
                    .into_iter()
                    .filter(|(_, value)| !value.is_empty()),
            )
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(out(&format!("{}.err", words[0])).map_or_else(|_| Stdio::null(), Into::into));
        command
    }

    fn spawn(&mut self, words: &[&str]) -> Result<()> {
        let child = self.command(words).spawn();
        self.children
            .push(child.with_context(|| format!("cannot start {}", words[0]))?);
        Ok(())
    }

    /// Starts a server and reads the line it says where it is with.
    fn begin(&mut self, words: &[&str]) -> Result<String> {
        let child = self.command(words).stdout(Stdio::piped()).spawn();
        let mut child = child.with_context(|| format!("cannot start {}", words[0]))?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        self.children.push(child);
        let line = line.trim().to_owned();
        if line.is_empty() {
            bail!("{} did not start", words[0]);
        }
        Ok(line)
    }

    fn has_server(&self) -> bool {
        let ask = [
            "dbus-send",
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.DBus",
            "/",
            "org.freedesktop.DBus.NameHasOwner",
            "string:org.freedesktop.Notifications",
        ];
        let answer = self.command(&ask).stdout(Stdio::piped()).output();
        answer.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains("true"))
    }

    async fn wait(&self, what: &str, mut done: impl FnMut() -> bool) -> Result<()> {
        let until = tokio::time::Instant::now() + SOON;
        while !done() {
            if tokio::time::Instant::now() >= until {
                bail!("waited for {what}; told so far: {:#?}", self.told());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Everything the server was asked to show, oldest first.
    pub(crate) fn told(&self) -> Vec<Told> {
        let text = fs::read_to_string(self.folder.join("told")).unwrap_or_default();
        let parts = text.lines().filter_map(|line| line.split_once('\t'));
        parts
            .map(|(title, body)| Told {
                title: title.to_owned(),
                body: body.to_owned(),
            })
            .collect()
    }

    /// Those with these words in their titles.
    pub(crate) fn told_of(&self, words: &str) -> Vec<Told> {
        let mut told = self.told();
        told.retain(|one| one.title.contains(words));
        told
    }

    /// Waits until something with these words in its title is shown.
    pub(crate) async fn shows(&self, words: &str) -> Result<Told> {
        self.wait(words, || !self.told_of(words).is_empty()).await?;
        self.told_of(words).pop().context("it was there just now")
    }

    /// How many notifications are on the screen.
    pub(crate) fn on_screen(&self) -> usize {
        let count = self.command(&["dunstctl", "count", "displayed"]);
        let out = { count }.stdout(Stdio::piped()).output();
        let text = out.map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
        text.unwrap_or_default().trim().parse().unwrap_or_default()
    }

    /// Waits until nothing is on the screen.
    pub(crate) async fn is_empty(&self) -> Result<()> {
        self.wait("an empty screen", || self.on_screen() == 0).await
    }

    /// Chooses an action of a notification from its menu, if it is there. The menu.
    pub(crate) async fn choose(&self, label: &str) -> Result<String> {
        let menu = self.folder.join("menu");
        fs::write(self.folder.join("choice"), label)?;
        self.command(&["dunstctl", "context"]).status()?;
        self.wait("the menu", || menu.exists()).await?;
        Ok(fs::read_to_string(&menu)?)
    }

    /// Clicks on the newest notification itself.
    pub(crate) fn click(&self) -> Result<()> {
        self.command(&["dunstctl", "action", "0"]).status()?;
        Ok(())
    }

    /// The notification daemon no longer answers, and is not gone.
    pub(crate) fn freeze(&self) -> Result<()> {
        let dunst = self.children.last().context("dunst")?.id();
        let stopped = Command::new("kill")
            .args(["-STOP", &dunst.to_string()])
            .status()?;
        anyhow::ensure!(stopped.success(), "it cannot be stopped");
        Ok(())
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}
