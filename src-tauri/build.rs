//! Prepares what the desktop shell embeds.

use std::path::Path;

/// Shown where the program was built before its interface was: `cargo xtask run` builds both.
const PLACEHOLDER: &str = "<!doctype html><meta charset=utf-8><title>Longhaul</title>\
    <p>This build has no interface in it. Build it with <code>cargo xtask run</code>.</p>";

fn main() {
    // The package is the repository's root: `ui/dist` is looked for there.
    let page = Path::new("ui/dist/index.html");
    if !page.exists() {
        std::fs::create_dir_all("ui/dist").expect("the repository can be written to");
        std::fs::write(page, PLACEHOLDER).expect("the repository can be written to");
    }
    tauri_build::build();
}
