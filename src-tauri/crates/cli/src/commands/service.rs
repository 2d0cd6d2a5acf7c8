//! `service …`

use std::path::PathBuf;
use std::process::{Command, Stdio};

use protocol::{ApiError, ErrorCode};
use serde_json::json;

use crate::args::ServiceCommand;
use crate::context::Context;
use crate::failure::Failure;
use crate::service::{self, NAME, ServiceFacts};

pub(super) fn run(context: &Context, command: ServiceCommand) -> Result<u8, Failure> {
    let file = file()?;
    match command {
        ServiceCommand::Install => install(context, &file),
        ServiceCommand::Uninstall => uninstall(context, &file),
        ServiceCommand::Status => status(context, &file),
    }
}

/// Where the service file belongs.
fn file() -> Result<PathBuf, Failure> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    let home = set("HOME")
        .ok_or_else(|| Failure::usage("HOME is not set", "set it to your home folder"))?;
    Ok(if cfg!(target_os = "macos") {
        home.join("Library/LaunchAgents/dev.longhaul.daemon.plist")
    } else if cfg!(windows) {
        home.join("AppData/Local/longhaul/task.xml")
    } else {
        let config = set("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
        config.join("systemd/user").join(format!("{NAME}.service"))
    })
}

fn text(facts: &ServiceFacts) -> String {
    if cfg!(target_os = "macos") {
        service::plist(facts)
    } else if cfg!(windows) {
        service::task(facts)
    } else {
        service::unit(facts)
    }
}

fn install(context: &Context, file: &std::path::Path) -> Result<u8, Failure> {
    let facts = ServiceFacts {
        program: context.launch.program.display().to_string(),
        home: context.launch.paths.home.display().to_string(),
        path: login_path(),
    };
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(file, text(&facts))?;
    let steps = systemctl(&["daemon-reload"])
        .and_then(|()| systemctl(&["enable", "--now", &format!("{NAME}.service")]));
    if let Err(why) = steps {
        return Err(Failure::Told(ApiError::new(
            ErrorCode::Internal,
            format!(
                "{} is written, but no user service manager took it: {why}",
                file.display()
            ),
            "without one, `longhaul daemon start` and every other command start the daemon",
        )));
    }
    let shown = file.display().to_string();
    context.print.either(&json!({"installed": true, "file": shown}), || {
        format!(
            "installed {shown}\nto keep it running while you are logged out: `loginctl enable-linger`"
        )
    })?;
    Ok(0)
}

fn uninstall(context: &Context, file: &std::path::Path) -> Result<u8, Failure> {
    let was_there = file.exists();
    if was_there {
        // Where no manager answers there is nothing to disable.
        let _ = systemctl(&["disable", "--now", &format!("{NAME}.service")]);
        std::fs::remove_file(file)?;
        let _ = systemctl(&["daemon-reload"]);
    }
    context.print.either(&json!({"installed": false}), || {
        if was_there {
            "uninstalled".to_owned()
        } else {
            "it was not installed".to_owned()
        }
    })?;
    Ok(0)
}

fn status(context: &Context, file: &std::path::Path) -> Result<u8, Failure> {
    let installed = file.exists();
    let active =
        installed && systemctl(&["is-active", "--quiet", &format!("{NAME}.service")]).is_ok();
    let manager = systemctl(&["show-environment"]);
    let document = json!({
        "installed": installed, "active": active, "file": file.display().to_string(),
        "manager": manager.is_ok(),
    });
    context.print.either(&document, || {
        let words = match (installed, active) {
            (false, _) => "not installed".to_owned(),
            (true, true) => format!("installed and running ({})", file.display()),
            (true, false) => format!("installed, not running ({})", file.display()),
        };
        match &manager {
            Ok(()) => words,
            Err(why) => format!("{words}\nno user service manager answers: {why}"),
        }
    })?;
    Ok(0)
}

/// Asks the user's systemd; its words where it does not do it.
fn systemctl(args: &[&str]) -> Result<(), String> {
    let output = Command::new("systemctl")
        .arg("--user")
        .args(args)
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(said
                .lines()
                .next()
                .map_or_else(|| output.status.to_string(), str::to_owned))
        }
        Err(error) => Err(format!("systemctl cannot be run: {error}")),
    }
}

/// The PATH a login shell has: a service manager's own lacks what users add to theirs.
fn login_path() -> String {
    let shell = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    let output = Command::new(shell)
        .args(["-lc", "printf '%s' \"$PATH\""])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    output
        .ok()
        .filter(|o| o.status.success() && !o.stdout.is_empty())
        .and_then(|o| String::from_utf8(o.stdout).ok())
        .or_else(|| std::env::var_os("PATH")?.into_string().ok())
        .unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".to_owned())
}
