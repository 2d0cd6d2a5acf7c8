//! What the binaries are made of.

use std::process::Command;

use anyhow::{Result, ensure};

/// Servers have no WebKit, and a keeper idles in a few MB: the command line must not
/// load the desktop's libraries, though it is built from the same package.
#[cfg(target_os = "linux")]
#[test]
fn only_the_desktop_application_links_a_webview() -> Result<()> {
    let libraries = |binary: &str| -> Result<String> {
        let output = Command::new("ldd").arg(binary).output()?;
        ensure!(output.status.success(), "ldd {binary}: {output:?}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let headless = libraries(env!("CARGO_BIN_EXE_longhaul"))?;
    for unwanted in ["webkit", "gtk", "soup", "javascriptcore", "libX11"] {
        ensure!(!headless.contains(unwanted), "{unwanted} in {headless}");
    }
    let desktop = libraries(env!("CARGO_BIN_EXE_longhaul-desktop"))?;
    ensure!(desktop.contains("webkit2gtk"), "{desktop}");
    Ok(())
}
